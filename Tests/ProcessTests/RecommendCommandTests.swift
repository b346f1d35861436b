import Foundation
import TestSupport
import Testing

/// `nextloop recommend` beside the server: the same questions, the same answers and the same bounds.
@Suite("nextloop recommend, through the built binary") struct RecommendCommandTests {
    let made: SampleRegistry.Made

    init() throws { made = try SampleRegistry.made.get() }

    private func recommend(_ arguments: [String], environment: [String: String] = [:]) throws -> BuiltBinary.Result {
        try BuiltBinary.run(["recommend"] + made.options + arguments, environment: environment)
    }

    /// The object of an answer without what is new in every answer.
    private func object(_ text: String) throws -> NSDictionary {
        var object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)")
        #expect((object.removeValue(forKey: "request_id") as? String)?.isEmpty == false)
        return object as NSDictionary
    }

    @Test("with --json, each option gives the object of its parameter over HTTP") func sameAsServer() throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let all = try RecommendationAnswer(server.get("/recommend?user_id=\(made.guest)&k=1000").text).items
        let department = try #require(all.compactMap(\.departmentID).first)
        let prices = all.compactMap(\.price).sorted()
        let (low, high) = (prices[prices.count / 4], prices[prices.count / 2])
        let some = all.prefix(5).map(\.itemID)
        let user = ["--user", made.guest]
        let cases: [(arguments: [String], query: String)] = [
            (user, "user_id=\(made.guest)"),
            (user + ["-k", "1"], "user_id=\(made.guest)&k=1"),
            (user + ["--k", "1000", "--offset", "3"], "user_id=\(made.guest)&k=1000&offset=3"),
            (user + ["--offset", "10000"], "user_id=\(made.guest)&offset=10000"),
            (
                user + ["--hotel", made.hotel, "--hotel", "none"],
                "user_id=\(made.guest)&hotel_id=\(made.hotel)&hotel_id=none"
            ),
            (user + ["--hotel", "none"], "user_id=\(made.guest)&hotel_id=none"),
            (user + ["--department", department], "user_id=\(made.guest)&department_id=\(department)"),
            (
                user + ["--min-price", "\(low)", "--max-price", "\(high)"],
                "user_id=\(made.guest)&min_price=\(low)&max_price=\(high)"
            ),
            (user + ["--min-price", "0"], "user_id=\(made.guest)&min_price=0"),
            (user + ["--max-price", "999999999999999"], "user_id=\(made.guest)&max_price=999999999999999"),
            (
                user + ["--allow", some.prefix(3).joined(separator: ","), "--allow", some[4]],
                "user_id=\(made.guest)&allow=\(some.prefix(3).joined(separator: ","))&allow=\(some[4])"
            ),
            (
                user + ["--deny", some.joined(separator: ",")],
                "user_id=\(made.guest)&deny=\(some.joined(separator: ","))"
            ),
            (user + ["--exclude-seen"], "user_id=\(made.guest)&exclude_seen=true"),
            (user + ["--strict"], "user_id=\(made.guest)&strict=true"),
            (user + ["--explain", "-k", "3"], "user_id=\(made.guest)&explain=true&k=3"),
            (["--user", "nobody", "--hotel", made.hotel], "user_id=nobody&hotel_id=\(made.hotel)"),
        ]
        for (arguments, query) in cases {
            let printed = try recommend(arguments + ["--json"])
            #expect(printed.exitCode == 0, "\(arguments): \(printed.errors)")
            let served = try server.get("/recommend?\(query)")
            #expect(try object(printed.output) == object(served.text), "\(arguments)")
        }
    }

    @Test("a basket is folded in as by POST, with a count and without") func basket() throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let items = try RecommendationAnswer(server.get("/recommend?user_id=\(made.guest)&k=3").text).items.map(
            \.itemID)
        let body = """
            {"user_id":"nobody","k":5,"explain":true,"basket":[{"item_id":"\(items[0])","count":10000},\
            {"item_id":"\(items[1])"},{"item_id":"not:sold","count":1}]}
            """
        let connection = try LoopbackConnection(port: server.port)
        try connection.send(
            "POST /recommend HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        let posted = try connection.receive().text
        let basket = ["\(items[0]):10000", items[1], "not:sold:01"]
        let options = ["--user", "nobody", "-k", "5", "--explain", "--json"]
        let printed = try recommend(options + basket.flatMap { ["--basket", $0] })
        #expect(try object(printed.output) == object(posted))
        #expect(try RecommendationAnswer(printed.output).strategy == "fold_in")
        let named = try recommend(options, environment: ["NEXTLOOP_BASKET": basket.joined(separator: ",")])
        #expect(try object(named.output) == object(posted), "\(named.errors)")
    }

    @Test("one past each bound is wrong usage that names the parameter") func bounds() throws {
        let cases: [([String], String)] = [
            (["--user", ""], "--user has 0 bytes"), (["--user", String(repeating: "x", count: 257)], "1 to 256"),
            (["--user", "1", "-k", "0"], "1 to 1000"), (["--user", "1", "-k", "1001"], "1 to 1000"),
            (["--user", "1", "--offset=-1"], "0 to 10000"), (["--user", "1", "--offset", "10001"], "0 to 10000"),
            (["--user", "1", "--min-price=-1"], "min_price was -1"),
            (["--user", "1", "--max-price", "1000000000000000"], "max_price was 1000000000000000"),
            (["--user", "1", "--min-price", "6", "--max-price", "5"], "at most max_price, which is 5"),
            (["--user", "1", "--min-price", "cheap"], "min-price"),
            (["--user", "1", "--hotel", ""], "hotel_id was 0 bytes"),
            (["--user", "1", "--department", String(repeating: "x", count: 257)], "department_id was 257 bytes"),
            (["--user", "1", "--allow", "1,"], "allow was 0 bytes"),
            (["--user", "1", "--allow", Array(repeating: "1", count: 1001).joined(separator: ",")], "a list of 1001"),
            (["--user", "1", "--deny", Array(repeating: "1", count: 1001).joined(separator: ",")], "a list of 1001"),
            (["--user", "1", "--basket", "5:0"], "basket[0].count was 0"),
            (["--user", "1", "--basket", "5", "--basket", "5:10001"], "basket[1].count was 10001"),
            (["--user", "1", "--basket", "5:x"], "wanted ITEM or ITEM:COUNT"),
            (["--user", "1", "--basket", ":1"], "basket[0].item_id was 0 bytes"),
            (["--user", "1"] + Array(repeating: ["--basket", "1"], count: 1001).flatMap { $0 }, "a list of 1001"),
        ]
        for (arguments, message) in cases {
            let run = try recommend(arguments)
            #expect(run.exitCode == 64, "\(arguments.prefix(4)): \(run.exitCode), \(run.errors)")
            #expect(run.errors.contains(message), "\(arguments.prefix(4)): \(run.errors)")
            #expect(run.output.isEmpty)
        }
        // At the bound, with what the model does not know.
        let most = Array(repeating: "x", count: 1000)
        let lists = ["--allow", most.joined(separator: ","), "--deny", most.joined(separator: ",")]
        let run = try recommend(
            ["--user", String(repeating: "x", count: 256), "--json"] + lists
                + most.flatMap { ["--basket", $0] })
        #expect(run.exitCode == 0, "\(run.errors)")
        #expect(try RecommendationAnswer(run.output).items.isEmpty)
    }

    @Test("an unknown user is 66 with --strict; lists come from the environment; a hotel nobody knows is told")
    func otherEnds() throws {
        let strict = try recommend(["--user", "nobody", "--strict"])
        #expect(strict.exitCode == 66 && strict.output.isEmpty)
        #expect(strict.errors.contains("asks for no fallback"))
        let named = try recommend(
            ["--user", made.guest, "--json"], environment: ["NEXTLOOP_HOTEL": "none:\(made.hotel)", "NEXTLOOP_K": "2"])
        let given = try recommend(["--user", made.guest, "--json", "--hotel", made.hotel, "-k", "2"])
        #expect(try object(named.output) == object(given.output))
        #expect(named.errors.contains("no hotel 'none'"))
    }

    @Test("the table explains in a column of its own") func table() throws {
        let plain = try recommend(["--user", made.guest, "-k", "2"])
        let explained = try recommend(["--user", made.guest, "-k", "2", "--explain"])
        let (before, after) = (plain.output.split(separator: "\n"), explained.output.split(separator: "\n"))
        #expect(before.count == 4 && after.count == 4)
        #expect(!before[1].contains("because") && after[1].hasSuffix("because"))
        #expect(after[2].contains("+"))
    }

    /// A copy of the registry with this list of marks.
    private func registry(unavailable text: String) throws -> (directory: TemporaryDirectory, options: [String]) {
        let directory = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: made.registry, toPath: directory.file("models"))
        try Data(text.utf8).write(to: URL(filePath: directory.file("models/room-service/unavailable.json")))
        return (directory, ["--registry", directory.file("models"), "--model", "room-service"])
    }

    @Test("items taken from sale are left out as by the server: everywhere, at a hotel, and until their end")
    func unavailable() throws {
        let before = try recommend(["--user", made.guest, "--hotel", made.hotel, "-k", "1000", "--json"])
        let items = try RecommendationAnswer(before.output).items.map(\.itemID)
        try #require(items.count >= 4)
        func mark(_ item: String, _ more: String = "") -> String {
            #"{"item_id":"\#(item)","since":"2026-01-01T00:00:00Z"\#(more)}"#
        }
        let marks = [
            mark(items[0]), mark(items[1], #","hotel_id":"\#(made.hotel)""#),
            mark(items[2], #","until":"2026-01-02T00:00:00Z""#), mark(items[3], #","until":"2999-01-02T00:00:00Z""#),
        ]
        let (directory, options) = try registry(
            unavailable: #"{"format":1,"items":[\#(marks.joined(separator: ","))]}"#)
        let server = try RunningServer(options + ["--threads", "1"])
        for hotel in [nil, made.hotel, "none"] {
            let options =
                options + ["--user", made.guest, "-k", "1000", "--json"] + (hotel.map { ["--hotel", $0] } ?? [])
            let printed = try BuiltBinary.run(["recommend"] + options)
            let query = "/recommend?user_id=\(made.guest)&k=1000" + (hotel.map { "&hotel_id=\($0)" } ?? "")
            #expect(try object(printed.output) == object(server.get(query).text), "\(printed.errors)")
            guard hotel == made.hotel else { continue }
            let left = items.filter { ![items[0], items[1], items[3]].contains($0) }
            #expect(try RecommendationAnswer(printed.output).items.map(\.itemID) == left)
        }
        withExtendedLifetime(directory) {}
    }

    @Test("a damaged list of items taken from sale is told, and the answer is that of a server that starts with it")
    func damagedUnavailable() throws {
        let (directory, options) = try registry(unavailable: "{")
        let server = try RunningServer(options + ["--threads", "1"])
        let printed = try BuiltBinary.run(["recommend", "--user", made.guest, "--json"] + options)
        #expect(printed.exitCode == 0)
        for errors in [printed.errors, server.errors] {
            #expect(errors.contains("room-service: the unavailable items cannot be read"), "\(errors)")
            #expect(errors.contains("unavailable.json is damaged"), "\(errors)")
        }
        #expect(try object(printed.output) == object(server.get("/recommend?user_id=\(made.guest)").text))
        withExtendedLifetime(directory) {}
    }
}
