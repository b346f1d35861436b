import Foundation
import TestSupport
import Testing

/// `evaluate` and `order-lines`, through the built binary, on exports small enough to know every figure.
@Suite("Evaluation and order lines, through the built binary") struct EvaluationTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let header =
        "order_seq,hotel_seq,customer_seq,order_price,status,contents,reg_date,room_name,customer_name"

    private func row(_ order: Int, hotel: Int, customer: Int, items: [Int], date: String) -> String {
        let contents = items.map { #"{""itemSeq"":\#($0),""count"":1}"# }.joined(separator: ",")
        return #"\#(order),\#(hotel),\#(customer),1000,COMPLETE,"[\#(contents)]",\#(date) 10:00:00,Suite 12,Kim Secret"#
    }

    private func write(_ rows: [String], as name: String) throws -> String {
        try directory.write(Data(([Self.header] + rows).joined(separator: "\n").utf8), as: name)
    }

    private var options: [String] { ["--registry", directory.file("models"), "--model", "m"] }

    /// Guests 1 to 3 in hotels 1 and 2, items 1 to 4; the last order is of 2024-05-04.
    private func train() throws -> String {
        let orders = try write(
            [
                row(1, hotel: 1, customer: 1, items: [1], date: "2024-05-01"),
                row(2, hotel: 1, customer: 1, items: [1, 2], date: "2024-05-02"),
                row(3, hotel: 1, customer: 2, items: [2], date: "2024-05-03"),
                row(4, hotel: 2, customer: 3, items: [3, 4], date: "2024-05-04"),
            ], as: "orders.csv")
        let trained = try BuiltBinary.run(
            ["train", "--orders", orders, "--factors", "4", "--iterations", "3", "--promote", "production"] + options)
        try #require(trained.exitCode == 0, "\(trained.errors)")
        return orders
    }

    private func evaluate(_ orders: String) throws -> (run: BuiltBinary.Result, figures: [String: Any]) {
        let run = try BuiltBinary.run(["evaluate", "--orders", orders, "--json"] + options)
        try #require(run.exitCode == 0, "\(run.errors)")
        let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8))
        return (run, try #require(object as? [String: Any]))
    }

    @Test("later orders: unknown guests and hotels are left out, unknown items are missed, all of them are counted")
    func laterOrders() throws {
        _ = try train()
        let later = try write(
            [
                // Everything that the hotel sells is shown, so each known item is found: one of two, one of four.
                row(11, hotel: 1, customer: 1, items: [1, 77], date: "2024-05-05"),
                row(12, hotel: 2, customer: 3, items: [3, 77, 78, 79], date: "2024-05-06"),
                row(13, hotel: 1, customer: 55, items: [1], date: "2024-05-06"),
                row(14, hotel: 9, customer: 2, items: [2], date: "2024-05-06"),
            ], as: "later.csv")
        let (run, figures) = try evaluate(later)
        #expect(figures["users"] as? Int == 2)
        #expect(figures["orders_of_unknown_guests"] as? Int == 1)
        #expect(figures["orders_in_unknown_hotels"] as? Int == 1)
        #expect(figures["unknown_items"] as? Int == 3)
        #expect(figures["seen_in_training"] as? Bool == false)
        for ranking in ["als", "popularity"] {
            let metrics = try #require(figures[ranking] as? [String: Double])
            #expect(metrics["recall_at_10"] == 0.375, "\(ranking)")
        }
        #expect(try #require(figures["protocol"] as? String).contains("popularity: order lines in all hotels"))
        #expect(run.errors.contains("2 of 4 guests measured on version 1"), "\(run.errors)")
        #expect(!run.errors.contains("warning"), "\(run.errors)")
        let table = try BuiltBinary.run(["evaluate", "--orders", later] + options)
        #expect(table.output.contains("recall@10") && table.output.contains("0.3750"), "\(table.output)")
    }

    @Test(
        "orders that begin no later than the last one trained on are marked and warned of, a second later they are not")
    func seenInTraining() throws {
        let trained = try train()
        #expect(try evaluate(trained).figures["seen_in_training"] as? Bool == true)
        for (time, isSeen) in [("2024-05-04 10:00:00", true), ("2024-05-04 10:00:01", false)] {
            let order = row(21, hotel: 1, customer: 1, items: [1], date: "2024-05-04")
                .replacing("2024-05-04 10:00:00", with: time)
            let (run, figures) = try evaluate(try write([order], as: "other.csv"))
            #expect(figures["seen_in_training"] as? Bool == isSeen, "\(time)")
            #expect(run.errors.contains("warning: these orders begin at \(time)") == isSeen, "\(run.errors)")
        }
    }

    @Test("a manifest that does not say when training ended gives null and a note") func unknownEndOfTraining() throws {
        let trained = try train()
        let path = directory.file("models/m/1/manifest.json")
        let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path)))
        var manifest = try #require(object as? [String: Any])
        manifest["data"] = nil
        try JSONSerialization.data(withJSONObject: manifest).write(to: URL(filePath: path))
        let (run, figures) = try evaluate(trained)
        #expect(figures["seen_in_training"] is NSNull)
        #expect(run.errors.contains("note: the manifest of version 1 does not say"), "\(run.errors)")
    }

    @Test("orders of nobody that the version knows are 65") func nobodyKnown() throws {
        _ = try train()
        let strangers = try write(
            [
                row(31, hotel: 1, customer: 55, items: [1], date: "2024-06-01"),
                row(32, hotel: 9, customer: 1, items: [1], date: "2024-06-01"),
            ], as: "strangers.csv")
        let run = try BuiltBinary.run(["evaluate", "--orders", strangers] + options)
        #expect(run.exitCode == 65)
        #expect(run.errors.contains("none of the 2 guests' last orders"), "\(run.errors)")
        #expect(run.output.isEmpty)
    }

    @Test("train's baseline is the hotel's own popularity, and the manifest says so") func ownPopularity() throws {
        // Eleven items that hotel 2 sells all the time and hotel 1 once each; guest 1 comes back for item 99, of which
        // hotel 1 has sold two: over all hotels it is twelfth, in its own hotel first.
        var rows = (1...11).map { row($0, hotel: 1, customer: 10 + $0, items: [$0], date: "2024-01-01") }
        for order in 20..<60 {
            rows.append(row(order, hotel: 2, customer: 100 + order, items: Array(1...11), date: "2024-01-02"))
        }
        rows += (70...72).map { row($0, hotel: 1, customer: 1, items: [99], date: "2024-01-\($0 - 60)") }
        let orders = try write(rows, as: "orders.csv")
        let trained = try BuiltBinary.run(
            ["train", "--orders", orders, "--factors", "4", "--iterations", "2"] + options)
        try #require(trained.exitCode == 0, "\(trained.errors)")
        let bytes = try Data(contentsOf: URL(filePath: directory.file("models/m/1/manifest.json")))
        let manifest = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        let evaluation = try #require(manifest["evaluation"] as? [String: Any])
        #expect(evaluation["users"] as? Int == 1)
        #expect((evaluation["popularity"] as? [String: Double])?["ndcg_at_10"] == 1)
        #expect(try #require(evaluation["protocol"] as? String).contains("popularity: order lines in that hotel"))
    }

    @Test("order-lines writes the same lines to stdout, a file and a gzip file, without anybody's name")
    func orderLines() throws {
        let orders = try write(
            [
                row(1, hotel: 1, customer: 1, items: [1, 2], date: "2024-05-01"),
                "x,1,1,1000,COMPLETE,[],2024-05-01 10:00:00,Suite 12,Kim Secret",
            ], as: "orders.csv")
        let common = ["order-lines", "--orders", orders, "--max-reject-share", "0.5"]
        let printed = try BuiltBinary.run(common + ["--output", "-", "--rejects", directory.file("rejects.csv")])
        #expect(printed.exitCode == 0, "\(printed.errors)")
        let lines = printed.output.split(separator: "\n").map {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { $0.count == 31 })
        #expect(lines.map { $0[18] } == ["item_seq", "1", "2"])
        #expect(printed.errors.contains("2 lines written"), "\(printed.errors)")
        let rejects = try String(contentsOfFile: directory.file("rejects.csv"), encoding: .utf8)
        #expect(rejects.contains("bad_order_seq"))
        for text in [printed.output, printed.errors, rejects] {
            #expect(!text.contains("Secret") && !text.contains("Suite"))
        }
        for name in ["lines.csv", "lines.csv.gz"] {
            let run = try BuiltBinary.run(common + ["--output", directory.file(name)])
            #expect(run.exitCode == 0 && run.output.isEmpty, "\(run.errors)")
            let text = try BuiltBinary.runProgram(
                "/bin/sh", ["-c", "gzip -cdf < \"$0\"", directory.file(name)], seconds: 20)
            #expect(text.output == printed.output, "\(name)")
        }
        let strict = try BuiltBinary.run(
            ["order-lines", "--orders", orders, "--output", directory.file("strict.csv"), "--max-reject-share", "0.49"])
        #expect(strict.exitCode == 65, "\(strict.errors)")
        #expect(!FileManager.default.fileExists(atPath: directory.file("strict.csv")))
        #expect(try BuiltBinary.run(["order-lines", "--orders", orders, "--output", orders]).exitCode == 64)
    }

    @Test("sample-orders: the help names the bounds that hold, and one past them is 64") func sampleOrdersBounds()
        throws
    {
        let help = try BuiltBinary.run(["sample-orders", "--help"])
        #expect(help.output.contains("Guests, 1 to 100000000.") && help.output.contains("Rows, 1 to 100000000."))
        for wrong in [
            ["--orders", "0"], ["--orders", "100000001"], ["--customers", "0"], ["--customers", "100000001"],
        ] {
            let run = try BuiltBinary.run(["sample-orders", "--output", directory.file("sample.csv")] + wrong)
            #expect(run.exitCode == 64, "\(wrong): \(run.errors)")
            #expect(run.errors.contains("wanted 1 to 100000000"), "\(wrong): \(run.errors)")
        }
        let one = try BuiltBinary.run(["sample-orders", "--customers", "1", "--orders", "1", "--output", "-"])
        #expect(one.exitCode == 0 && one.output.split(separator: "\n").count == 2, "\(one.errors)")
        #expect(one.errors.contains("1 rows written"), "\(one.errors)")
    }
}
