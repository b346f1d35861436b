import FactorModel
import Foundation
import ModelRegistry
import RecommendService
import Synchronization
import TestSupport
import Testing

/// Goal: what a gate refused does not come in because the process that refused it ended, and no process goes without a version while there
/// is one that was not refused.
@Suite("Restarts and what was refused") struct RestartTests {
    private let name = FollowFixture.name
    private static let good = FollowFixture.contents(users: 60, items: 2000)
    private static let alike = FollowFixture.contents(users: 60, items: 2000, noise: 0.01)
    private static let bad = FollowFixture.contents(users: 60, items: 2000, seed: 2)

    private func settings(_ overlapMin: Double = GateSettings().overlapMin) -> FollowSettings {
        var settings = FollowSettings()
        settings.gates.overlapMin = overlapMin
        return settings
    }

    /// Another process of the same registry, after its first look.
    private func restart(_ before: FollowFixture, overlapMin: Double = GateSettings().overlapMin) throws
        -> FollowFixture
    {
        let fixture = try FollowFixture(settings: settings(overlapMin), after: before)
        fixture.follower.look()
        return fixture
    }

    /// A process that serves version 1 and refused version 2.
    private func refused() throws -> FollowFixture {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        fixture.follower.look()
        try fixture.publish(Self.bad)
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.gate(2) == .overlap)
        return fixture
    }

    @Test("a refusal is kept with who, why and by which thresholds, and a pass as well") func kept() throws {
        let fixture = try refused()
        let verdict = try #require(try fixture.registry.verdicts(of: name).first)
        #expect(verdict.alias == "production" && verdict.version == 2 && verdict.comparedWith == 1)
        #expect(verdict.gate == "overlap")
        #expect(verdict.reason?.contains("wanted at least 0.05") == true)
        #expect(verdict.thresholds.contains("overlap at least 0.05"))
        #expect(verdict.who.contains("@"))
        try fixture.publish(Self.alike)
        fixture.follower.look()
        #expect(fixture.live == 3)
        #expect(try fixture.registry.verdicts(of: name).map(\.isRefusal) == [true, false])
    }

    @Test("a refusal is told when it is kept, and all that it means at once") func toldWhenKept() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        fixture.follower.look()
        try fixture.publish(Self.bad)
        let seen = Mutex<[ModelStatus]>([])
        let store = fixture.store
        fixture.source.whileKeeping.withLock { hook in
            hook = { seen.withLock { $0 += store.statuses() } }
        }
        fixture.follower.look()
        let before = try #require(seen.withLock { $0 }.first)
        #expect(before.versions.first { $0.version == 2 }?.state == .loading)
        #expect(before.standsInFor == nil)

        fixture.store.noteStandIn(name, for: nil)
        fixture.store.noteProblem(name, nil, at: 1)
        fixture.store.noteRejected(name, version: 3, gate: .overlap, reason: "an arm's", at: 2)
        #expect(fixture.status.standsInFor == nil && fixture.status.problem == nil)
        fixture.store.noteRejected(name, version: 2, gate: .overlap, reason: "the wanted one's", problem: "so", at: 2)
        #expect(fixture.status.standsInFor == 2 && fixture.status.problem == "so")
        #expect(fixture.store.makeLive(name, version: 1))
        #expect(fixture.status.standsInFor == 2, "version 1 is still not the wanted one")
    }

    @Test("after a restart the version before answers, the refused one is not even read, and everything says so")
    func restarted() throws {
        let again = try restart(try refused())
        #expect(again.live == 1)
        #expect(again.source.opened.withLock { $0 } == [1])
        #expect(again.gate(2) == .overlap)
        #expect(again.status.standsInFor == 2)
        #expect(again.status.problem?.contains("version 2 is rejected by the gate overlap") == true)
        let events = again.events()
        #expect(events.contains(.standsIn(model: name, version: 1, wanted: 2)))
        #expect(events.contains { if case .rejected(_, 2, .overlap, _, 1) = $0 { true } else { false } })
        for _ in 0..<3 { again.follower.look() }
        #expect(again.events().isEmpty, "told once")
        #expect(again.source.opened.withLock { $0 } == [1])
        let third = try again.publish(Self.alike)
        again.follower.look()
        #expect(again.live == third)
        #expect(again.status.standsInFor == nil)
    }

    @Test("a promotion by force lets it in at a restart and in a running process") func forced() throws {
        let again = try restart(try refused())
        try again.registry.promote(name, version: 2, alias: "production", reason: "on purpose", force: true)
        again.follower.look()
        #expect(again.live == 2)
        #expect(try restart(again).live == 2)
    }

    @Test("promoted again it is compared anew, by running processes and by restarts, and refused again") func again()
        throws
    {
        let again = try restart(try refused())
        try again.registry.promote(name, version: 2, alias: "production")
        #expect(try again.registry.verdicts(of: name).map(\.isRefusal) == [false])
        again.follower.look()
        #expect(again.live == 1)
        #expect(again.source.opened.withLock { $0 } == [1, 2], "compared once more")
        #expect(try again.registry.verdicts(of: name).count == 1)
        again.follower.look()
        #expect(again.source.opened.withLock { $0 } == [1, 2])
        try again.registry.promote(name, version: 2, alias: "production")
        let third = try restart(again)
        #expect(third.live == 1, "by golden queries")
        #expect(!third.events().contains { if case .uncompared = $0 { true } else { false } })
    }

    @Test(
        "promoted again with nothing before it left to compare with, it answers: with a warning, once, and /models tells"
    )
    func uncompared() throws {
        let fixture = try refused()
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/1"))
        try fixture.registry.promote(name, version: 2, alias: "production", actor: "ann", reason: "new menu")
        let takenBack = try #require(try fixture.registry.verdicts(of: name).first?.takenBack)
        let again = try restart(fixture)
        #expect(again.live == 2)
        let event = FollowEvent.uncompared(
            model: name, version: 2, gate: "overlap", takenBackBy: "ann", at: takenBack.at, isNothingBefore: true)
        #expect(event.isWarning)
        #expect(again.events().filter { $0 == event }.count == 1)
        again.follower.look()
        #expect(again.events().isEmpty)
        #expect(again.status.versions.map(\.takenBack?.takenBack?.reason) == ["new menu"])
        // A version that is compared with it says nothing of that.
        try again.publish(FollowFixture.contents(users: 60, items: 2000, seed: 2, noise: 0.01))
        again.follower.look()
        #expect(again.live == 3)
        #expect(!again.events().contains { if case .uncompared = $0 { true } else { false } })
        // Nor does one that was forced.
        try again.registry.promote(name, version: 2, alias: "production", force: true)
        let forced = try restart(again)
        #expect(forced.live == 2)
        #expect(!forced.events().contains { if case .uncompared = $0 { true } else { false } })
    }

    @Test("what could not be compared though a version before it is there is not said to have none: a note says why")
    func uncomparedBeside() throws {
        let fixture = try refused()
        try Data("{".utf8).write(to: URL(filePath: fixture.file(1, "golden.json")))
        try fixture.registry.promote(name, version: 2, alias: "production")
        let again = try restart(fixture)
        #expect(again.live == 2)
        let events = again.events()
        let notes = events.map(\.description).filter { $0.contains("not compared with version 1") }
        #expect(notes.count == 1, "\(events)")
        let told = events.filter { if case .uncompared(_, 2, "overlap", _, _, false) = $0 { true } else { false } }
        #expect(told.count == 1 && told.allSatisfy { !$0.description.contains("no version before it") }, "\(events)")
    }

    @Test("a refusal taken back of a gate that this build does not know is told by its own name") func unknownGate()
        throws
    {
        let fixture = try refused()
        let path = fixture.directory.file("models/\(name)/verdicts.json")
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let renamed = text.replacing("\"overlap\"", with: "\"novelty\"")
        #expect(renamed != text)
        try Data(renamed.utf8).write(to: URL(filePath: path))
        let held = try restart(fixture)
        #expect(held.live == 1)
        #expect(held.events().contains { $0.description.contains("the gate novelty, which this build does not know") })
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/1"))
        try fixture.registry.promote(name, version: 2, alias: "production")
        let again = try restart(fixture)
        #expect(again.live == 2)
        #expect(
            again.events().contains { if case .uncompared(_, 2, "novelty", _, _, true) = $0 { true } else { false } })
    }

    @Test("a version that nobody ever refused answers uncompared without a word of it") func neverRefused() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(!fixture.events().contains { if case .uncompared = $0 { true } else { false } })
        #expect(fixture.status.versions.map(\.takenBack) == [nil])
    }

    @Test("it stands in for a version that is gone with the same warning") func uncomparedStandIn() throws {
        let fixture = try refused()
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/1"))
        try fixture.registry.promote(name, version: 2, alias: "production")
        try fixture.publish(Self.alike)
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/3"))
        let again = try restart(fixture)
        #expect(again.live == 2)
        #expect(again.events().contains { if case .uncompared(_, 2, "overlap", _, _, _) = $0 { true } else { false } })
    }

    @Test(
        "without a record a first version is compared with the golden queries of the one before, and the refusal kept")
    func byGoldenQueries() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        try fixture.publish(Self.bad)
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.gate(2) == .overlap)
        #expect(fixture.status.versions.first?.reason?.contains("with version 1") == true)
        #expect(fixture.source.opened.withLock { $0 } == [2, 1])
        #expect(try fixture.registry.verdicts(of: name).map(\.isRefusal) == [true])
        fixture.follower.look()
        #expect(fixture.source.opened.withLock { $0 } == [2, 1], "the same two are not compared twice")
    }

    @Test("a first version that is like the one before answers, and that is kept: the next restart compares nothing")
    func passes() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        try fixture.publish(Self.alike)
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.source.opened.withLock { $0 } == [2])
        let verdict = try #require(try fixture.registry.verdicts(of: name).first)
        #expect(!verdict.isRefusal && verdict.comparedWith == 1)
        // By these thresholds it would be refused; kept is that it passed others.
        #expect(try restart(fixture, overlapMin: 1).live == 1)
        #expect(try restart(fixture).live == 2)
    }

    @Test("scores on another scale and a catalogue of less than half are refused by golden queries too")
    func otherGates() throws {
        for (contents, gate) in [
            (FollowFixture.contents(users: 60, items: 2000, scale: 2.25), Gate.scoreShift),
            (FollowFixture.contents(users: 60, items: 999), .catalogue),
        ] {
            let fixture = try FollowFixture()
            try fixture.publish(Self.good)
            try fixture.publish(contents)
            fixture.follower.look()
            #expect(fixture.live == 1)
            #expect(fixture.gate(2) == gate)
        }
    }

    @Test("a refusal by other thresholds has the version compared with the one that answers meanwhile")
    func thresholds()
        throws
    {
        let fixture = try refused()
        let strict = try restart(fixture, overlapMin: 0.06)
        #expect(strict.live == 1)
        #expect(strict.source.opened.withLock { $0 } == [1, 2])
        #expect(try fixture.registry.verdicts(of: name).count == 2)
        let lenient = try restart(fixture, overlapMin: 0)
        #expect(lenient.live == 2)
        #expect(lenient.source.opened.withLock { $0 } == [1, 2])
        #expect(lenient.status.standsInFor == nil)
        let again = try restart(fixture, overlapMin: 0)
        #expect(again.live == 2)
        #expect(again.source.opened.withLock { $0 } == [2], "it passed these: others do not matter")
    }

    @Test("what was refused to an experiment's arm is kept once the followed alias names it") func ofAnArm() throws {
        let fixture = try FollowFixture(arm: .alias("staging"))
        try fixture.publish(Self.good)
        try fixture.publish(Self.bad, promote: "staging")
        fixture.follower.look()
        #expect(fixture.gate(2) == .overlap)
        #expect(try fixture.registry.verdicts(of: name).isEmpty)
        try fixture.registry.promote(name, version: 2, alias: "production")
        fixture.follower.look()
        #expect(try fixture.registry.verdicts(of: name).map(\.alias) == ["production"])
        #expect(fixture.source.opened.withLock { $0 } == [1, 2])
    }

    @Test("a registry that cannot be written to says so, and a restart compares by golden queries") func readOnly()
        throws
    {
        let fixture = try FollowFixture()
        let failure = RegistryError.system(call: "open", path: "verdicts.json", code: EROFS)
        fixture.source.keepFailure.withLock { $0 = failure }
        try fixture.publish(Self.good)
        fixture.follower.look()
        try fixture.publish(Self.bad)
        fixture.follower.look()
        fixture.follower.look()
        #expect(fixture.events().filter { $0 == .unkept(model: name, version: 2, reason: "\(failure)") }.count == 1)
        #expect(try fixture.registry.verdicts(of: name).isEmpty)
        let again = try FollowFixture(after: fixture)
        again.source.keepFailure.withLock { $0 = failure }
        again.follower.look()
        #expect(again.live == 1)
        #expect(again.gate(2) == .overlap)
    }

    @Test("versions that were refused are passed over on the way back, and so are damaged ones") func wayBack() throws {
        let fixture = try refused()
        try fixture.publish(Self.alike)
        fixture.follower.look()
        #expect(fixture.live == 3)
        try fixture.publish(FollowFixture.contents(users: 60, items: 2000, seed: 4))
        fixture.follower.look()
        #expect(fixture.live == 3)
        let again = try FollowFixture(after: fixture)
        again.source.openFailures.withLock { $0[3] = .wrongDigest(path: "3", got: "a", wanted: "b") }
        again.follower.look()
        #expect(again.live == 1)
        #expect(again.source.opened.withLock { $0 } == [3, 1])
        #expect(again.status.standsInFor == 4)
    }

    @Test("with nothing to go back to a refused version stays out, until it is promoted again or by force")
    func nothing()
        throws
    {
        let fixture = try refused()
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/1"))
        let again = try restart(fixture)
        #expect(again.live == nil)
        #expect(again.status.problem?.contains("promote it again") == true)
        #expect(again.status.standsInFor == nil)
        again.follower.look()
        again.follower.lookAgain()
        again.follower.look()
        #expect(again.live == nil)
        try again.registry.promote(name, version: 2, alias: "production")
        again.follower.look()
        #expect(again.live == 2, "there is nothing left that it could be compared with")
    }

    @Test("a damaged version that an alias names leaves the first look to the one before") func damaged() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        try fixture.publish(Self.alike)
        fixture.source.openFailures.withLock { $0[2] = .wrongDigest(path: "2", got: "a", wanted: "b") }
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.gate(2) == .verify)
        #expect(try fixture.registry.verdicts(of: name).isEmpty, "files are read again, no verdict is needed")
    }

    @Test("an alias whose version is gone leaves the first look to the one before, until it names another") func gone()
        throws
    {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        try fixture.publish(Self.alike)
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/2"))
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.status.standsInFor == 2)
        #expect(fixture.status.problem?.contains("no version 2") == true)
        fixture.follower.look()
        #expect(fixture.source.opened.withLock { $0 } == [1])
        try fixture.registry.promote(name, version: 1, alias: "production")
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.status.standsInFor == nil)
        #expect(fixture.status.problem == nil)
    }

    @Test("a version before without golden queries compares nothing, which is noted") func oldVersion() throws {
        let fixture = try FollowFixture()
        var none = Self.good
        none.factors = FollowFixture.noVectors(like: none)
        try fixture.publish(none)
        try fixture.publish(Self.bad)
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(
            fixture.events().contains(
                .note(model: name, version: 2, "not compared with version 1, which has no golden queries")))
    }

    private static let poor = FollowFixture.contents(users: 60, items: 2000, seed: 3)

    /// Version 1 was live, 2 was refused beside it, and 3, unlike both, answers because of other thresholds.
    private func poorLive() throws -> FollowFixture {
        let fixture = try refused()
        try fixture.publish(Self.poor)
        let lenient = try FollowFixture(settings: settings(0), after: fixture)
        lenient.follower.look()
        #expect(lenient.live == 3)
        return lenient
    }

    @Test("a rollback passes over what was refused, to what was live before") func rollbackOverRefused() throws {
        let fixture = try poorLive()
        let (version, refused) = try fixture.registry.rollback(name, alias: "production")
        #expect(version == 1 && refused == [2])
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(try restart(fixture).live == 1)
    }

    @Test(
        "a refused version that is older than the live one is compared with the good one before it, by running processes and restarts",
        arguments: [false, true])
    func olderButRefused(restarts: Bool) throws {
        let fixture = try refused()
        try fixture.publish(Self.poor)
        try fixture.registry.promote(name, version: 3, alias: "production", force: true)
        fixture.follower.look()
        #expect(fixture.live == 3)
        try fixture.registry.promote(name, version: 2, alias: "production")
        let server = restarts ? try restart(fixture) : fixture
        server.follower.look()
        #expect(server.live == 3)
        #expect(server.gate(2) == .overlap)
        #expect(server.status.versions.first { $0.version == 2 }?.reason?.contains("with version 1") == true)
        let refusals = try fixture.registry.verdicts(of: name).filter(\.isRefusal)
        #expect(refusals.map(\.version) == [2] && refusals.map(\.comparedWith) == [1])
        try fixture.registry.promote(name, version: 2, alias: "production", force: true)
        server.follower.look()
        #expect(server.live == 2)
    }

    @Test("it does not come in as an experiment's arm either") func olderAsArm() throws {
        let before = try refused()
        try before.publish(Self.poor)
        try before.registry.promote(name, version: 3, alias: "production", force: true)
        try before.registry.promote(name, version: 2, alias: "staging")
        let fixture = try FollowFixture(arm: .alias("staging"), after: before)
        fixture.follower.look()
        #expect(fixture.live == 3)
        #expect(fixture.gate(2) == .overlap)
        #expect(fixture.loaded == [3])
        try fixture.registry.promote(name, version: 2, alias: "production")
        fixture.follower.look()
        #expect(fixture.live == 3)
        #expect(try fixture.registry.verdicts(of: name).filter(\.isRefusal).map(\.comparedWith) == [1])
    }

    @Test(
        "what force let in for another alias is refused to the followed one in the registry too: a rollback passes over it"
    )
    func letThroughElsewhere() throws {
        let fixture = try FollowFixture(arm: .alias("staging"))
        for contents in [Self.good, Self.alike] {
            try fixture.publish(contents)
            fixture.follower.look()
        }
        try fixture.publish(Self.bad, promote: nil)
        try fixture.registry.promote(name, version: 3, alias: "staging", force: true)
        fixture.follower.look()
        #expect(fixture.loaded.contains(3))
        try fixture.registry.promote(name, version: 3, alias: "production")
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(try fixture.registry.verdicts(of: name).filter(\.isRefusal).map(\.version) == [3])
        try fixture.publish(FollowFixture.contents(users: 60, items: 2000, noise: 0.02))
        fixture.follower.look()
        #expect(fixture.live == 4)
        let (version, refused) = try fixture.registry.rollback(name, alias: "production")
        #expect(version == 2 && refused == [3])
    }

    // MARK: A pin

    @Test("a pin without force is not answered by what force let in for an arm; with force it is")
    func pinOfLetThrough()
        throws
    {
        let fixture = try FollowFixture(arm: .alias("staging"))
        try fixture.publish(Self.good)
        fixture.follower.look()
        try fixture.publish(Self.bad, promote: nil)
        try fixture.registry.promote(name, version: 2, alias: "staging", force: true)
        fixture.follower.look()
        #expect(fixture.loaded == [1, 2])
        #expect(!fixture.follower.pin(name, version: 2, force: false))
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.status.problem?.contains("version 2 is rejected by the gate overlap") == true)
        #expect(fixture.status.standsInFor == 2)
        #expect(fixture.follower.pin(name, version: 2, force: true))
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.follower.pin(name, version: 2, force: false), "it answers already")
        fixture.follower.look()
        #expect(fixture.live == 2)
    }

    @Test("a pin is answered although the table of aliases is damaged, and held against the gates")
    func pinBesideDamage()
        throws
    {
        let fixture = try FollowFixture()
        for contents in [Self.good, Self.alike, Self.bad] { try fixture.publish(contents, promote: nil) }
        try fixture.registry.promote(name, version: 1, alias: "production")
        fixture.follower.look()
        try Data("{".utf8).write(to: URL(filePath: fixture.directory.file("models/\(name)/aliases.json")))
        fixture.follower.look()
        #expect(fixture.status.problem?.contains("aliases.json") == true)
        _ = fixture.follower.pin(name, version: 2, force: false)
        fixture.follower.look()
        #expect(fixture.live == 2)
        _ = fixture.follower.pin(name, version: 3, force: false)
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.status.problem?.contains("version 3 is rejected") == true)
        _ = fixture.follower.pin(name, version: 3, force: true)
        fixture.follower.look()
        #expect(fixture.live == 3)
    }

    @Test("a pin in a process that waits for an alias answers, and ends when the alias is there and names another")
    func pinWithoutAlias() throws {
        let fixture = try FollowFixture()
        for contents in [Self.good, Self.alike] { try fixture.publish(contents, promote: nil) }
        fixture.follower.look()
        #expect(fixture.live == nil)
        _ = fixture.follower.pin(name, version: 1, force: false)
        fixture.follower.look()
        #expect(fixture.live == 1)
        try fixture.registry.promote(name, version: 2, alias: "production")
        fixture.follower.look()
        #expect(fixture.live == 2)
    }

    /// Three versions that nobody looked at before: 2 is unlike 1, and 3, forced, unlike both.
    private func poorFirst() throws -> FollowFixture {
        let fixture = try FollowFixture()
        for contents in [Self.good, Self.bad, Self.poor] { try fixture.publish(contents) }
        try fixture.registry.promote(name, version: 3, alias: "production", force: true)
        fixture.follower.look()
        #expect(fixture.live == 3)
        return fixture
    }

    @Test("an older version that the operator asks for is compared with the one before it, and answers by force")
    func pinOfOlder() throws {
        let fixture = try poorFirst()
        #expect(!fixture.follower.pin(name, version: 2, force: false))
        fixture.follower.look()
        #expect(fixture.live == 3)
        #expect(fixture.gate(2) == .overlap)
        #expect(fixture.status.versions.first { $0.version == 2 }?.reason?.contains("with version 1") == true)
        #expect(fixture.status.standsInFor == 2)
        fixture.follower.look()
        #expect(fixture.source.opened.withLock { $0 } == [3, 2], "not read again at every look")
        #expect(
            try fixture.registry.verdicts(of: name).isEmpty, "what one process was asked for is no verdict on an alias")
        #expect(!fixture.follower.pin(name, version: 2, force: true))
        fixture.follower.look()
        #expect(fixture.live == 2)
        // Force was for once: having been live by it proves nothing.
        _ = fixture.follower.pin(name, version: 3, force: true)
        fixture.follower.look()
        #expect(fixture.live == 3)
        _ = fixture.follower.pin(name, version: 2, force: false)
        fixture.follower.look()
        #expect(fixture.live == 3)
        #expect(fixture.gate(2) == .overlap)
    }

    @Test("a pin finds a pass by the same thresholds: nothing is compared") func pinOfPassed() throws {
        let before = try FollowFixture()
        for contents in [Self.good, Self.alike] {
            try before.publish(contents)
            before.follower.look()
        }
        #expect(try before.registry.verdicts(of: name).map(\.isPass) == [true])
        try before.publish(Self.poor)
        try before.registry.promote(name, version: 3, alias: "production", force: true)
        let fixture = try restart(before)
        #expect(fixture.live == 3)
        // Were it compared, 1's golden queries would have to be read.
        try FileManager.default.removeItem(atPath: fixture.file(1, "golden.json"))
        _ = fixture.events()
        try expectWayBack(fixture)
    }

    @Test("a pin finds a version that was live here: nothing is compared") func pinOfLiveBefore() throws {
        let fixture = try FollowFixture()
        for contents in [Self.good, Self.alike] {
            try fixture.publish(contents)
            fixture.follower.look()
        }
        try fixture.publish(Self.poor)
        try fixture.registry.promote(name, version: 3, alias: "production", force: true)
        fixture.follower.look()
        #expect(fixture.live == 3)
        for path in ["verdicts.json", "1/golden.json"] {
            try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/\(path)"))
        }
        try expectWayBack(fixture)
    }

    /// Asks for version 2 while 3 is live, and wants it to answer with no other note than that it is a way back.
    private func expectWayBack(_ fixture: FollowFixture) throws {
        _ = fixture.events()
        #expect(!fixture.follower.pin(name, version: 2, force: false), "it has to be loaded first")
        fixture.follower.look()
        #expect(fixture.live == 2)
        let notes = fixture.events().filter { if case .note = $0 { true } else { false } }
        let note = "not compared with version 3, which is newer: this is a way back"
        #expect(notes == [.note(model: name, version: 2, note)])
    }

    @Test(
        "policies of a number have no version before: a pin and a first load are compared with none",
        arguments: [VersionPolicy.version(3), .latest(1), .latest(2)])
    func numbersCompareNothing(policy: VersionPolicy) throws {
        let fixture = try FollowFixture([name: policy])
        for contents in [Self.good, Self.bad, Self.poor] { try fixture.publish(contents) }
        fixture.follower.look()
        #expect(fixture.live == 3, "unlike 2, and unlike 1")
        _ = fixture.follower.pin(name, version: 2, force: false)
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.gate(2) == nil && fixture.gate(3) == nil)
        #expect(try fixture.registry.verdicts(of: name).isEmpty)
    }

    @Test("what was live is a way back: here without a comparison, elsewhere because it passed") func liveBefore()
        throws
    {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        fixture.follower.look()
        try fixture.publish(Self.alike)
        fixture.follower.look()
        try fixture.publish(Self.poor)
        try fixture.registry.promote(name, version: 3, alias: "production", force: true)
        fixture.follower.look()
        #expect(fixture.live == 3)
        let other = try restart(fixture)
        #expect(other.live == 3)
        // Were it compared, 1's golden queries would have to be read.
        try FileManager.default.removeItem(atPath: fixture.file(1, "golden.json"))
        try fixture.registry.promote(name, version: 2, alias: "production")
        for server in [fixture, other] {
            _ = server.events()
            server.follower.look()
            #expect(server.live == 2)
            let notes = server.events().filter { if case .note = $0 { true } else { false } }
            let note = "not compared with version 3, which is newer: this is a way back"
            #expect(notes == [.note(model: name, version: 2, note)])
        }
    }

    @Test(
        "what was live is a way back though its number is higher: from an older version let in by mistake, or by force",
        arguments: [false, true])
    func liveBeforeAndNewer(isForced: Bool) throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.poor, promote: nil)
        try fixture.publish(Self.good)
        fixture.follower.look()
        #expect(fixture.live == 2)
        try fixture.registry.promote(name, version: 1, alias: "production", force: isForced)
        fixture.follower.look()
        #expect(fixture.live == 1, "nothing is before it to be compared with")
        _ = try fixture.registry.rollback(name, alias: "production")
        _ = fixture.events()
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(
            fixture.events().contains(
                .note(model: name, version: 2, "not compared with version 1: it was live here before")))
        #expect(try fixture.registry.verdicts(of: name).isEmpty)
        #expect(try restart(fixture).live == 2)
    }

    @Test(
        "a process that knows only the bad older version follows a rollback to a newer one: what passed, or is like the one before it",
        arguments: [true, false])
    func rolledBackToNewer(isPassKept: Bool) throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.poor, promote: nil)
        for contents in [Self.good, Self.alike] {
            try fixture.publish(contents)
            fixture.follower.look()
        }
        let other = try oldestLive(fixture)
        if !isPassKept {
            try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/verdicts.json"))
        }
        #expect(try fixture.registry.rollback(name, alias: "production").version == 3)
        _ = other.events()
        other.follower.look()
        #expect(other.live == 3)
        let note = "not compared with version 1: the alias was rolled back to this one"
        #expect(other.events().contains(.note(model: name, version: 3, note)) == isPassKept)
        #expect(try fixture.registry.verdicts(of: name).map(\.comparedWith) == [2], "not with the bad one")
    }

    @Test(
        "a rollback to what nobody ever compared is compared with the version before it, and a promotion with the live one"
    )
    func rolledBackToUnknown() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.poor, promote: nil)
        for contents in [Self.good, Self.bad] { try fixture.publish(contents) }
        let other = try oldestLive(fixture)
        _ = try fixture.registry.rollback(name, alias: "production")
        other.follower.look()
        #expect(other.live == 1)
        #expect(other.status.versions.first { $0.version == 3 }?.reason?.contains("with version 2") == true)
        try fixture.registry.promote(name, version: 2, alias: "production")
        other.follower.look()
        #expect(other.live == 1)
        #expect(other.status.versions.first { $0.version == 2 }?.reason?.contains("with version 1") == true)
    }

    /// Promotes version 1 and starts a process that never knew another.
    private func oldestLive(_ fixture: FollowFixture) throws -> FollowFixture {
        try fixture.registry.promote(name, version: 1, alias: "production", force: true)
        let other = try restart(fixture)
        #expect(other.live == 1)
        return other
    }

    @Test("what one server passed is served at a restart though another refused it") func passWins() throws {
        let fixture = try refused()
        var pass = try #require(try fixture.registry.verdicts(of: name).first)
        (pass.gate, pass.reason, pass.who) = (nil, nil, "another@host")
        try fixture.registry.keep(pass, of: name)
        for _ in 0..<3 { fixture.follower.look() }
        #expect(fixture.live == 1, "its own users refused it")
        #expect(fixture.source.opened.withLock { $0 } == [1, 2], "and are not asked at every look")
        #expect(try fixture.registry.verdicts(of: name) == [pass])
        let again = try restart(fixture)
        #expect(again.live == 2)
        #expect(again.source.opened.withLock { $0 } == [2])
    }

    @Test("verdicts about other contents do not count: a repaired copy is compared anew, and inherits no pass")
    func otherContents() throws {
        let fixture = try refused()
        // The same number with the contents of a good version, as if its files had been repaired.
        let repaired = try Self.replaceContents(of: 2, in: fixture, with: Self.alike)
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(try fixture.registry.verdicts(of: name).map(\.contents) == [repaired])
        #expect(try fixture.registry.verdicts(of: name).map(\.isRefusal) == [false])
        #expect(try restart(fixture).live == 2)
        _ = try Self.replaceContents(of: 2, in: fixture, with: Self.bad)
        let again = try restart(fixture)
        #expect(again.live == 1, "by golden queries")
        #expect(again.gate(2) == .overlap)
    }

    @Test("a repaired copy of what was refused is taken at a restart") func repairedBeforeRestart() throws {
        let fixture = try refused()
        _ = try Self.replaceContents(of: 2, in: fixture, with: Self.alike)
        #expect(try restart(fixture).live == 2)
    }

    /// - Returns: SHA-256 of the new model file.
    private static func replaceContents(
        of version: Int, in fixture: FollowFixture, with contents: ModelContents
    ) throws -> String {
        let other = try FollowFixture()
        for _ in 1...version { try other.publish(contents) }
        let directory = fixture.directory.file("models/\(FollowFixture.name)/\(version)")
        try FileManager.default.removeItem(atPath: directory)
        try FileManager.default.copyItem(
            atPath: other.directory.file("models/\(FollowFixture.name)/\(version)"), toPath: directory)
        return try #require(
            try fixture.registry.manifest(of: FollowFixture.name, version: version).manifest.modelDigest)
    }

    @Test("a refusal that could not be kept for a cause that passes is kept later, and told once") func keptLater()
        throws
    {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        fixture.follower.look()
        let failure = RegistryError.locked(path: ".lock")
        fixture.source.keepFailure.withLock { $0 = failure }
        try fixture.publish(Self.bad)
        fixture.follower.look()
        #expect(fixture.follower.nextAttempt == 1)
        fixture.pass(seconds: 1)
        fixture.follower.look()
        #expect(fixture.follower.nextAttempt == 3, "less and less often")
        #expect(fixture.events().filter { $0 == .unkept(model: name, version: 2, reason: "\(failure)") }.count == 1)
        fixture.source.keepFailure.withLock { $0 = nil }
        fixture.pass(seconds: 1)
        fixture.follower.look()
        #expect(try fixture.registry.verdicts(of: name).isEmpty, "not due")
        fixture.pass(seconds: 1)
        fixture.follower.look()
        #expect(try fixture.registry.verdicts(of: name).map(\.version) == [2])
        #expect(fixture.follower.nextAttempt == nil)
    }

    @Test("what could not be kept is not due without a pause while the registry cannot be read") func keptLaterStill()
        throws
    {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        fixture.follower.look()
        fixture.source.keepFailure.withLock { $0 = .system(call: "write", path: "verdicts.json", code: ENOSPC) }
        try fixture.publish(Self.bad)
        fixture.follower.look()
        fixture.source.failure.withLock { $0 = .system(call: "open", path: "aliases.json", code: EIO) }
        fixture.pass(seconds: 5)
        fixture.follower.look()
        #expect(try #require(fixture.follower.nextAttempt) > 5)
    }

    @Test("a stand-in that failed for a passing cause is tried again while the alias names a version that is gone")
    func standInLater() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        try fixture.publish(Self.alike)
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/2"))
        fixture.source.openFailures.withLock { $0[1] = .system(call: "read", path: "1", code: EIO) }
        fixture.follower.look()
        #expect(fixture.live == nil)
        #expect(fixture.follower.nextAttempt == 1)
        fixture.source.openFailures.withLock { $0 = [:] }
        fixture.pass(seconds: 1)
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.status.standsInFor == 2)
    }

    @Test("a running process stands in for a version that is gone as a restarted one does") func standsInRunning()
        throws
    {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        fixture.follower.look()
        try fixture.publish(Self.alike)
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/2"))
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.status.standsInFor == 2)
        fixture.source.failure.withLock { $0 = .system(call: "open", path: "aliases.json", code: EIO) }
        fixture.follower.look()
        #expect(fixture.status.standsInFor == 2, "as far as anybody knows")
        fixture.source.failure.withLock { $0 = nil }
        #expect(fixture.follower.pin(name, version: 1, force: false))
        fixture.follower.look()
        #expect(fixture.status.standsInFor == nil, "the operator wants it")
        fixture.follower.follow([name], force: false)
        fixture.follower.look()
        #expect(fixture.status.standsInFor == 2)
        try Data("{}".utf8).write(to: URL(filePath: fixture.directory.file("models/\(name)/aliases.json")))
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.status.standsInFor == nil, "nothing is wanted any more")
    }

    @Test("a live version that is removed stands in for nobody") func removedLive() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        fixture.follower.look()
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/\(name)/1"))
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.status.standsInFor == nil)
    }

    @Test("a version promoted to go back is not compared with the newer one") func goingBack() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.bad)
        try fixture.publish(Self.good)
        try fixture.registry.promote(name, version: 1, alias: "production")
        fixture.follower.look()
        #expect(fixture.live == 1)
    }

    @Test("a damaged list of verdicts is told and hides no version") func damagedList() throws {
        let fixture = try refused()
        let file = fixture.directory.file("models/\(name)/verdicts.json")
        try Data("{".utf8).write(to: URL(filePath: file))
        let again = try restart(fixture)
        #expect(again.live == 1, "by golden queries")
        #expect(
            again.events().contains {
                if case .problem(_, let reason, _) = $0 { reason.contains("verdicts.json is damaged") } else { false }
            })
    }

    @Test("a version that answers its golden queries otherwise than where it was made is refused, but for force")
    func golden() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.good)
        fixture.follower.look()
        try fixture.publish(Self.alike)
        let file = fixture.file(2, "golden.json")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let score = try #require(text.firstMatch(of: #/"score":([0-9.]+)/#)?.1)
        try Data(text.replacing("\"score\":\(score)", with: "\"score\":9\(score.dropFirst())", maxReplacements: 1).utf8)
            .write(to: URL(filePath: file))
        let manifest = fixture.file(2, "manifest.json")
        let before = try #require(
            try fixture.registry.manifest(of: name, version: 2).manifest.files.first { $0.name == "golden.json" })
        let said = try String(contentsOfFile: manifest, encoding: .utf8)
            .replacing(before.sha256, with: try sha256(ofFile: file))
        try Data(said.utf8).write(to: URL(filePath: manifest))
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.gate(2) == .golden)
        #expect(fixture.status.versions.first?.reason?.contains("golden query 1 of 32") == true)
        #expect(try fixture.registry.verdicts(of: name).isEmpty, "every start asks again")
        #expect(try restart(fixture).live == 1)
        _ = fixture.follower.pin(name, version: 2, force: true)
        fixture.follower.look()
        #expect(fixture.live == 2)
    }
}
