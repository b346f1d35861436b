/// Spreads orders over two years and hands them out in the order in which they were placed.
///
/// Stays begin day by day; their orders wait in one list for each of the coming days. That is the only memory that grows
/// with the sample: about a week's orders, 24 bytes each, 2 MB for 10 million rows.
struct SampleSchedule {
    struct Order {
        let seconds: Int64
        let stay: UInt64
        let day: Int32
        let ordinal: UInt16
        let daypart: UInt8
    }

    /// 2023-01-01.
    static let firstDay: Int64 = 19_358
    static let dayCount = 730

    private static let weekdayWeights = [8, 8, 9, 10, 14, 15, 10]
    private static let monthWeights = [9, 8, 8, 9, 10, 9, 14, 15, 9, 11, 8, 12]

    private let world: SampleWorld
    private let orderCount: Int
    private let weightTotal: Int
    private var weightSoFar = 0
    private var day = 0
    private var stayCount: UInt64 = 0
    private var scheduled = 0
    /// By day modulo its length: longer than any stay, with a day for what is ordered after midnight.
    private var waiting = [[Order]](repeating: [], count: SampleStay.nightsMax + 3)

    init(world: SampleWorld, orderCount: Int) {
        self.world = world
        self.orderCount = orderCount
        weightTotal = (0..<Self.dayCount).reduce(0) { $0 + Self.weight(day: $1) }
    }

    private static func weight(day: Int) -> Int {
        let days = firstDay + Int64(day)
        return weekdayWeights[CivilTime.weekday(days: days)] * monthWeights[Int(CivilTime.date(days: days).month) - 1]
    }

    /// All orders placed on the next day; nil after the last.
    mutating func nextDay() -> [Order]? {
        if day >= Self.dayCount + waiting.count { return nil }
        if day < Self.dayCount { checkIn() }
        let slot = day % waiting.count
        var orders: [Order] = []
        swap(&orders, &waiting[slot])
        orders.sort { ($0.seconds, $0.stay, $0.ordinal) < ($1.seconds, $1.stay, $1.ordinal) }
        day += 1
        return orders
    }

    /// Lets guests check in until the orders of their stays make up the day's share.
    private mutating func checkIn() {
        weightSoFar += Self.weight(day: day)
        let target = orderCount * weightSoFar / weightTotal
        while scheduled < target {
            let stay = SampleStay(stayCount, day: Self.firstDay + Int64(day), world)
            for ordinal in 0..<min(stay.orderCount, orderCount - scheduled) {
                let time = stay.orderTime(ordinal, stayCount, world)
                let orderDay = Int(time.seconds / 86_400 - Self.firstDay)
                waiting[orderDay % waiting.count].append(
                    Order(
                        seconds: time.seconds, stay: stayCount, day: Int32(day), ordinal: UInt16(ordinal),
                        daypart: UInt8(time.daypart.rawValue)))
                scheduled += 1
            }
            stayCount += 1
        }
    }
}
