/// One order line: what an export row becomes for each element of its contents.
///
/// The fields of the contract and no others: no room name, no customer name, no refuse date. Training reads rows
/// without making these; they are for whoever writes order lines out.
struct OrderLine: Equatable {
    var orderSeq, hotelSeq, customerSeq: Int64
    var roomSeq: Int64?
    /// KRW, the whole order.
    var orderPrice: Int64
    /// Seconds since 1970 on the hotel's clock, as all times here.
    var regDate: Int64
    var checkDate, completeDate: Int64?
    var roomBuildingSeq, roomFloorSeq: Int64?
    var visitorCount, visitAdultCount, visitChildCount, visitBabyCount: Int64?
    var checkIn, checkOut, checkOutExpected: Int64?

    var itemSeq: Int64
    /// Empty when the row does not say.
    var itemName: String
    /// 1 to 10,000.
    var itemCount: Int64
    var departmentSeq, price, waitingPeriod, delayPeriod: Int64?
    /// 0 when the row says nothing.
    var freeCount: Int64
    var couponSeq, resultPrice: Int64?
    /// The median over all lines when the row says nothing; nil only when no line says anything.
    var completePeriod: Double?

    /// Whole days from check-in to check-out: full 24 hours, so 15:00 to 11:00 two days later is 1.
    var stayPeriod: Int64?
    /// KRW per visitor of the party; nil when the party is unknown or 0.
    var averageSpendingPerVisitor: Double?
}

/// Makes order lines of rows that are purchases.
struct OrderLines {
    /// Stands in for a missing complete period. It is known only after a first pass over the rows: see
    /// `CompletePeriodMedian`.
    var completePeriodMedian: Double?

    /// The lines of one row: elements without an id or with an unusable count are left out.
    ///
    /// - Parameters:
    ///   - row: the row's required columns, already read.
    ///   - contents: the row's contents, parsed without error.
    func orderLines(
        of row: OrderRow, _ bytes: Span<UInt8>, _ fields: [CSVField], _ header: OrderHeader, contents: ContentsParser
    ) -> [OrderLine] {
        func integer(_ column: OrderColumn) -> Int64? {
            header[column].flatMap { FieldValues.integer(bytes, fields[$0].range).value }
        }
        func time(_ column: OrderColumn) -> Int64? {
            header[column].flatMap { FieldValues.time(bytes, fields[$0].range) }
        }
        let visitorCount = integer(.visitorCount)
        let checkIn = time(.checkIn)
        let checkOut = time(.checkOut)
        var lines: [OrderLine] = []
        for element in contents.elements where element.problem == nil {
            guard let itemSeq = element.itemSeq.value, let itemCount = element.count.value else { continue }
            lines.append(
                OrderLine(
                    orderSeq: row.orderSeq, hotelSeq: row.hotelSeq, customerSeq: row.customerSeq,
                    roomSeq: integer(.roomSeq), orderPrice: row.orderPrice, regDate: row.regDate,
                    checkDate: time(.checkDate), completeDate: time(.completeDate),
                    roomBuildingSeq: integer(.roomBuildingSeq), roomFloorSeq: integer(.roomFloorSeq),
                    visitorCount: visitorCount, visitAdultCount: integer(.visitAdultCount),
                    visitChildCount: integer(.visitChildCount), visitBabyCount: integer(.visitBabyCount),
                    checkIn: checkIn, checkOut: checkOut, checkOutExpected: time(.checkOutExpected), itemSeq: itemSeq,
                    itemName: String(decoding: contents.names[element.name], as: UTF8.self), itemCount: itemCount,
                    departmentSeq: element.departmentSeq.value, price: element.price.value,
                    waitingPeriod: element.waitingPeriod.value, delayPeriod: element.delayPeriod.value,
                    freeCount: element.freeCount.value ?? 0, couponSeq: element.couponSeq.value,
                    resultPrice: element.resultPrice.value,
                    completePeriod: element.completePeriod.value.map { Double($0) } ?? completePeriodMedian,
                    stayPeriod: Self.stayPeriod(checkIn, checkOut),
                    averageSpendingPerVisitor: Self.averageSpending(row.orderPrice, visitorCount)))
        }
        return lines
    }

    private static func stayPeriod(_ checkIn: Int64?, _ checkOut: Int64?) -> Int64? {
        guard let checkIn, let checkOut, checkOut >= checkIn else { return nil }
        return (checkOut - checkIn) / 86_400
    }

    private static func averageSpending(_ orderPrice: Int64, _ visitorCount: Int64?) -> Double? {
        guard let visitorCount, visitorCount > 0 else { return nil }
        return Double(orderPrice) / Double(visitorCount)
    }
}

/// The exact median of complete periods, counted by value in 512 KB however many lines there are.
struct CompletePeriodMedian {
    /// Longer periods are counted as this one: the median stays exact as long as it lies below.
    static let periodMax: Int64 = 65_535

    private var counts = [UInt64](repeating: 0, count: Int(periodMax) + 1)
    private var total: UInt64 = 0

    /// Periods below 0 are typing errors and are left out.
    mutating func add(_ period: Int64) {
        guard period >= 0 else { return }
        counts[Int(min(period, Self.periodMax))] += 1
        total += 1
    }

    /// The middle value, or the mean of the two middle ones; nil before the first period.
    var median: Double? {
        if total == 0 { return nil }
        return (Double(value(rank: (total - 1) / 2)) + Double(value(rank: total / 2))) / 2
    }

    private func value(rank: UInt64) -> Int {
        var seen: UInt64 = 0
        for (period, count) in counts.enumerated() {
            seen += count
            if seen > rank { return period }
        }
        preconditionFailure("BUG: rank beyond the total")
    }
}
