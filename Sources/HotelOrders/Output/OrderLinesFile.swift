/// Order lines as CSV, one a line: the header, then whole numbers, times as `YYYY-MM-DD hh:mm:ss`, an empty field for null.
///
/// There is no column for the names of rooms and guests: `OrderLine` has none.
struct OrderLinesFile: ~Copyable, PurchaseSink {
    private var output: OutputFile
    private let maker: OrderLines

    static let header =
        "order_seq,hotel_seq,room_seq,customer_seq,order_price,status,reg_date,check_date,complete_date,"
        + "room_building_seq,room_floor_seq,visitor_cnt,visit_adult_cnt,visit_child_cnt,visit_baby_cnt,check_in,check_out,"
        + "check_out_expected,item_seq,item_name,item_count,department_seq,price,waiting_period,delay_period,free_count,"
        + "coupon_seq,result_price,complete_period,stay_period,avg_spending_per_visitor\n"

    /// - Parameters:
    ///   - path: `-` for standard output; compressed when it ends in `.gz`. A regular file appears when it is complete.
    ///   - completePeriodMedian: stands in for a missing complete period.
    init(path: String, completePeriodMedian: Double?) throws(OrdersError) {
        // Who ordered what from which room is nobody else's business.
        var output = try OutputFile(path: path, gzip: path.hasSuffix(".gz"), permissions: 0o600)
        try output.append { $0.append(contentsOf: Self.header.utf8) }
        self.output = output
        maker = OrderLines(completePeriodMedian: completePeriodMedian)
    }

    mutating func add(
        _ row: OrderRow, _ bytes: Span<UInt8>, _ fields: [CSVField], _ header: OrderHeader, _ contents: ContentsParser
    ) throws(OrdersError) {
        let lines = maker.orderLines(of: row, bytes, fields, header, contents: contents)
        try output.append { text in
            for line in lines { Self.append(line, to: &text) }
        }
    }

    mutating func finish() throws(OrdersError) { try output.finish() }

    /// In the order of `header`.
    private static func append(_ line: OrderLine, to text: inout [UInt8]) {
        text.appendField(line.orderSeq)
        text.appendField(line.hotelSeq)
        text.appendField(line.roomSeq)
        text.appendField(line.customerSeq)
        text.appendField(line.orderPrice)
        // Nothing else becomes an order line.
        text.append(contentsOf: "COMPLETE,".utf8)
        text.appendTime(line.regDate)
        text.appendTime(line.checkDate)
        text.appendTime(line.completeDate)
        text.appendField(line.roomBuildingSeq)
        text.appendField(line.roomFloorSeq)
        text.appendField(line.visitorCount)
        text.appendField(line.visitAdultCount)
        text.appendField(line.visitChildCount)
        text.appendField(line.visitBabyCount)
        text.appendTime(line.checkIn)
        text.appendTime(line.checkOut)
        text.appendTime(line.checkOutExpected)
        text.appendField(line.itemSeq)
        CSVWriting.append(Array(line.itemName.utf8), to: &text)
        text.append(CSVScanner.comma)
        text.appendField(line.itemCount)
        text.appendField(line.departmentSeq)
        text.appendField(line.price)
        text.appendField(line.waitingPeriod)
        text.appendField(line.delayPeriod)
        text.appendField(line.freeCount)
        text.appendField(line.couponSeq)
        text.appendField(line.resultPrice)
        text.appendField(line.completePeriod)
        text.appendField(line.stayPeriod)
        text.appendField(line.averageSpendingPerVisitor)
        text[text.count - 1] = CSVScanner.lineFeed
    }
}

extension [UInt8] {
    fileprivate mutating func appendField(_ number: Int64?) {
        if let number { append(contentsOf: String(number).utf8) }
        append(CSVScanner.comma)
    }

    /// Shortest decimal that reads back as the same number; whole numbers without a point.
    fileprivate mutating func appendField(_ number: Double?) {
        if let number {
            let text = number.description
            append(contentsOf: (text.hasSuffix(".0") ? text.dropLast(2) : text[...]).utf8)
        }
        append(CSVScanner.comma)
    }

    fileprivate mutating func appendTime(_ seconds: Int64?) {
        if let seconds { CivilTime.append(seconds: seconds, to: &self) }
        append(CSVScanner.comma)
    }
}
