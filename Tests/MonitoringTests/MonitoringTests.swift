import Foundation
import TestSupport
import Testing

/// Runs `programs/scenarios.py`, which puts Prometheus, Alertmanager, Grafana's queries and a receiver in place of Slack on
/// stage. A scenario ends by itself, with all its processes, after the seconds that its stage sets (at most 170).
enum Scenario {
    private static let scripts = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "programs")

    /// Nothing is skipped where CI is set: there a missing program is a failure.
    static func canRun(_ programs: String...) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        let directories = (environment["PATH"] ?? "").split(separator: ":").map(String.init) + ["/usr/sbin"]
        return environment["CI"] != nil
            || programs.allSatisfy { program in
                directories.contains { FileManager.default.isExecutableFile(atPath: $0 + "/" + program) }
            }
    }

    /// Waits for the end without holding a thread of the test runner.
    static func run(_ name: String) async throws {
        let output = try TemporaryDirectory()
        _ = FileManager.default.createFile(atPath: output.file("log"), contents: nil)
        let log = try FileHandle(forWritingTo: URL(filePath: output.file("log")))
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        let python = ProcessInfo.processInfo.environment["NEXTLOOP_TEST_PYTHON"] ?? "python3"
        let script = scripts.appending(path: "scenarios.py").path(percentEncoded: false)
        process.arguments = [python, script, "--binary", BuiltBinary.path, name]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = log
        process.standardError = log
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
            process.terminationHandler = { _ in done.resume() }
            do { try process.run() } catch { done.resume(throwing: error) }
        }
        let said = String(decoding: try Data(contentsOf: URL(filePath: output.file("log"))), as: UTF8.self)
        #expect(process.terminationStatus == 0, "\(said)")
    }
}

/// One at a time: each has a Prometheus that looks every second.
@Suite(
    "deploy/ and the programs that watch", .serialized,
    .enabled(
        if: Scenario.canRun(
            "nginx", "jq", "envsubst", "prometheus", "promtool", "amtool", "prometheus-alertmanager",
            "prometheus-node-exporter", "prometheus-nginx-exporter"),
        "a program that watches is missing: scripts/setup test"))
struct MonitoringTests {
    @Test("files: rules tested to fire and not to, runbooks whole, messages rendered, dashboards tidy")
    func filesAreSound() async throws { try await Scenario.run("files-are-sound") }

    @Test("Compose file, Dockerfile, systemd units and workflows: linted, closed, pinned")
    func whatRunsThings() async throws { try await Scenario.run("what-runs-things") }

    @Test(
        "the Dockerfile is built, and blue and green run from it as the Compose file says",
        .enabled(
            if: ProcessInfo.processInfo.environment["NEXTLOOP_TEST_IMAGES"] == "1",
            "takes minutes; NEXTLOOP_TEST_IMAGES=1 switches it on"))
    func imageAndCompose() async throws { try await Scenario.run("image-and-compose") }

    @Test("kill the service: Slack hears it; bring it back: Slack hears that")
    func killedService() async throws { try await Scenario.run("killed-service") }

    @Test("docs/monitoring.md: every command as it stands there")
    func monitoringPage() async throws { try await Scenario.run("monitoring-page") }

    @Test("what follows from an alert is not told beside it")
    func whatIsNotTold() async throws { try await Scenario.run("what-is-not-told") }

    @Test("every query of rules, dashboards and runbooks runs and has data")
    func everyQuery() async throws { try await Scenario.run("every-query") }
}
