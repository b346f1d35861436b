import Foundation
import TestSupport
import Testing

/// Runs `programs/scenarios.py`: each scenario puts up its own nginx, colours and counted load on free loopback ports.
///
/// A scenario ends by itself, and ends all its processes, after the seconds that its stage sets (at most 270).
enum Scenario {
    private static let program = ScenarioProgram(beside: #filePath)

    /// Three trained versions, made once a run.
    private static let registry = Result {
        let directory = try TemporaryDirectory.untilExit()
        let made = try BuiltBinary.runProgram(
            "/usr/bin/env", program.arguments(["--make-registry", directory.path]), seconds: 60)
        try #require(made.exitCode == 0, "\(made.errors)")
        return directory.path
    }

    /// A scenario that fails shows its journal.
    static func run(_ name: String) async throws {
        let registry = try registry.get()
        await Turns.shared.take()
        let ended: Result<ScenarioProgram.Outcome, any Error>
        do {
            ended = .success(try await program.run(name, environment: ["DEPLOY_TEST_REGISTRY": registry]))
        } catch {
            ended = .failure(error)
        }
        await Turns.shared.giveBack()
        let outcome = try ended.get()
        #expect(outcome.exitCode == 0, "\(outcome.said)")
    }
}

/// Four scenarios at a time: they mostly wait, but each has two load clients.
private actor Turns {
    static let shared = Turns()
    private var free = 4
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
        if: ScenarioProgram.canRun("nginx", "jq", "curl", "envsubst"),
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
        .enabled(if: ScenarioProgram.canRun("prometheus"), "prometheus is missing: scripts/setup test"))
    func judgedByPrometheus() async throws { try await Scenario.run("judged-by-prometheus") }

    @Test("bulk streams count with their errors and not with the time that their clients take")
    func bulkStreams() async throws { try await Scenario.run("bulk-streams-have-no-latency") }

    @Test(
        "bulk streams count in Prometheus's numbers as they do in the tool's own",
        .enabled(if: ScenarioProgram.canRun("prometheus"), "prometheus is missing: scripts/setup test"))
    func bulkStreamsInPrometheus() async throws { try await Scenario.run("bulk-streams-in-prometheus") }

    @Test("the overlap is of guests whom both models know, whatever a spreadsheet made of the file with their ids")
    func overlapOfKnownGuests() async throws { try await Scenario.run("overlap-of-known-guests") }

    @Test("Slack hears version, colour, verdict and duration; a webhook that fails changes nothing")
    func slackMessages() async throws { try await Scenario.run("slack-messages") }

    @Test("wrong settings and arguments are named and change nothing")
    func settingsAndUsage() async throws { try await Scenario.run("settings-and-usage") }

    @Test("the nginx templates: sound, closed to the outside, limited, logged, with stable shares")
    func nginxConfiguration() async throws { try await Scenario.run("nginx-configuration") }

    @Test("whatever nginx refuses by itself looks like the service's own refusals, with the status that was sent")
    func refusedByNginx() async throws { try await Scenario.run("refused-by-nginx") }

    @Test("what nginx/render cannot render is named before anything is made")
    func renderRefuses() async throws { try await Scenario.run("render-refuses") }

    @Test("a switch that nginx does not follow is noticed and taken back")
    func nginxThatDoesNotFollow() async throws { try await Scenario.run("nginx-that-does-not-follow") }

    @Test("every command of docs/operations.md does what the page says")
    func operationsPage() async throws { try await Scenario.run("operations-page") }

    @Test("a full disk before a deploy, in its watch and at a rollback: guests are moved, no file is half-written")
    func diskFull() async throws { try await Scenario.run("disk-full") }

    @Test("a live colour that dies under a canary, a check or a refusal: the candidate that answers is not stopped")
    func liveColourDies() async throws { try await Scenario.run("live-colour-dies") }

    @Test("guests that were taken back stay there: a resumed deploy neither claims nor stops what it no longer has")
    func takenBack() async throws { try await Scenario.run("taken-back") }

    @Test("the only colour that answers is stopped by no warm time, no clean-up and no command")
    func lastThatAnswers() async throws { try await Scenario.run("last-that-answers") }

    @Test("a lost routing table is not taken for no live colour")
    func tableLost() async throws { try await Scenario.run("table-lost") }

    @Test("a live colour that hangs for four seconds is not dead")
    func lostProbe() async throws { try await Scenario.run("lost-probe") }

    @Test("both colours dead: a deploy brings the guests back, and a rollback says what can be done")
    func bothColoursDead() async throws { try await Scenario.run("both-colours-dead") }

    @Test("two rollbacks do not go back and forth, and no lock of the dead or of strangers misleads")
    func twoOperators() async throws { try await Scenario.run("two-operators") }

    @Test("nginx down before a deploy, restarted in one, down at a rollback: said at once, true afterwards")
    func nginxIsAway() async throws { try await Scenario.run("nginx-is-away") }

    @Test("a lost state directory and a damaged state file move nobody, and the way on is said")
    func stateLost() async throws { try await Scenario.run("state-lost") }

    @Test("SIGINT and SIGTERM in each step say what comes next; a terminal that closes ends nothing")
    func interrupted() async throws { try await Scenario.run("interrupted") }

    @Test("closed or full outputs end no deploy, and a colour keeps nothing that its caller had open")
    func nobodyListens() async throws { try await Scenario.run("nobody-listens") }

    @Test("no wait goes by the time of day")
    func clockSetBack() async throws { try await Scenario.run("clock-set-back") }

    @Test("systemd mode deploys, notices a restarted unit and takes it back")
    func systemdMode() async throws { try await Scenario.run("systemd-mode") }

    @Test("Compose mode deploys by image and by version")
    func composeMode() async throws { try await Scenario.run("compose-mode") }
}
