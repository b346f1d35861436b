import Foundation
import TestSupport
import Testing

/// Runs `programs/scenarios.py`: each scenario puts up its own nginx, colours and counted load on free loopback ports.
///
/// A scenario ends by itself, and ends all its processes, after the seconds that its stage sets (at most 270).
enum Scenario {
    private static let programs = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "programs")

    /// Nothing is skipped where CI is set: there a missing program is a failure.
    static func canRun(_ programs: String...) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        let directories = (environment["PATH"] ?? "").split(separator: ":").map(String.init) + ["/usr/sbin"]
        return environment["CI"] != nil
            || programs.allSatisfy { program in
                directories.contains { FileManager.default.isExecutableFile(atPath: $0 + "/" + program) }
            }
    }

    /// Three trained versions, made once a run.
    private static let registry = Result {
        let directory = try TemporaryDirectory.untilExit()
        let made = try BuiltBinary.runProgram(
            "/usr/bin/env", arguments(["--make-registry", directory.path]), seconds: 60)
        try #require(made.exitCode == 0, "\(made.errors)")
        return directory.path
    }

    private static func arguments(_ more: [String]) -> [String] {
        let python = ProcessInfo.processInfo.environment["NEXTLOOP_TEST_PYTHON"] ?? "python3"
        let script = programs.appending(path: "scenarios.py").path(percentEncoded: false)
        return [python, script, "--binary", BuiltBinary.path] + more
    }

    /// Runs to the end without holding a thread of the test runner; a scenario that fails shows its journal.
    static func run(_ name: String) async throws {
        let registry = try registry.get()
        await Turns.shared.take()
        let output = try TemporaryDirectory()
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = arguments([name])
        process.environment = ProcessInfo.processInfo.environment.merging(["DEPLOY_TEST_REGISTRY": registry]) { $1 }
        process.standardInput = FileHandle.nullDevice
        _ = FileManager.default.createFile(atPath: output.file("log"), contents: nil)
        let log = try FileHandle(forWritingTo: URL(filePath: output.file("log")))
        process.standardOutput = log
        process.standardError = log
        do {
            try await withCheckedThrowingContinuation { (done: CheckedContinuation<Void, any Error>) in
                process.terminationHandler = { _ in done.resume() }
                do { try process.run() } catch { done.resume(throwing: error) }
            }
        } catch {
            await Turns.shared.giveBack()
            throw error
        }
        await Turns.shared.giveBack()
        let said = String(decoding: try Data(contentsOf: URL(filePath: output.file("log"))), as: UTF8.self)
        #expect(process.terminationStatus == 0, "\(said)")
    }
}

/// Three scenarios at a time: they mostly wait, but each has two load clients.
private actor Turns {
    static let shared = Turns()
    private var free = 3
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func take() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func giveBack() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}

@Suite(
    "deploy/blue-green behind real nginx, under counted load",
    .enabled(
        if: Scenario.canRun("nginx", "jq", "curl", "envsubst"),
        "nginx, jq, curl or envsubst is missing: scripts/setup test"))
struct DeployTests {
    @Test("a tool killed at the first, third, fifth... rename leaves what the next run can go on with")
    func toolKilledAtOddRenames() async throws { try await Scenario.run("tool-killed-at-odd-renames") }

    @Test("a tool killed at the second, fourth, sixth... rename leaves what the next run can go on with")
    func toolKilledAtEvenRenames() async throws { try await Scenario.run("tool-killed-at-even-renames") }

    @Test("errors, slowness and crashes of a candidate under traffic take it back, and no guest notices")
    func misbehavingCandidates() async throws { try await Scenario.run("misbehaving-candidates") }

    @Test("a hundred switches at full speed lose no GET and no keep-alive POST")
    func switches() async throws { try await Scenario.run("switches") }

    @Test("a deploy with canary steps and a rollback lose nothing, and the rollback takes less than two seconds")
    func deployWithCanary() async throws { try await Scenario.run("deploy-with-canary-and-rollback") }

    @Test("bad model, missing version, taken port, crash at start, unready for ever: refused, and no guest notices")
    func refusedCandidates() async throws { try await Scenario.run("refused-candidates") }

    @Test("kill -9 of the idle colour, of the live one and of a watched one loses nothing")
    func killedColours() async throws { try await Scenario.run("killed-colours") }

    @Test("one run at a time, and a rollback ends a deploy that is running")
    func oneAtATime() async throws { try await Scenario.run("one-at-a-time") }

    @Test("too little traffic is a verdict of its own")
    func tooLittleTraffic() async throws { try await Scenario.run("too-little-traffic") }

    @Test(
        "canary verdicts come from a real Prometheus that scrapes both colours",
        .enabled(if: Scenario.canRun("prometheus"), "prometheus is missing: scripts/setup test"))
    func judgedByPrometheus() async throws { try await Scenario.run("judged-by-prometheus") }

    @Test("Slack hears version, colour, verdict and duration; a webhook that fails changes nothing")
    func slackMessages() async throws { try await Scenario.run("slack-messages") }

    @Test("wrong settings and arguments are named and change nothing")
    func settingsAndUsage() async throws { try await Scenario.run("settings-and-usage") }

    @Test("the nginx templates: sound, closed to the outside, limited, logged, with stable shares")
    func nginxConfiguration() async throws { try await Scenario.run("nginx-configuration") }

    @Test("a switch that nginx does not follow is noticed and taken back")
    func nginxThatDoesNotFollow() async throws { try await Scenario.run("nginx-that-does-not-follow") }

    @Test("every command of docs/operations.md does what the page says")
    func operationsPage() async throws { try await Scenario.run("operations-page") }

    @Test("systemd mode deploys, notices a restarted unit and takes it back")
    func systemdMode() async throws { try await Scenario.run("systemd-mode") }

    @Test("Compose mode deploys by image and by version")
    func composeMode() async throws { try await Scenario.run("compose-mode") }
}
