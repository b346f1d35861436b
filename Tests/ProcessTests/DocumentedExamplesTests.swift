import Foundation
import TestSupport
import Testing

/// Every request of docs/api.md is sent to the model that `make run` trains, and its answer held against the one on the page.
@Suite("The examples of docs/api.md") struct DocumentedExamplesTests {
    /// A command of a block and what the page says it prints.
    private struct Example {
        let command: String
        let answer: String
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// Lines after `$ ` in blocks of three backticks; a command goes on behind a backslash, an answer up to the next command.
    private static func examples(of page: String) -> [Example] {
        page.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 1 }.flatMap { _, block in
            ("\n" + block).components(separatedBy: "\n$ ").dropFirst().map { part in
                var lines = part.components(separatedBy: "\n")
                var command = lines.removeFirst()
                while command.hasSuffix("\\"), !lines.isEmpty { command = command.dropLast() + lines.removeFirst() }
                return Example(command: command, answer: lines.joined(separator: "\n"))
            }
        }
    }

    /// Without line breaks, which the page adds, and what differs from run to run.
    private static func comparable(_ text: String) -> String {
        text.filter { !$0.isWhitespace }
            .replacing(/"request_id":"[0-9A-Z]+"/, with: #""request_id":"""#)
            .replacing(/"since":"[^"]*"/, with: #""since":"""#)
    }

    /// Whether `got` is `wanted`, where … stands for anything.
    private static func agree(_ got: String, _ wanted: String) -> Bool {
        let parts = wanted.components(separatedBy: "…")
        var rest = got[...]
        guard let first = parts.first, rest.hasPrefix(first) else { return false }
        rest = rest.dropFirst(first.count)
        for part in parts.dropFirst().dropLast() {
            guard let range = rest.firstRange(of: part) else { return false }
            rest = rest[range.upperBound...]
        }
        return parts.count == 1 ? rest.isEmpty : rest.hasSuffix(parts[parts.count - 1])
    }

    @Test("are the answers of the model that make run trains")
    func answers() throws {
        // The page says so, and this is what makes it true.
        let orders = ["--customers", "4000", "--orders", "60000", "--seed", "1"]
        #expect(try Self.text("scripts/run").contains("sample-orders " + orders.joined(separator: " ")))
        let directory = try TemporaryDirectory()
        let registry = ["--registry", directory.file("models"), "--model", "room-service"]
        let made = try BuiltBinary.run(["sample-orders"] + orders + ["--output", directory.file("orders.csv")])
        try #require(made.exitCode == 0, "\(made.errors)")
        let trained = try BuiltBinary.run(
            ["train", "--orders", directory.file("orders.csv"), "--skip-evaluation", "--promote", "production"]
                + registry)
        try #require(trained.exitCode == 0, "\(trained.errors)")
        let token = "documented-examples-token"
        let tokenFile = try directory.write(Data("\(token)\n".utf8), as: "token")
        let server = try RunningServer(registry + ["--admin-token-file", tokenFile])

        let examples = Self.examples(of: try Self.text("docs/api.md"))
        try #require(examples.count >= 13, "the examples were not found")
        for example in examples {
            let command = example.command.replacing(
                "http://127.0.0.1:8080", with: "http://127.0.0.1:\(server.port)")
            let run = try BuiltBinary.runProgram(
                "/usr/bin/env",
                ["-C", directory.file(""), "TOKEN=\(token)", "bash", "-c", "set -o pipefail; \(command)"], seconds: 30)
            #expect(run.exitCode == 0, "\(example.command): \(run.errors)")
            let (got, wanted) = (Self.comparable(run.output), Self.comparable(example.answer))
            #expect(Self.agree(got, wanted), "\(example.command)\n got \(got)\n page \(wanted)")
        }
    }
}
