import Foundation
import TestSupport
import Testing

/// Runs `programs/scenarios.py`, which puts Prometheus, Alertmanager, Grafana's queries and a receiver in place of Slack on
/// stage. A scenario ends by itself, with all its processes, after the seconds that its stage sets (at most 170).
enum Scenario {
    private static let program = ScenarioProgram(beside: #filePath)

    static func run(_ name: String) async throws {
        let outcome = try await program.run(name)
        #expect(outcome.exitCode == 0, "\(outcome.said)")
    }
}

/// One at a time: each has a Prometheus that looks every second.
@Suite(
    "deploy/ and the programs that watch", .serialized,
    .enabled(
        if: ScenarioProgram.canRun(
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
