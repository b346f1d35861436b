import Foundation
import ModelRegistry
import RecommendService
import Synchronization
import TestSupport
import Testing

/// Goal: what an operator asks for while a version is loaded counts, whatever is under way.
@Suite("What is wanted changes while a version loads") struct ChangedWhileLoadingTests {
    private let name = FollowFixture.name
    private static let first = FollowFixture.contents()
    private static let second = FollowFixture.contents(noise: 0.01)
    private static let third = FollowFixture.contents(noise: 0.02)

    /// Does something once, when a version is about to be opened.
    private func when(_ version: Int, _ fixture: FollowFixture, _ work: @escaping @Sendable () -> Void) {
        let isDone = Mutex(false)
        fixture.source.whileOpening.withLock { hook in
            hook = { opened in
                guard opened == version,
                    isDone.withLock({ done in
                        defer { done = true }; return !done
                    })
                else { return }
                work()
            }
        }
    }

    /// The versions that answered, in order.
    private func answered(_ fixture: FollowFixture) -> [Int] {
        fixture.events().compactMap { if case .live(_, let version, _) = $0 { version } else { nil } }
    }

    @Test("a version that was rolled back from meanwhile never answers") func rolledBack() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.first)
        fixture.follower.look()
        try fixture.publish(Self.second)
        let registry = fixture.registry
        when(2, fixture) { _ = try? registry.rollback(FollowFixture.name, alias: "production") }
        fixture.follower.look()
        #expect(answered(fixture) == [1])
        #expect(fixture.live == 1 && fixture.loaded == [1])
        #expect(fixture.status.problem == nil && fixture.status.standsInFor == nil)
    }

    @Test("nor does the first of a process; what is wanted by then does") func rolledBackAtStart() throws {
        let fixture = try FollowFixture()
        try fixture.publish(Self.first)
        try fixture.publish(Self.second)
        let registry = fixture.registry
        when(2, fixture) { _ = try? registry.rollback(FollowFixture.name, alias: "production") }
        fixture.follower.look()
        #expect(answered(fixture) == [1])
    }

    @Test("force for a version by name holds when the alias moves on meanwhile, force for what is wanted does not")
    func force() throws {
        for isByName in [true, false] {
            var settings = FollowSettings()
            settings.gates.overlapMin = 1
            let fixture = try FollowFixture(settings: settings)
            try fixture.publish(Self.first)
            fixture.follower.look()
            try fixture.publish(Self.second)
            fixture.follower.look()
            #expect(fixture.live == 1 && fixture.gate(2) == .overlap)
            let (registry, third) = (fixture.registry, try fixture.publish(Self.third, promote: nil))
            when(2, fixture) { try? registry.promote(FollowFixture.name, version: third, alias: "production") }
            if isByName {
                _ = fixture.follower.pin(name, version: 2, force: true)
            } else {
                fixture.follower.follow([name], force: true)
            }
            fixture.follower.look()
            #expect(fixture.gate(3) == .overlap)
            #expect(fixture.live == 1, "what was forced is not wanted any more, and what is was not forced")
        }
    }

    @Test(
        "a pin that is taken back meanwhile never answers, forced or not, under an alias and under the latest",
        arguments: [false, true], [FollowFixture.alias, .latest(1)])
    func unpinned(isForced: Bool, policy: VersionPolicy) throws {
        let fixture = try FollowFixture([name: policy])
        for contents in [Self.first, Self.second, Self.third] { try fixture.publish(contents, promote: "production") }
        fixture.follower.look()
        #expect(fixture.live == 3)
        for version in [1, 2] {
            let follower = fixture.follower
            when(version, fixture) { follower.follow([FollowFixture.name], force: false) }
            _ = fixture.follower.pin(name, version: version, force: isForced)
            fixture.follower.look()
            #expect(fixture.live == 3 && fixture.loaded == [3])
        }
        #expect(answered(fixture) == [3])
    }

    @Test("a forced pin whose first attempt fails for a cause that passes is forced at the next one too")
    func forceLasts()
        throws
    {
        var settings = FollowSettings()
        settings.gates.overlapMin = 1
        let fixture = try FollowFixture(settings: settings)
        try fixture.publish(Self.first)
        fixture.follower.look()
        try fixture.publish(Self.second, promote: nil)
        fixture.source.openFailures.withLock { $0[2] = .system(call: "open", path: "model.safetensors", code: EIO) }
        _ = fixture.follower.pin(name, version: 2, force: true)
        fixture.follower.look()
        #expect(fixture.live == 1 && fixture.gate(2) == .verify)
        fixture.source.openFailures.withLock { $0 = [:] }
        fixture.pass(seconds: 2)
        fixture.follower.look()
        #expect(fixture.live == 2)
    }

    @Test("however fast versions are published, the latest of the time answers") func publishedFaster() throws {
        let fixture = try FollowFixture([name: .latest(1)])
        try fixture.publish(Self.first, promote: nil)
        fixture.follower.look()
        let registry = fixture.registry
        fixture.source.whileOpening.withLock { hook in
            hook = { _ in
                let draft = ManifestDraft(lineage: LineageRecord(command: "test", build: "test", sources: []))
                _ = try? registry.publish(
                    model: FollowFixture.name, contents: Self.second, manifest: draft, promote: nil)
            }
        }
        try fixture.publish(Self.second, promote: nil)
        for expected in 2...4 {
            fixture.follower.look()
            #expect(fixture.live == expected)
        }
    }

    @Test("a running follower gives up reading what nobody wants any more, and goes on with what somebody does")
    func interrupted() throws {
        let fixture = try loadingSecond()
        defer { fixture.follower.stop() }
        _ = try fixture.registry.rollback(name, alias: "production")
        fixture.follower.wake()
        try eventually { fixture.state(2) == .available }
        #expect(fixture.live == 1)
        #expect(fixture.status.problem == nil)
    }

    @Test("going back to a version in memory does not wait for what is read for an arm") func besideAnArm() throws {
        var settings = FollowSettings()
        settings.loadBytesPerSecond = 1
        settings.previousKept = 1
        let fixture = try FollowFixture(arm: .alias("staging"), settings: settings)
        for contents in [Self.first, Self.second] {
            try fixture.publish(contents)
            fixture.follower.look()
        }
        #expect(fixture.loaded == [1, 2])
        try fixture.publish(Self.third, promote: "staging")
        try fixture.follower.start()
        defer { fixture.follower.stop() }
        fixture.follower.wake()
        try eventually { fixture.state(3) == .loading && fixture.source.opened.withLock { $0.last } == 3 }
        _ = try fixture.registry.rollback(name, alias: "production")
        fixture.follower.wake()
        try eventually { fixture.live == 1 }
        try eventually {
            fixture.state(3) == .loading && fixture.source.opened.withLock { $0.filter { $0 == 3 }.count } == 2
        }
    }

    @Test("what was held against a version that is not live any more is neither told nor taken") func liveChanged()
        throws
    {
        var settings = FollowSettings()
        settings.previousKept = 1
        settings.gates.overlapMin = 1
        let fixture = try FollowFixture(arm: .alias("staging"), settings: settings)
        try fixture.publish(Self.first)
        fixture.follower.look()
        try fixture.publish(Self.second, promote: nil)
        try fixture.registry.promote(name, version: 2, alias: "production", force: true)
        fixture.follower.look()
        #expect(fixture.live == 2)
        // Like the first and unlike the second.
        try fixture.publish(Self.first, promote: "staging")
        let follower = fixture.follower
        when(3, fixture) { _ = follower.pin(FollowFixture.name, version: 1, force: false) }
        _ = fixture.events()
        for _ in 0..<2 { fixture.follower.look() }
        #expect(fixture.live == 1 && fixture.loaded.contains(3))
        #expect(!fixture.events().contains { if case .rejected(_, 3, _, _, _) = $0 { true } else { false } })
    }

    @Test("a model does not wait for the load of another") func severalModels() throws {
        var settings = FollowSettings()
        settings.loadBytesPerSecond = 1
        settings.previousKept = 1
        let fixture = try FollowFixture(
            [name: FollowFixture.alias, "minibar": FollowFixture.alias], settings: settings)
        for model in [name, "minibar"] { try fixture.publish(Self.first, model: model) }
        fixture.follower.look()
        try fixture.publish(Self.second, model: name)
        try fixture.follower.start()
        defer { fixture.follower.stop() }
        fixture.follower.wake()
        try eventually { fixture.state(2) == .loading }
        let minibar = { fixture.store.status(of: "minibar") }
        try fixture.publish(Self.second, model: "minibar", promote: nil)
        try fixture.registry.promote("minibar", version: 2, alias: "production")
        fixture.follower.wake()
        try eventually { minibar()?.versions.first { $0.version == 2 }?.state == .loading }
        #expect(fixture.state(2) == .loading)
    }

    @Test("a pin that comes during a load is ended by the promotion after it") func pinned() throws {
        let fixture = try loadingSecond()
        defer { fixture.follower.stop() }
        #expect(fixture.follower.pin(name, version: 1, force: false))
        try eventually { fixture.state(2) != .loading }
        let third = try fixture.publish(Self.third)
        fixture.follower.wake()
        try eventually { fixture.state(third) == .loading }
    }

    /// A running follower with version 1 live that is reading version 2: at a byte a second, which would take hours. Stop it.
    private func loadingSecond() throws -> FollowFixture {
        var settings = FollowSettings()
        settings.loadBytesPerSecond = 1
        let fixture = try FollowFixture(settings: settings)
        try fixture.publish(Self.first)
        fixture.follower.look()
        try fixture.publish(Self.second)
        try fixture.follower.start()
        fixture.follower.wake()
        try eventually { fixture.state(2) == .loading && fixture.source.opened.withLock { $0.last } == 2 }
        return fixture
    }

    private func eventually(_ isTrue: () -> Bool) throws {
        for _ in 0..<3000 {
            if isTrue() { return }
            usleep(10_000)
        }
        Issue.record("never")
    }
}
