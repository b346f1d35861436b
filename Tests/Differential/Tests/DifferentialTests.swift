import Foundation
import TestSupport
import Testing

/// Our parser and our server beside those that people trust, over the same bytes: llhttp and h11 (PyPI) and nginx.
///
/// Where we accept what they refuse, or see another request, it is our bug, unless `Tests/Differential/differences.py` says why not.
/// NEXTLOOP_DIFFERENTIAL=long multiplies the cases by ten, and NEXTLOOP_DIFFERENTIAL_SEED chooses others.
@Suite("Differential", .serialized) struct DifferentialTests {
    private struct Counts: Decodable {
        let cases: Int
        let requests: Int
        let failures: Int
        let agreed: [String: Int]
    }

    private static var isLong: Bool { ProcessInfo.processInfo.environment["NEXTLOOP_DIFFERENTIAL"] == "long" }
    private static var seed: String { ProcessInfo.processInfo.environment["NEXTLOOP_DIFFERENTIAL_SEED"] ?? "1" }

    private func compare(_ script: String, _ arguments: [String]) throws -> Counts {
        let run = try BuiltBinary.oracle(
            "../Differential/\(script)", arguments + ["--seed", Self.seed], seconds: Self.isLong ? 1800 : 300)
        guard let line = run.output.split(separator: "\n").last else {
            throw NoCounts(description: "status \(run.exitCode): \(run.errors)")
        }
        let counts = try JSONDecoder().decode(Counts.self, from: Data(line.utf8))
        #expect(counts.failures == 0 && run.exitCode == 0, "seed \(Self.seed): \(line)\n\(run.errors)")
        return counts
    }

    private struct NoCounts: Error, CustomStringConvertible {
        let description: String
    }

    @Test("the parser accepts nothing that llhttp or h11 refuses, and frames as they do") func parsers() throws {
        let directory = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let frames = directory.appending(path: "http-frames").path(percentEncoded: false)
        let count = Self.isLong ? 400_000 : 40_000
        let counts = try compare(
            "parsers.py", [frames, "--count", "\(count)", "--h11-count", "\(count / 10)"])
        #expect(counts.cases > count && counts.requests > count / 2)
        // Each of these comes up in the kept cases: a comparison that never finds a difference compares nothing.
        for name in ["llhttp: unknown method", "llhttp: white space in a chunk line", "h11: empty line"] {
            #expect(counts.agreed[name, default: 0] > 0, "\(name)")
        }
    }

    @Test("the server answers no request that nginx refuses or does not see") func servers() throws {
        let models = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../models")
            .standardized
        let server = try RunningServer(
            ["--registry", models.path(percentEncoded: false), "--model", "room-service", "--threads", "1"])
        let count = Self.isLong ? 20_000 : 2_000
        let counts = try compare("servers.py", ["--port", "\(server.port)", "--count", "\(count)"])
        #expect(counts.cases > count && counts.requests > count / 2)
        #expect(counts.agreed["empty Host", default: 0] > 0)
        #expect(try server.get("/livez").status == 200)
    }
}
