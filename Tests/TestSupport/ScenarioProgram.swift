import Foundation

/// A Python program in a test target's `programs/`, `scenarios.py`, that puts real programs on stage and checks what they do.
package struct ScenarioProgram: Sendable {
    private let script: String

    /// How a scenario ended.
    package struct Outcome: Sendable {
        package let exitCode: Int32
        /// What it wrote, to both outputs.
        package let said: String
    }

    /// - Parameter testFile: a source file beside `programs/`.
    package init(beside testFile: String) {
        script = URL(filePath: testFile).deletingLastPathComponent().appending(path: "programs/scenarios.py")
            .path(percentEncoded: false)
    }

    /// Whether programs are there. Nothing is skipped where CI is set: there a missing program is a failure.
    package static func canRun(_ programs: String...) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        let directories = (environment["PATH"] ?? "").split(separator: ":").map(String.init) + ["/usr/sbin"]
        return environment["CI"] != nil
            || programs.allSatisfy { program in
                directories.contains { FileManager.default.isExecutableFile(atPath: $0 + "/" + program) }
            }
    }

    /// What `/usr/bin/env` is told to run.
    package func arguments(_ more: [String]) -> [String] {
        let python = ProcessInfo.processInfo.environment["NEXTLOOP_TEST_PYTHON"] ?? "python3"
        return [python, script, "--binary", BuiltBinary.path] + more
    }

    /// Runs one scenario to its end without holding a thread of the test runner.
    package func run(_ name: String, environment: [String: String] = [:]) async throws -> Outcome {
        let output = try TemporaryDirectory()
        _ = FileManager.default.createFile(atPath: output.file("log"), contents: nil)
        let log = try FileHandle(forWritingTo: URL(filePath: output.file("log")))
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments([name])
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in done.resume() }
            do { try process.run() } catch { done.resume(throwing: error) }
        }
        let said = String(decoding: try Data(contentsOf: URL(filePath: output.file("log"))), as: UTF8.self)
        return Outcome(exitCode: process.terminationStatus, said: said)
    }
}
