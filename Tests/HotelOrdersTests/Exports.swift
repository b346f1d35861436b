import CZlib
import Foundation
import TestSupport

@testable import HotelOrders

/// Small exports written by hand.
struct Export {
    static let header =
        "order_seq,hotel_seq,room_seq,customer_seq,order_price,status,contents,reg_date,room_name,customer_name,visitor_cnt"

    /// A row of `header`; contents are quoted, the rest stands as it is.
    static func row(
        _ orderSeq: String, hotel: String = "3", customer: String = "42", price: String = "24000",
        status: String = "COMPLETE", contents: String = #"[{"itemSeq":7,"count":1}]"#,
        date: String = "2024-05-01 19:30:00", roomName: String = "SECRETROOM", customerName: String = "SECRETGUEST"
    ) -> String {
        let quoted = "\"" + contents.replacing("\"", with: "\"\"") + "\""
        return "\(orderSeq),\(hotel),11,\(customer),\(price),\(status),\(quoted),\(date),\(roomName),\(customerName),2"
    }

    static func item(_ id: Int, count: Int = 1) -> String { #"{"itemSeq":\#(id),"count":\#(count)}"# }

    static func items(_ ids: Int...) -> String { "[" + ids.map { item($0) }.joined(separator: ",") + "]" }

    static func text(_ rows: [String]) -> String { ([header] + rows).joined(separator: "\n") + "\n" }
}

/// One gzip member that holds `bytes`.
func gzipped(_ bytes: [UInt8]) -> [UInt8] {
    var compressed: [UInt8] = []
    var deflater = Deflater()
    deflater.deflate(bytes, isLast: true, to: &compressed)
    return compressed
}

/// All bytes of an input, read at most `blockBytes` at a time.
func readAll(_ path: String, blockBytes: Int) throws(OrdersError) -> [UInt8] {
    var input = try InputFile(path: path)
    var all: [UInt8] = []
    var block = [UInt8](repeating: 0, count: blockBytes)
    while true {
        let count = try input.read(into: &block, at: 0..<blockBytes)
        if count == 0 { return all }
        all += block[..<count]
    }
}

/// The records of a text as strings, one list of fields each; malformed ones as their reason.
enum ReadRecord: Equatable {
    case fields([String], line: Int)
    case malformed(RejectReason, line: Int)
}

func readRecords(_ path: String, blockBytes: Int = 256 << 10) throws -> [ReadRecord] {
    var reader = CSVRecordReader(input: try InputFile(path: path), blockBytes: blockBytes)
    guard try reader.skipByteOrderMark() else { return [] }
    var records: [ReadRecord] = []
    while true {
        switch try reader.next() {
        case .end: return records
        case .malformed(let reason, let line, _): records.append(.malformed(reason, line: line))
        case .record(let line, _):
            let fields = reader.fields.map { field in
                var text: [UInt8] = []
                CSVScanner.appendText(reader.bytes.span, field, to: &text)
                return String(decoding: text, as: UTF8.self)
            }
            records.append(.fields(fields, line: line))
        }
    }
}
