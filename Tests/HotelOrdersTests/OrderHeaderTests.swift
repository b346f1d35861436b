import TestSupport
import Testing

@testable import HotelOrders

@Suite("Header line") struct OrderHeaderTests {
    private func header(_ text: String) throws(OrdersError) -> OrderHeader {
        var fields: [CSVField] = []
        var fieldCount = 0
        let bytes = Array(text.utf8)
        _ = CSVScanner.scan(
            bytes, from: 0, limit: bytes.count, isLast: true, fields: &fields, fieldCount: &fieldCount,
            fieldCountMax: CSVRecordReader.fieldCountMax)
        return try OrderHeader(bytes.span, fields, fieldCount: fieldCount, path: "x.csv")
    }

    static let required = "order_seq,hotel_seq,customer_seq,order_price,status,contents,reg_date"

    @Test("columns in any order, in any case, with spaces and unknown ones between")
    func anyOrder() throws {
        let header = try header(
            "memo, REG_DATE ,\"contents\",status,order_price,customer_seq,memo,hotel_seq,Order_Seq,check_in")
        #expect(header.columnCount == 10)
        #expect(header[.regDate] == 1)
        #expect(header[.contents] == 2)
        #expect(header[.orderSeq] == 8)
        #expect(header[.checkIn] == 9)
        #expect(header[.checkOut] == nil)
    }

    @Test("a missing required column is named, beside what was found")
    func missing() {
        let error = #expect(throws: OrdersError.self) { try header("order_seq,status,guest name,hotel_seq") }
        #expect(
            error.map { "\($0)" }
                == "x.csv: line 1: required column missing: customer_seq, order_price, contents, reg_date; found order_seq, "
                + "hotel_seq, status, 1 other field")
        #expect(error?.kind == .badData)
    }

    @Test("a first line without any known name is not repeated: it may be a row")
    func noHeader() {
        let error = #expect(throws: OrdersError.headerMissing(path: "x.csv", fieldCount: 4)) {
            try header("17,3,Kim Minjun,COMPLETE")
        }
        #expect(error.map { "\($0)".contains("Kim") } == false)
        #expect(throws: OrdersError.headerMissing(path: "x.csv", fieldCount: 1)) {
            try header(Self.required.replacing(",", with: ";"))
        }
    }

    @Test("a known column given twice is named; an unknown one may repeat")
    func repeated() throws {
        #expect(throws: OrdersError.columnRepeated(path: "x.csv", name: "status")) {
            try header(Self.required + ",Status")
        }
        #expect(try header(Self.required + ",memo,memo").columnCount == 9)
    }

    @Test("columns to the bound, and one past it")
    func bound() throws {
        let extra = String(repeating: ",x", count: CSVRecordReader.fieldCountMax - 7)
        #expect(try header(Self.required + extra).columnCount == CSVRecordReader.fieldCountMax)
        #expect(throws: OrdersError.tooManyColumns(path: "x.csv", found: 257, limit: 256)) {
            try header(Self.required + extra + ",x")
        }
    }
}
