/// Writes orders as rows of the export.
struct SampleRowWriter {
    private let world: SampleWorld
    /// Of 2^32.
    private let messThreshold: UInt64
    private let unusableThreshold: UInt64
    private var json: [UInt8] = []

    static let header =
        "order_seq,hotel_seq,room_seq,customer_seq,order_price,status,contents,reg_date,check_date,refuse_date,"
        + "complete_date,room_building_seq,room_floor_seq,room_name,customer_name,visitor_cnt,visit_adult_cnt,"
        + "visit_child_cnt,visit_baby_cnt,check_in,check_out,check_out_expected\n"

    init(world: SampleWorld, messRate: Double) {
        self.world = world
        // One multiplication each: the same on every machine.
        messThreshold = UInt64(messRate * 4_294_967_296)
        unusableThreshold = UInt64(messRate * SampleMess.unusableShare * 4_294_967_296)
    }

    /// Appends the row of order number `orderSeq`.
    mutating func append(_ scheduled: SampleSchedule.Order, orderSeq: Int, to text: inout [UInt8]) {
        let stay = SampleStay(scheduled.stay, day: SampleSchedule.firstDay + Int64(scheduled.day), world)
        let order = SampleOrder(scheduled, stay, world)
        var random = SampleRandom(seed: world.seed, .mess, UInt64(orderSeq))
        let unusable = random.next() >> 32 < unusableThreshold ? random.pick(SampleMess.Row.allCases) : nil
        let mess = random.next() >> 32 < messThreshold ? random.pick(SampleMess.Contents.allCases) : nil
        makeContents(order, mess, unusable, &random)

        let hotelSeq = world.hotels[stay.hotel].hotelSeq
        text.appendField(orderSeq)
        text.appendField(hotelSeq)
        text.appendField(hotelSeq * 100_000 + stay.building * 10_000 + stay.floor * 100 + stay.room)
        if unusable == .badCustomer {
            text.append(contentsOf: "guest,".utf8)
        } else {
            text.appendField(stay.guest.customerSeq)
        }
        text.appendField(order.price)
        text.append(contentsOf: order.status.rawValue.utf8)
        text.append(CSVScanner.comma)
        if !json.isEmpty { CSVWriting.appendQuoted(json, to: &text) }
        text.append(CSVScanner.comma)
        if unusable == .badDate {
            text.append(contentsOf: "0000-00-00 00:00:00,".utf8)
        } else {
            text.appendTime(scheduled.seconds)
        }
        text.appendTime(order.checkDelay.map { scheduled.seconds + Int64($0) })
        let close = order.closeDelay.map { scheduled.seconds + Int64($0) }
        text.appendTime(order.status == .refuse ? close : nil)
        text.appendTime(order.status == .complete ? close : nil)
        if unusable != .missingField { text.appendField(stay.building) }
        text.appendField(stay.floor)
        SampleNames.appendRoom(stay, to: &text)
        text.append(CSVScanner.comma)
        SampleNames.appendGuest(stay.guestNumber, world.seed, to: &text)
        text.append(CSVScanner.comma)
        if random.chance(percent: 3) {
            text.append(contentsOf: "\\N,\\N,\\N,\\N,".utf8)
        } else {
            text.appendField(stay.adults + stay.children + stay.babies)
            text.appendField(stay.adults)
            text.appendField(stay.children)
            text.appendField(stay.babies)
        }
        text.appendTime(stay.checkIn)
        text.appendTime(stay.checkOut)
        text.appendTime(stay.checkOutExpected)
        text[text.count - 1] = CSVScanner.lineFeed
    }

    /// Leaves the contents of the order in `json`; empty for an empty field.
    private mutating func makeContents(
        _ order: SampleOrder, _ mess: SampleMess.Contents?, _ unusable: SampleMess.Row?, _ random: inout SampleRandom
    ) {
        json.removeAll(keepingCapacity: true)
        if unusable == .emptyContents { return }
        let isObject = mess == .object && order.lines.count == 1
        if !isObject { json.append(UInt8(ascii: "[")) }
        for (place, line) in order.lines.enumerated() {
            if place > 0 { json.append(CSVScanner.comma) }
            appendElement(order, line, mess, hasID: unusable != .noItemID)
        }
        if !isObject { json.append(UInt8(ascii: "]")) }
        if unusable == .cutContents { cut(keeping: 1 + random.below(json.count - 2)) }
        if let mess, mess != .object { json = SampleMess.apply(mess, to: json, &random) }
    }

