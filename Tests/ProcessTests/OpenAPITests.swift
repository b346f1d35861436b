import Foundation
import TestSupport
import Testing

@Suite("The OpenAPI document, beside schemathesis") struct OpenAPITests {
    let made: SampleRegistry.Made

    init() throws { made = try SampleRegistry.made.get() }

    @Test("schemathesis finds no answer that the document does not describe, and no wrong request that is taken")
    func schemathesis() throws {
        let server = try RunningServer(made.options + ["--threads", "2"])
        // It leaves its databases where it runs.
        let directory = try TemporaryDirectory()
        let python = ProcessInfo.processInfo.environment["NEXTLOOP_TEST_PYTHON"] ?? "python3"
        let oracles = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Oracles/schemathesis").path(percentEncoded: false)
        let run = try BuiltBinary.runProgram(
            "/usr/bin/env",
            [
                "-C", directory.file(""), "PYTHONPATH=\(oracles)", "SCHEMATHESIS_HOOKS=hooks", python, "-m",
                "schemathesis.cli", "--config-file", "\(oracles)/schemathesis.toml", "run",
                "http://127.0.0.1:\(server.port)/openapi.json", "-n", "30", "--seed", "1", "--no-color", "--phases",
                "coverage,fuzzing",
            ], seconds: 120)
        #expect(run.exitCode == 0, "\(run.output.prefix(8000)) \(run.errors.prefix(2000))")
        #expect(run.output.contains("No issues found"))
    }
}
