import TestSupport
import Testing

@testable import HotelOrders

@Suite("Order lines") struct OrderLineTests {
    private func lines(_ header: String, _ row: String, median: Double? = nil) throws -> [OrderLine] {
        func scan(_ bytes: [UInt8]) -> ([CSVField], Int) {
            var fields: [CSVField] = []
            var fieldCount = 0
            _ = CSVScanner.scan(
                bytes, from: 0, limit: bytes.count, isLast: true, fields: &fields, fieldCount: &fieldCount,
                fieldCountMax: 256)
            return (fields, fieldCount)
        }
        let headerBytes = Array(header.utf8)
        let (names, count) = scan(headerBytes)
        let columns = try OrderHeader(headerBytes.span, names, fieldCount: count, path: "x.csv")
        let bytes = Array(row.utf8)
        let (fields, fieldCount) = scan(bytes)
        try #require(fieldCount == count)
        guard case .purchase(let purchase) = OrderRow.read(bytes.span, fields, columns) else { return [] }
        var contents = ContentsParser()
        try contents.parse(bytes.span, fields[columns[.contents] ?? 0])
        return OrderLines(completePeriodMedian: median).orderLines(
            of: purchase, bytes.span, fields, columns, contents: contents)
    }

    @Test("every field of the contract, one line for each usable element")
    func everyField() throws {
        let contents = #"""
            [{"orderType":"ORDER","itemSeq":310,"count":2,"itemName":"Fried chicken","departmentSeq":2,"price":24000,
            "waitingPeriod":20,"delayPeriod":5,"freeCount":1,"couponSeq":9,"resultPrice":43200,"completePeriod":25},
            {"itemSeq":311,"count":1},{"itemSeq":312},{"count":1}]
            """#
        let row =
            "1,3,11,42,60000,COMPLETE,\"\(contents.replacing("\"", with: "\"\""))\",2024-05-01 19:30:00,"
            + "2024-05-01 19:31:00,\\N,2024-05-01 20:00:00,1,8,801호,Kim,3,2,1,0,2024-04-30 15:00:00,"
            + "2024-05-02 11:00:00,2024-05-02 11:00:00"
        let lines = try lines(String(SampleRowWriter.header.dropLast()), row, median: 17.5)
        try #require(lines.count == 2)
        let date = CivilTime.days(year: 2024, month: 5, day: 1) * 86_400
        let first = OrderLine(
            orderSeq: 1, hotelSeq: 3, customerSeq: 42, roomSeq: 11, orderPrice: 60_000, regDate: date + 70_200,
            checkDate: date + 70_260, completeDate: date + 72_000, roomBuildingSeq: 1, roomFloorSeq: 8, visitorCount: 3,
            visitAdultCount: 2, visitChildCount: 1, visitBabyCount: 0, checkIn: date - 32_400, checkOut: date + 126_000,
            checkOutExpected: date + 126_000, itemSeq: 310, itemName: "Fried chicken", itemCount: 2, departmentSeq: 2,
            price: 24_000, waitingPeriod: 20, delayPeriod: 5, freeCount: 1, couponSeq: 9, resultPrice: 43_200,
            completePeriod: 25, stayPeriod: 1, averageSpendingPerVisitor: 20_000)
        #expect(lines[0] == first)
        var second = first
        (second.itemSeq, second.itemName, second.itemCount, second.freeCount) = (311, "", 1, 0)
        (second.departmentSeq, second.price, second.waitingPeriod, second.delayPeriod) = (nil, nil, nil, nil)
        (second.couponSeq, second.resultPrice, second.completePeriod) = (nil, nil, 17.5)
        #expect(lines[1] == second)
    }

    @Test("an export of the required columns alone leaves the others unknown")
    func requiredColumns() throws {
        let lines = try lines(
            OrderHeaderTests.required,
            "1,3,42,60000,COMPLETE,\"{\"\"itemSeq\"\":1,\"\"count\"\":1}\",2024-05-01 19:30:00")
        try #require(lines.count == 1)
        #expect(lines[0].stayPeriod == nil)
        #expect(lines[0].averageSpendingPerVisitor == nil)
        #expect(lines[0].completePeriod == nil)
        #expect(lines[0].roomSeq == nil)
    }

    @Test(
        "stay period and spending per visitor at their edges",
        arguments: [
            ("0", "2024-05-01 15:00:00", "2024-05-02 14:59:59", nil, 0),
            ("\\N", "\\N", "2024-05-02 14:59:59", nil, nil),
            ("4", "2024-05-01 15:00:00", "2024-05-02 15:00:00", 15_000, 1),
            ("-1", "2024-05-02 15:00:00", "2024-05-01 15:00:00", nil, nil),
        ] as [(String, String, String, Double?, Int64?)])
    func derived(visitors: String, checkIn: String, checkOut: String, spending: Double?, stay: Int64?) throws {
        let lines = try lines(
            OrderHeaderTests.required + ",visitor_cnt,check_in,check_out",
            "1,3,42,60000,COMPLETE,\"{\"\"itemSeq\"\":1,\"\"count\"\":1}\",2024-05-01 19:30:00,\(visitors),\(checkIn),\(checkOut)"
        )
        #expect(lines.first?.averageSpendingPerVisitor == spending)
        #expect(lines.first?.stayPeriod == stay)
    }

    @Test(
        "the median is the sorted list's middle, or the mean of its two middles",
        arguments: 1...30 as ClosedRange<UInt64>)
    func median(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        var median = CompletePeriodMedian()
        #expect(median.median == nil)
        let periods = (0..<Int.random(in: 1...40, using: &rng)).map { _ in Int64.random(in: 0...60, using: &rng) }
        for period in periods { median.add(period) }
        median.add(-5)
        let sorted = periods.sorted()
        let middle = Double(sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
        #expect(median.median == middle, "seed \(seed)")
    }

    @Test("a period beyond the bound counts as the bound")
    func medianBound() {
        var median = CompletePeriodMedian()
        median.add(.max)
        #expect(median.median == Double(CompletePeriodMedian.periodMax))
        median.add(1)
        median.add(2)
        #expect(median.median == 2)
    }
}
