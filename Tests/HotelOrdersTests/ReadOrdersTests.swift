import FactorModel
import Foundation
import TestSupport
import Testing

@testable import HotelOrders

@Suite("Reading orders") struct ReadOrdersTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ rows: [String], as name: String = "orders.csv") throws -> String {
        try directory.write(Data(Export.text(rows).utf8), as: name)
    }

    private func read(_ rows: [String], maxRejectShare: Double = 1) throws -> OrderHistory {
        try readOrders(paths: [write(rows)], maxRejectShare: maxRejectShare)
    }

    @Test("orders become users, items, hotels and interactions in numeric order")
    func rows() throws {
        let history = try read([
            Export.row("1", hotel: "10", customer: "200", contents: Export.items(9, 30)),
            Export.row("2", hotel: "9", customer: "30", contents: Export.items(100), date: "2024-05-02 00:00:00"),
            Export.row("3", hotel: "9", customer: "30", contents: Export.items(100, 9), date: "2024-05-03 00:00:00"),
        ])
        #expect(history.userIDs == ["30", "200"])
        // Hotel 9 sells 9 and 100, hotel 10 sells 9 and 30: 30 comes last.
        #expect(history.catalogue.itemIDs == ["9", "100", "30"])
        #expect(history.catalogue.hotelIDs == ["9", "10"])
        #expect(history.catalogue.hotelItems == [[0, 1], [0, 2]])
        #expect(history.candidateSets == history.catalogue.hotelItems)
        #expect(history.interactions.indptr == [0, 2, 4])
        #expect(history.interactions.indices == [0, 1, 0, 2])
        #expect(history.interactions.values == [1, 2, 1, 1])
        #expect(history.heldOut == [HeldOutOrder(user: 0, hotel: 0, items: [0, 1], counts: [1, 1])])
        #expect(history.orderLineCounts == [[1, 2], [1, 1]])
        #expect(history.trainingPopularity() == [[0, 1], [1, 1]])
        let training = history.trainingSplit()
        #expect(training.indptr == [0, 1, 3])
        #expect(training.indices == [1, 0, 2])
        #expect(training.values == [1, 1, 1])
        #expect(history.summary.firstOrderAt == "2024-05-01 19:30:00")
        #expect(history.summary.lastOrderAt == "2024-05-03 00:00:00")
    }

    @Test("strength counts order lines, not pieces")
    func strength() throws {
        let history = try read([
            Export.row("1", contents: "[\(Export.item(7, count: 12)),\(Export.item(7)),\(Export.item(8, count: 3))]")
        ])
        #expect(history.interactions.values == [2, 1])
        #expect(history.heldOut.isEmpty)
        #expect(history.trainingSplit() == history.interactions)
    }

    @Test("an item that only held-out orders have keeps its row, with nothing in it")
    func heldOutOnly() throws {
        let history = try read([
            Export.row("1", contents: Export.items(1)), Export.row("2", contents: Export.items(2, 2)),
        ])
        #expect(history.heldOut == [HeldOutOrder(user: 0, hotel: 0, items: [1], counts: [2])])
        let training = history.trainingSplit()
        #expect((training.rowCount, training.columnCount) == (1, 2))
        #expect(training.indices == [0])
    }

    @Test("orders at the same second: the greater order number is the last")
    func tiedDates() throws {
        let history = try read([
            Export.row("12", contents: Export.items(5)), Export.row("9", contents: Export.items(6)),
        ])
        #expect(history.heldOut.map(\.items) == [[0]])
    }

    @Test("what is no purchase is skipped, whatever else is wrong with it")
    func skips() throws {
        let history = try read([
            Export.row("1"), Export.row("1"), Export.row("2", status: "CANCEL", contents: "rubbish"),
            Export.row("3", customer: "x", status: "REFUSE"), Export.row("4", status: "CHECK"),
            Export.row("5", status: "complete"), Export.row("6", status: "<script>"), Export.row("7", status: "\\N"),
            Export.row("8", price: "0", contents: ""), Export.row("9", price: "-5"),
        ])
        #expect(
            history.summary.skipped.byLabel == [
                "duplicate_order": 1, "status_cancelled": 1, "status_refused": 1, "status_open": 1, "status_other": 3,
                "not_paid": 2,
            ])
        #expect(history.summary.rejectedRows == 0)
        #expect(history.summary.rows == 10)
        #expect(history.summary.orders == 1)
    }

    static let unusable: [(String, RejectReason)] = [
        (Export.row("x"), .badOrderSeq), (Export.row("-1"), .badOrderSeq), (Export.row("5", hotel: ""), .badHotelSeq),
        (Export.row("5", customer: "\\N"), .badCustomerSeq), (Export.row("5", price: "\\N"), .badOrderPrice),
        (Export.row("5", price: "free"), .badOrderPrice), (Export.row("5", date: "yesterday"), .badRegDate),
        (Export.row("5", contents: " "), .contentsEmpty), (Export.row("5", contents: "2 beers"), .contentsNotJSON),
        (Export.row("5", contents: "[]"), .contentsWithoutItems), (Export.row("5", contents: "{}"), .itemWithoutID),
        (Export.row("5", contents: #"{"itemSeq":1}"#), .itemWithoutCount),
        (Export.row("5", contents: Export.item(1, count: 0)), .badItemCount),
        (Export.row("5", contents: "{\"a\":" + String(repeating: "[", count: 65)), .contentsTooDeep),
        (Export.row("5", contents: "[" + String(repeating: "{},", count: 1001) + "]"), .contentsTooManyItems),
        (Export.row("5") + ",", .badFieldCount), ("5,6", .badFieldCount),
        ("\"5\"x,1", .badQuoting), ("\"5", .unterminatedQuote),
    ]

    @Test("each unusable row is counted under its reason, with its line in the rejects file", arguments: unusable)
    func rejects(row: String, reason: RejectReason) throws {
        let rejectsPath = directory.file("rejects.csv")
        let history = try readOrders(
            paths: [write([Export.row("1"), row])], rejectsPath: rejectsPath, maxRejectShare: 0.5)
        #expect(history.summary.rejected.byLabel == [reason.label: 1])
        #expect(history.summary.orders == 1)
        let rejects = try readRecords(rejectsPath)
        #expect(rejects.count == 2)
        guard case .fields(let fields, _) = rejects[1] else {
            Issue.record("malformed rejects file")
            return
        }
        #expect(fields.count == 5 + OrderColumn.allCases.count)
        #expect(Array(fields[1...2]) == ["3", reason.label])
        #expect(fields[4] == String(row.utf8.count))
    }

    @Test("contents in another encoding name the encoding as the reason")
    func encoding() throws {
        var bytes = Array(
            Export.text([Export.row("1"), Export.row("2", contents: #"{"itemName":"@","itemSeq":1,"count":1}"#)]).utf8)
        bytes = bytes.flatMap { $0 == UInt8(ascii: "@") ? [0xB1, 0xE8] : [$0] }
        let history = try readOrders(paths: [directory.write(bytes, as: "cp949.csv")], maxRejectShare: 0.5)
        #expect(history.summary.rejected.byLabel == ["contents_not_utf8": 1])
    }

    @Test("unusable elements of a good row are counted apart, the others are used")
    func lineRejects() throws {
        let rejectsPath = directory.file("rejects.csv")
        let contents = #"[{"itemSeq":1,"count":1},{"count":1},{"itemSeq":2},{"itemSeq":3,"count":99999}]"#
        let history = try readOrders(
            paths: [write([Export.row("1", contents: contents)])], rejectsPath: rejectsPath, maxRejectShare: 0)
        #expect(history.summary.rejectedRows == 0)
        #expect(
            history.summary.rejectedLines.byLabel == [
                "item_without_id": 1, "item_without_count": 1, "bad_item_count": 1,
            ])
        #expect(history.summary.orderLines == 1)
        #expect(history.catalogue.itemIDs == ["1"])
        let text = try String(contentsOfFile: rejectsPath, encoding: .utf8)
        #expect(text.contains(",2,item_without_id,\"3 of 4 items left out, the others are used\","))
    }

    @Test("the rejects file, whole")
    func rejectsFile() throws {
        let rejectsPath = directory.file("rejects.csv")
        let path = try write([
            Export.row("1"), Export.row("x,", hotel: "Kim"), Export.row("2", hotel: "Lee Min"),
            Export.row("3", contents: #"[{"itemSeq":1,}"#), Export.row("4", contents: "SECRETGUEST wants beer"),
            Export.row("5", date: "2024-5-1"),
        ])
        #expect(throws: OrdersError.self) { try readOrders(paths: [path], rejectsPath: rejectsPath) }
        let text = try String(contentsOfFile: rejectsPath, encoding: .utf8).replacing(path, with: "orders.csv")
        #expect(
            text == """
                file,line,reason,detail,bytes,order_seq,hotel_seq,room_seq,customer_seq,order_price,status,contents,reg_date,\
                check_date,refuse_date,complete_date,room_building_seq,room_floor_seq,visitor_cnt,visit_adult_cnt,\
                visit_child_cnt,visit_baby_cnt,check_in,check_out,check_out_expected
                orders.csv,3,bad_field_count,"12 fields, wanted 11",104,,,,,,,,,,,,,,,,,,,,
                orders.csv,4,bad_hotel_seq,"wanted a whole number, not negative",107,2,(text of 7 bytes),11,42,24000,COMPLETE,\
                "[{""itemSeq"":7,""count"":1}]",2024-05-01 19:30:00,,,,,,2,,,,,,
                orders.csv,5,contents_not_json,wanted an object or an array of objects,89,3,3,11,42,24000,COMPLETE,\
                "[{""itemSeq"":1,}",2024-05-01 19:30:00,,,,,,2,,,,,,
                orders.csv,6,contents_not_json,wanted an object or an array of objects,94,4,3,11,42,24000,COMPLETE,\
                (text of 22 bytes),2024-05-01 19:30:00,,,,,,2,,,,,,
                orders.csv,7,bad_reg_date,wanted YYYY-MM-DD hh:mm:ss,90,5,3,11,42,24000,COMPLETE,\
                "[{""itemSeq"":7,""count"":1}]",2024-5-1,,,,,,2,,,,,,

                """)
        #expect(!text.contains("SECRET"))
        let mode = try FileManager.default.attributesOfItem(atPath: rejectsPath)[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test("no name of a room or a guest is in the rejects file of a messy sample")
    func noNames() throws {
        let path = directory.file("sample.csv")
        let rejectsPath = directory.file("rejects.csv")
        try writeSampleOrders(
            SampleOrdersConfiguration(customers: 100, orders: 3000, seed: 5, messRate: 1), to: path)
        _ = try readOrders(paths: [path], rejectsPath: rejectsPath, maxRejectShare: 1)
        let text = try String(contentsOfFile: rejectsPath, encoding: .utf8)
        #expect(text.utf8.count > 10_000)
        let surnamed = SampleNames.surnames.flatMap { surname in SampleNames.givenNames.map { surname + $0 } }
        for name in surnamed + ["Emma", "Liam", "Yuki", "Chen Wei", "Noah", "Nina", "Grace"] {
            #expect(!text.contains(name), "\(name)")
        }
        #expect(text.firstMatch(of: /[0-9]호/) == nil)
    }

    @Test("exactly the allowed share of rejects passes, one row more stops the run with its counts")
    func rejectShare() throws {
        let rejectsPath = directory.file("rejects.csv")
        let good = (0..<95).map { Export.row("\($0)") }
        let path = try write(good + [String](repeating: Export.row("x"), count: 5))
        #expect(try readOrders(paths: [path], maxRejectShare: 0.05).summary.rejectShare == 0.05)
        let worse = try write(good + [String](repeating: Export.row("x"), count: 6), as: "worse.csv")
        let error = #expect(throws: OrdersError.self) {
            try readOrders(paths: [worse], rejectsPath: rejectsPath, maxRejectShare: 0.05)
        }
        guard case .tooManyRejects(let summary, 0.05, rejectsPath) = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
        #expect((summary.rows, summary.rejectedRows, summary.orders) == (101, 6, 95))
        #expect(
            error.map { "\($0)" }
                == "6 of 101 rows rejected (5.95 %), wanted at most 5 %; most often bad_order_seq; see \(rejectsPath)")
        #expect(error?.kind == .badData)
        #expect(try readRecords(rejectsPath).count == 7)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == [
                "orders.csv", "rejects.csv", "worse.csv",
            ])
    }

    @Test("nothing kept is an error with the summary; the rejects file has its header at least")
    func nothingKept() throws {
        let rejectsPath = directory.file("rejects.csv")
        for rows in [[], [Export.row("1", status: "CANCEL")]] {
            let error = #expect(throws: OrdersError.self) {
                try readOrders(paths: [write(rows)], rejectsPath: rejectsPath)
            }
            guard case .nothingKept(let summary, _) = error else {
                Issue.record("got \(String(describing: error))")
                return
            }
            #expect(summary.rows == rows.count)
            #expect(try readRecords(rejectsPath).count == 1)
        }
    }

    @Test("input that cannot be read is a typed error and leaves no rejects file")
    func inputErrors() throws {
        let rejectsPath = directory.file("rejects.csv")
        func error(_ paths: [String]) -> OrdersError? {
            #expect(throws: OrdersError.self) { try readOrders(paths: paths, rejectsPath: rejectsPath) }
        }
        let good = try write([Export.row("1")])
        let missing = directory.file("missing.csv")
        #expect(error([good, missing]) == .fileMissing(path: missing))
        #expect(error([missing])?.kind == .inputMissing)
        #expect(error([directory.path])?.kind == .io)
        #expect(error([])?.kind == .usage)
        let empty = try directory.write(Data("\u{FEFF}".utf8), as: "empty.csv")
        #expect(error([empty]) == .emptyFile(path: empty))
        let blank = try directory.write(Data("\n\n\r\n".utf8), as: "blank.csv")
        #expect(error([blank]) == .emptyFile(path: blank))
        let open = try directory.write(Data("\"order_seq,hotel_seq".utf8), as: "open.csv")
        #expect(error([open]) == .headerMalformed(path: open, reason: .unterminatedQuote))
        let cut = try directory.write(gzipped(Array(Export.text([Export.row("1")]).utf8)).dropLast(3), as: "cut.gz")
        #expect(error([good, cut]) == .gzipTruncated(path: cut))
        #expect(!FileManager.default.fileExists(atPath: rejectsPath))
        #expect(throws: OrdersError.self) { try readOrders(paths: [good], rejectsPath: directory.file("no/such/dir")) }
        for share in [-0.1, 1.1, .nan] {
            #expect(throws: OrdersError.self) { try readOrders(paths: [good], maxRejectShare: share) }
        }
    }

    @Test(
        "lines that end with carriage returns alone are named as such, whatever else that does to the header",
        arguments: [",order_seq,reg_date", ",order_seq,reg_date,memo", ",\"order_seq\",\"reg_date\""], [1, 50, 15_000])
    func carriageReturns(columns: String, rowCount: Int) throws {
        // The last required column, or an unknown one, swallows the rows; 50 rows are too many columns, 15,000 a record over 1 MiB.
        let row = #"3,10,1000,COMPLETE,"{""itemSeq"":5,""count"":1}""#
        let rest = columns.contains("memo") ? ",1,2024-01-02 03:04:05,\"a\"" : ",1,2024-01-02 03:04:05"
        let lines =
            ["hotel_seq,customer_seq,order_price,status,contents" + columns]
            + Array(repeating: row + rest, count: rowCount)
        let path = try directory.write(Data(lines.joined(separator: "\r").utf8), as: "cr.csv")
        let error = #expect(throws: OrdersError.loneCarriageReturn(path: path)) { try readOrders(paths: [path]) }
        #expect(error.map { "\($0)".contains("lines that end with LF or CRLF") } == true)
        #expect(error?.kind == .badData)
        // The same lines with CRLF have a header.
        let crlf = try directory.write(Data(lines.joined(separator: "\r\n").utf8), as: "crlf.csv")
        #expect(try readOrders(paths: [crlf], maxRejectShare: 1).summary.rows == rowCount)
    }

    @Test("orders are never overwritten by their own rejects file")
    func rejectsOverInput() throws {
        let path = try write([Export.row("1"), Export.row("x")])
        let before = try Data(contentsOf: URL(filePath: path))
        for rejectsPath in [path, directory.path + "/./orders.csv"] {
            let error = #expect(throws: OrdersError.self) { try readOrders(paths: [path], rejectsPath: rejectsPath) }
            #expect(error?.kind == .usage)
        }
        #expect(try Data(contentsOf: URL(filePath: path)) == before)
    }

    @Test("the order of files, overlaps and compression do not change the result")
    func fileOrder() throws {
        let sample = directory.file("sample.csv")
        try writeSampleOrders(SampleOrdersConfiguration(customers: 200, orders: 3000, seed: 9), to: sample)
        let text = try String(contentsOfFile: sample, encoding: .utf8)
        var whole = try readOrders(paths: [sample])
        let lines = try lineRecords(text)
        func part(_ range: Range<Int>, _ name: String) throws -> String {
            let bytes = Array((lines[0] + lines[range].joined()).utf8)
            return try directory.write(name.hasSuffix(".gz") ? gzipped(bytes) : bytes, as: name)
        }
        let parts = [
            try part(1..<1200, "b.csv"), try part(1000..<2200, "a.csv.gz"), try part(2200..<lines.count, "c.csv"),
        ]
        let first = try readOrders(paths: parts)
        let second = try readOrders(paths: parts.reversed())
        #expect(first == second)
        #expect(first.userIDs == whole.userIDs)
        #expect(first.catalogue == whole.catalogue)
        #expect(first.interactions == whole.interactions)
        #expect(first.heldOut == whole.heldOut)
        #expect(first.summary.skipped[.duplicateOrder] > 0)
        #expect(first.summary.orders == whole.summary.orders)
        // Rows in any order at all, as from a table without an index.
        var rng = SplitMix64(seed: 1)
        let shuffled = lines[0] + lines.dropFirst().shuffled(using: &rng).joined()
        whole = try readOrders(paths: [directory.write(Data(shuffled.utf8), as: "shuffled.csv")])
        #expect(first.interactions == whole.interactions)
        #expect(first.catalogue == whole.catalogue)
        #expect(first.heldOut == whole.heldOut)
    }

    /// The physical text of each record: a record ends at a line end outside quotes.
    private func lineRecords(_ text: String) throws -> [String] {
        var records: [String] = []
        var current: [UInt8] = []
        var isQuoted = false
        for byte in text.utf8 {
            current.append(byte)
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == UInt8(ascii: "\n") && !isQuoted {
                records.append(String(decoding: current, as: UTF8.self))
                current = []
            }
        }
        return records
    }

    @Test("a later export shows an order complete: it counts once")
    func laterState() throws {
        let monday = try write([Export.row("1", status: "ORDER"), Export.row("2")], as: "monday.csv")
        let tuesday = try write([Export.row("1"), Export.row("2")], as: "tuesday.csv")
        for paths in [[monday, tuesday], [tuesday, monday], [monday, tuesday, tuesday]] {
            let history = try readOrders(paths: paths)
            #expect(history.summary.orders == 2)
            #expect(history.interactions.values == [2])
        }
    }

    @Test(
        "a share read is never above 1, whatever is read, and unknown without a size",
        arguments: [(0, 8, 0), (4, 8, 0.5), (8, 8, 1), (9, 8, 1), (900, 8, 1), (5, nil, nil), (5, 0, nil)]
            as [(Int, Int?, Double?)])
    func share(bytesRead: Int, totalBytes: Int?, fraction: Double?) {
        let progress = ReadProgress(bytesRead: bytesRead, totalBytes: totalBytes, rows: 0, rejectedRows: 0)
        #expect(progress.fraction == fraction)
    }

    @Test("progress ends with all bytes and all rows")
    func progress() throws {
        let path = try write((0..<5000).map { Export.row("\($0)") })
        var reports: [ReadProgress] = []
        let history = try readOrders(paths: [path, path], progress: { reports.append($0) })
        let last = try #require(reports.last)
        #expect(last.bytesRead == last.totalBytes)
        #expect(last.rows == 10_000)
        #expect(last.bytesRead == history.summary.fileBytes)
        #expect(reports.map(\.bytesRead) == reports.map(\.bytesRead).sorted())
    }

    @Test("an export cut at every byte gives a history or a typed error")
    func cut() throws {
        let whole = Array(
            Export.text([Export.row("1"), Export.row("2", contents: #"{"itemSeq":1,"count":1,"itemName":"a\n""}"#)])
                .utf8)
        for count in 0..<whole.count {
            let path = try directory.write(whole[..<count], as: "cut.csv")
            do throws(OrdersError) {
                let history = try readOrders(paths: [path], maxRejectShare: 1)
                #expect(history.summary.rows <= 2)
            } catch {
                #expect(error.kind == .badData, "cut at \(count)")
            }
        }
    }

    @Test("an export with damaged bytes gives a history or a typed error", arguments: 1...8 as ClosedRange<UInt64>)
    func damaged(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let sample = directory.file("sample.csv")
        try writeSampleOrders(
            SampleOrdersConfiguration(customers: 10, orders: 30, seed: seed, messRate: 0.5), to: sample)
        let whole = [UInt8](try Data(contentsOf: URL(filePath: sample)))
        for _ in 0..<150 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...20, using: &rng) {
                let place = Int.random(in: 0..<bytes.count, using: &rng)
                bytes[place] =
                    Bool.random(using: &rng)
                    ? bytes[place] ^ (1 << UInt8.random(in: 0...7, using: &rng))
                    : Array("\",\n\r\\{}[]".utf8).randomElement(using: &rng) ?? 0
            }
            let path = try directory.write(bytes, as: "damaged.csv")
            do throws(OrdersError) {
                let history = try readOrders(paths: [path], maxRejectShare: 1)
                check(history)
            } catch {
                #expect(error.kind == .badData, "seed \(seed)")
            }
        }
    }

    /// What every history must keep, whatever it was made of.
    private func check(_ history: OrderHistory) {
        let summary = history.summary
        #expect(summary.rows == summary.orders + summary.skipped.total + summary.rejectedRows)
        #expect(history.interactions.values.reduce(0, +) == Float(summary.orderLines))
        #expect(history.catalogue.hotelItems.allSatisfy { $0 == Array(Set($0)).sorted() })
        let heldOutLines = history.heldOut.flatMap(\.counts).reduce(0, +)
        #expect(history.trainingSplit().values.reduce(0, +) == Float(summary.orderLines) - Float(heldOutLines))
        #expect(history.orderLineCounts.map(\.count) == history.candidateSets.map(\.count))
        #expect(history.orderLineCounts.joined().allSatisfy { $0 > 0 })
        #expect(history.trainingPopularity().joined().reduce(0, +) == summary.orderLines - Int(heldOutLines))
        #expect(history.trainingPopularity().joined().allSatisfy { $0 >= 0 })
    }

    @Test("popularity counts an item in each hotel apart, and takes a held-out order from its own hotel only")
    func popularityByHotel() throws {
        let history = try read([
            Export.row("1", hotel: "1", customer: "5", contents: Export.items(7, 8)),
            Export.row("2", hotel: "2", customer: "5", contents: Export.items(7, 7), date: "2024-05-02 00:00:00"),
            Export.row("3", hotel: "2", customer: "6", contents: Export.items(7)),
        ])
        #expect(history.catalogue.itemIDs == ["7", "8"])
        #expect(history.candidateSets == [[0, 1], [0]])
        #expect(history.orderLineCounts == [[1, 1], [3]])
        // Guest 5's last order is the one in hotel 2, with two lines; guest 6 has only one order.
        #expect(history.trainingPopularity() == [[1, 1], [1]])
    }
}
