import Foundation
import TestSupport
import Testing

@testable import HotelOrders

@Suite("Writing order lines") struct WriteOrderLinesTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private var output: String { directory.file("lines.csv") }

    private static let wideHeader =
        "order_seq,hotel_seq,room_seq,customer_seq,order_price,status,contents,reg_date,check_date,refuse_date,"
        + "complete_date,room_building_seq,room_floor_seq,room_name,customer_name,visitor_cnt,visit_adult_cnt,"
        + "visit_child_cnt,visit_baby_cnt,check_in,check_out,check_out_expected"

    /// An export with every column; `tail` is what follows reg_date.
    private func wide(_ orderSeq: Int, contents: String, tail: String) -> String {
        let quoted = "\"" + contents.replacing("\"", with: "\"\"") + "\""
        return "\(orderSeq),3,501,42,24000,COMPLETE,\(quoted),2024-05-01 19:30:00,\(tail)"
    }

    private func lines(of path: String) throws -> [String] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
    }

    @Test("every field of the contract stands under its name, nulls are empty, names of rooms and guests are nowhere")
    func everyField() throws {
        let full =
            #"[{"orderType":"ORDER","itemSeq":7,"count":2,"itemName":"Tea, \"hot\"","departmentSeq":4,"price":12000,"#
            + #""waitingPeriod":10,"delayPeriod":-3,"freeCount":1,"couponSeq":8,"resultPrice":23000,"completePeriod":31},"#
            + #"{"itemSeq":9,"count":1}]"#
        let text = [
            Self.wideHeader,
            wide(
                1, contents: full,
                tail: "2024-05-01 19:31:00,2024-05-01 19:32:00,2024-05-01 20:01:00,2,11,SECRETROOM,SECRETGUEST,4,2,1,1,"
                    + #"2024-05-01 15:00:00,2024-05-03 11:00:00,2024-05-03 12:00:00"#),
            wide(
                2, contents: #"{"itemSeq":7,"count":1,"completePeriod":32}"#,
                tail: #"\N,\N,\N,\N,\N,SECRETROOM,SECRETGUEST,0,\N,\N,\N,\N,\N,\N"#),
        ].joined(separator: "\n")
        let orders = try directory.write(Data(text.utf8), as: "orders.csv")
        let summary = try writeOrderLines(of: [orders], to: output)
        #expect(summary.orders == 2 && summary.orderLines == 3)
        let written = try lines(of: output)
        let columns =
            "order_seq,hotel_seq,room_seq,customer_seq,order_price,status,reg_date,check_date,complete_date,"
            + "room_building_seq,room_floor_seq,visitor_cnt,visit_adult_cnt,visit_child_cnt,visit_baby_cnt,check_in,"
            + "check_out,check_out_expected,item_seq,item_name,item_count,department_seq,price,waiting_period,"
            + "delay_period,free_count,coupon_seq,result_price,complete_period,stay_period,avg_spending_per_visitor"
        let head =
            "1,3,501,42,24000,COMPLETE,2024-05-01 19:30:00,2024-05-01 19:31:00,2024-05-01 20:01:00,2,11,4,2,1,1,"
            + "2024-05-01 15:00:00,2024-05-03 11:00:00,2024-05-03 12:00:00"
        #expect(
            written == [
                columns,
                head + #",7,"Tea, ""hot""",2,4,12000,10,-3,1,8,23000,31,1,6000"#,
                // The median of 31 and 32 stands in.
                head + ",9,,1,,,,,0,,,31.5,1,6000",
                "2,3,501,42,24000,COMPLETE,2024-05-01 19:30:00,,,,,0,,,,,,,7,,1,,,,,0,,,32,,",
            ])
    }

    @Test("the median is of all files, and unusable elements have no part in it")
    func median() throws {
        let first = try directory.write(
            Data(Export.text([Export.row("1"), Export.row("2", contents: element(period: 10))]).utf8), as: "a.csv")
        let second = try directory.write(
            Data(
                Export.text([
                    Export.row("3", contents: element(period: 20)), Export.row("4", contents: element(period: 90)),
                    Export.row("5", contents: #"[{"itemSeq":1,"count":1},{"itemSeq":1,"completePeriod":9999}]"#),
                ]).utf8), as: "b.csv")
        try _ = writeOrderLines(of: [second, first], to: output)
        let periods = try lines(of: output).dropFirst().map {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        #expect(periods.map { $0[0] } == ["1", "2", "3", "4", "5"])
        #expect(periods.map { $0[28] } == ["20", "10", "20", "90", "20"])
    }

    private func element(period: Int) -> String { #"{"itemSeq":1,"count":1,"completePeriod":\#(period)}"# }

    @Test("the lines are those that readOrders counts, mess and overlapping exports included", arguments: [1, 2, 3])
    func agreesWithReadOrders(seed: UInt64) throws {
        let sample = directory.file("sample.csv")
        try writeSampleOrders(
            SampleOrdersConfiguration(customers: 50, orders: 400, seed: seed, messRate: 0.3), to: sample)
        let copy = directory.file("copy.csv")
        try FileManager.default.copyItem(atPath: sample, toPath: copy)
        let wanted = try readOrders(
            paths: [sample, copy], rejectsPath: directory.file("rejects-1.csv"), maxRejectShare: 1)
        let summary = try writeOrderLines(
            of: [sample, copy], to: output, rejectsPath: directory.file("rejects-2.csv"), maxRejectShare: 1)
        #expect(summary.orderLines == wanted.summary.orderLines)
        #expect(summary.skipped == wanted.summary.skipped && summary.rejected == wanted.summary.rejected)
        #expect(
            try lines(of: directory.file("rejects-1.csv")) == lines(of: directory.file("rejects-2.csv")))
        var reader = CSVRecordReader(input: try InputFile(path: output))
        _ = try reader.skipByteOrderMark()
        var count = -1
        while case .record = try reader.next() {
            #expect(reader.fieldCount == 31)
            count += 1
        }
        #expect(count == wanted.summary.orderLines)
    }

    @Test("an output that ends in .gz is the same text, compressed")
    func gzip() throws {
        let orders = try directory.write(Data(Export.text([Export.row("1")]).utf8), as: "orders.csv")
        _ = try writeOrderLines(of: [orders], to: output)
        _ = try writeOrderLines(of: [orders], to: output + ".gz")
        let compressed = [UInt8](try Data(contentsOf: URL(filePath: output + ".gz")))
        #expect(Array(compressed.prefix(2)) == [0x1F, 0x8B])
        #expect(try readAll(output + ".gz", blockBytes: 4096) == readAll(output, blockBytes: 4096))
    }

    @Test("too many rejects, or nothing to write: the rejects file is there and no output")
    func tooManyRejects() throws {
        let rejects = directory.file("rejects.csv")
        let half = try directory.write(
            Data(Export.text([Export.row("1"), Export.row("x")]).utf8), as: "orders.csv")
        #expect {
            try writeOrderLines(of: [half], to: output, rejectsPath: rejects, maxRejectShare: 0.49)
        } throws: { ($0 as? OrdersError)?.kind == .badData }
        #expect(try lines(of: rejects).count == 2)
        #expect(!FileManager.default.fileExists(atPath: output))
        #expect(try writeOrderLines(of: [half], to: output, maxRejectShare: 0.5).orderLines == 1)
        let none = try directory.write(Data(Export.text([Export.row("1", price: "0")]).utf8), as: "none.csv")
        #expect {
            try writeOrderLines(of: [none], to: directory.file("none-lines.csv"))
        } throws: { ($0 as? OrdersError)?.kind == .badData }
        #expect(!FileManager.default.fileExists(atPath: directory.file("none-lines.csv")))
    }

    @Test("a file that changes between the readings is an error, and what stood under the output's name stays")
    func changedWhileReading() throws {
        let orders = try directory.write(Data(Export.text([Export.row("1")]).utf8), as: "orders.csv")
        _ = try directory.write(Data("before".utf8), as: "lines.csv")
        var grown = false
        #expect(throws: OrdersError.changedWhileReading(paths: [orders])) {
            try writeOrderLines(of: [orders], to: output) { _ in
                if grown { return }
                grown = true
                let text = Export.text([Export.row("1"), Export.row("2")])
                try? Data(text.utf8).write(to: URL(filePath: orders))
            }
        }
        #expect(try lines(of: output) == ["before"])
        let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(left.sorted() == ["lines.csv", "orders.csv"])
    }

    @Test("files that would be lost or cannot be read twice are refused before reading")
    func refusedFiles() throws {
        let orders = try directory.write(Data(Export.text([Export.row("1")]).utf8), as: "orders.csv")
        func refusal(_ paths: [String], _ output: String, rejects: String? = nil) -> OrdersError? {
            do throws(OrdersError) {
                _ = try writeOrderLines(of: paths, to: output, rejectsPath: rejects)
                return nil
            } catch { return error }
        }
        #expect(refusal([orders], directory.file("./orders.csv"))?.kind == .usage)
        #expect(refusal([orders], output, rejects: output)?.kind == .usage)
        #expect(refusal([orders], output, rejects: orders)?.kind == .usage)
        #expect(refusal([], output) == .noInput)
        #expect(refusal(["/dev/null"], output)?.description.contains("cannot be read twice") == true)
        #expect(refusal([directory.path], output)?.kind == .io)
        #expect(refusal([directory.file("absent.csv")], output)?.kind == .inputMissing)
        #expect(try lines(of: orders).count == 2)
        #expect(!FileManager.default.fileExists(atPath: output))
    }

    @Test("progress runs once from 0 to 1 over both readings")
    func progress() throws {
        let orders = try directory.write(Data(Export.text([Export.row("1")]).utf8), as: "orders.csv")
        var shares: [Double?] = []
        _ = try writeOrderLines(of: [orders], to: output) {
            shares.append($0.fraction)
        }
        #expect(shares == [0.5, 1])
    }
}
