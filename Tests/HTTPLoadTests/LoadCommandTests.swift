import Foundation
import TestSupport
import Testing

/// `nextloop-bench load` as a script runs it; the binary that was built beside the tests.
@Suite("nextloop-bench load", .timeLimit(.minutes(2))) struct LoadCommandTests {
    func load(_ arguments: [String]) throws -> BuiltBinary.Result {
        let directory = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let program = directory.appending(path: "nextloop-bench").path(percentEncoded: false)
        return try BuiltBinary.runProgram(program, ["load"] + arguments, seconds: 60)
    }

    @Test("--json tells every count under its documented name")
    func json() throws {
        let server = try ScriptedServer { seen in
            seen.place == 2 ? .close(after: "") : .answer(answer(seen.place == 0 ? 200 : 503, version: 4))
        }
        defer { server.stop() }
        let directory = try TemporaryDirectory()
        let targets = try directory.write(Data("/a?x=1\n/b\n".utf8), as: "targets")
        let body = try directory.write(Data("{}".utf8), as: "body")
        let result = try load([
            "--url", "http://127.0.0.1:\(server.port)", "--targets", targets, "--method", "POST", "--body-file", body,
            "--header", "X-A: b", "--connections", "1", "--requests", "30", "--timeline", "600", "--json",
        ])
        try #require(result.exitCode == 0, "\(result.errors)")
        let all = try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
        let total = try #require(all["total"] as? [String: Any])
        func count(_ name: String) -> Int? { total[name] as? Int }
        #expect(count("requests") == 30 && count("answers") == 20)
        #expect(count("unanswered_total") == 10 && count("unanswered_on_reused") == 10)
        #expect(total["status"] as? [String: Int] == ["200": 10, "503": 10])
        #expect(total["model_versions"] as? [String: Int] == ["4": 20])
        #expect(
            total["unanswered"] as? [String: Int] == [
                "reset": 0, "closed": 10, "timed_out": 0, "malformed": 0, "unsent": 0,
            ])
        #expect(
            total["connections"] as? [String: Int] == [
                "failures": 0, "reopened": 9, "closed_announced": 0, "closed_idle": 0,
            ])
        let latency = try #require(total["latency_seconds"] as? [String: Double])
        #expect(Set(latency.keys) == ["mean", "p50", "p90", "p99", "p999", "max"])
        #expect(latency.values.allSatisfy { $0 > 0 })
        let timeline = try #require(all["timeline"] as? [[String: Any]])
        #expect(timeline.count == 1 && timeline[0]["from_seconds"] as? Double == 0)
        #expect((timeline[0]["figures"] as? [String: Any])?["answers"] as? Int == 20)
        #expect(server.seen.map { $0.line }.prefix(2) == ["POST /a?x=1 HTTP/1.1", "POST /b HTTP/1.1"])
    }

    @Test(
        "wrong usage is said, with what was wanted",
        arguments: [
            (["--url", "https://127.0.0.1:1/"], "wanted http://"),
            (["--url", "127.0.0.1:1"], "wanted http://"),
            (["--url", "http://127.0.0.1:1/", "--connections", "0"], "wanted 1 to 60000"),
            (["--url", "http://127.0.0.1:1/", "--connections", "60001"], "wanted 1 to 60000"),
            (["--url", "http://127.0.0.1:1/", "--pipeline", "1001"], "wanted 1 to 1000"),
            (["--url", "http://127.0.0.1:1/", "--rate", "0"], "wanted 0.1 to"),
            (["--url", "http://127.0.0.1:1/", "--threads", "2", "--connections", "1"], "more than --connections"),
            (["--url", "http://127.0.0.1:1/", "--duration", "3601", "--timeline", "1"], "more than 3600 intervals"),
            (["--url", "http://127.0.0.1:1/", "--targets", "/nowhere/file"], "cannot be read"),
        ] as [([String], String)])
    func wrongUsage(arguments: [String], message: String) throws {
        let result = try load(arguments)
        #expect(result.exitCode == 64)
        #expect(result.errors.contains(message), "\(result.errors)")
    }

    @Test("a server that is not there is one message and exit code 1")
    func nobody() throws {
        let server = try ScriptedServer { _ in .silence }
        server.stop()
        let result = try load(["--url", "http://127.0.0.1:\(server.port)/"])
        #expect(result.exitCode == 1)
        #expect(result.errors.contains("no connection to 127.0.0.1:\(server.port)"), "\(result.errors)")
    }
}