    /// Shortens the text as a column that is too short does: between two characters.
    private mutating func cut(keeping byteCount: Int) {
        var end = byteCount
        while json[end] & 0xC0 == 0x80 { end -= 1 }
        json.removeLast(json.count - end)
    }

    private mutating func appendElement(
        _ order: SampleOrder, _ line: SampleOrder.Line, _ mess: SampleMess.Contents?, hasID: Bool
    ) {
        let quote: StaticString = mess == .textNumbers ? "\"" : ""
        func number(_ key: StaticString, _ value: Int?, to json: inout [UInt8]) {
            json.append(key)
            guard let value else { return json.append("null") }
            json.append(quote)
            json.appendDecimal(value)
            json.append(quote)
        }
        json.append(order.isRequest ? "{\"orderType\":\"REQUEST\"" : "{\"orderType\":\"ORDER\"")
        number(",\"itemSeq\":", hasID ? line.item.itemSeq : nil, to: &json)
        number(",\"count\":", line.count, to: &json)
        json.append(",\"itemName\":\"")
        json.append(contentsOf: line.item.name)
        json.append("\"")
        if mess != .missingKeys {
            let isKnown = mess != .nullKeys
            number(",\"departmentSeq\":", isKnown ? line.item.departmentSeq : nil, to: &json)
            number(",\"price\":", isKnown ? line.item.price : nil, to: &json)
            number(",\"waitingPeriod\":", isKnown ? order.waitingPeriod : nil, to: &json)
            number(",\"delayPeriod\":", isKnown ? order.delayPeriod : nil, to: &json)
            number(",\"freeCount\":", line.freeCount == 0 ? nil : line.freeCount, to: &json)
            number(",\"couponSeq\":", line.couponSeq, to: &json)
        }
        number(",\"resultPrice\":", line.resultPrice, to: &json)
        let completePeriod = order.status == .complete ? order.waitingPeriod + order.delayPeriod : nil
        number(",\"completePeriod\":", completePeriod, to: &json)
        json.append("}")
    }
}

/// Names of rooms and guests that nobody has: an export holds such columns, and the reader must leave them there.
enum SampleNames {
    static let surnames = ["김", "이", "박", "최", "정", "강", "조", "윤", "장", "임", "한", "오"]
    static let givenNames = ["민준", "서연", "도윤", "지우", "하준", "수빈", "예은", "시우", "지민", "현우", "은서", "태영"]
    static let foreignNames = [
        "Emma Clark", "Liam Berg", "Yuki Tanaka", "Chen Wei", "Noah Silva", "Ana \"Nina\" Costa", "Lee, Grace",
    ]

    static func appendRoom(_ stay: SampleStay, to text: inout [UInt8]) {
        text.appendDecimal(stay.floor * 100 + stay.room)
        text.append("호")
    }

    static func appendGuest(_ number: Int, _ seed: UInt64, to text: inout [UInt8]) {
        var random = SampleRandom(seed: seed, .name, UInt64(number))
        if random.chance(percent: 25) {
            CSVWriting.append(Array(random.pick(foreignNames).utf8), to: &text)
        } else {
            text.append(contentsOf: random.pick(surnames).utf8)
            text.append(contentsOf: random.pick(givenNames).utf8)
        }
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ literal: StaticString) {
        // SAFETY: a static string's bytes live for ever.
        unsafe append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    /// Appends a number that is not negative.
    fileprivate mutating func appendDecimal(_ number: Int) {
        let start = count
        var rest = number
        repeat {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        self[start...].reverse()
    }

    fileprivate mutating func appendField(_ number: Int) {
        appendDecimal(number)
        append(CSVScanner.comma)
    }

    fileprivate mutating func appendTime(_ seconds: Int64?) {
        if let seconds { CivilTime.append(seconds: seconds, to: &self) } else { append("\\N") }
        append(CSVScanner.comma)
    }
}
