import FactorModel
import Foundation
import ModelRegistry
import RecommendService
import Synchronization
import TestSupport
import Testing

/// Goal: whatever happens to a registry, a good version answers and the reason why not another is told once. Method: a real registry on disk,
/// with failures scripted in between, looked at step by step.
@Suite("Following a registry") struct ModelFollowerTests {
    let fixture: FollowFixture

    init() throws { fixture = try FollowFixture() }

    private var name: String { FollowFixture.name }

    @Test("an alias is followed by promote and by rollback, and the version before is let go of") func alias() throws {
        try fixture.publish()
        #expect(fixture.follower.look() == [:])
        #expect(fixture.live == 1)
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.loaded == [2])
        #expect(fixture.state(1) == .available)
        _ = try fixture.registry.rollback(name, alias: "production")
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(
            fixture.events() == [
                .live(model: name, version: 1, before: nil), .live(model: name, version: 2, before: 1),
                .note(model: name, version: 1, "not compared with version 2, which is newer: this is a way back"),
                .live(model: name, version: 1, before: 2),
            ])
        #expect(fixture.status.problem == nil)
    }

    @Test("a look without news reads nothing and tells nothing") func quiet() throws {
        try fixture.publish()
        fixture.follower.look()
        _ = fixture.events()
        for _ in 0..<5 { fixture.follower.look() }
        #expect(fixture.events().isEmpty)
        #expect(fixture.source.opened.withLock { $0 } == [1])
    }

    @Test("the latest two are held, the newest answers") func latest() throws {
        let fixture = try FollowFixture([name: .latest(2)])
        for seed in 0..<3 {
            try fixture.publish(FollowFixture.contents(noise: Float(seed) * 0.01), promote: nil)
        }
        fixture.follower.look()
        #expect(fixture.live == 3)
        #expect(fixture.loaded == [2, 3])
        try fixture.publish(FollowFixture.contents(noise: 0.05), promote: nil)
        fixture.follower.look()
        #expect(fixture.live == 4)
        #expect(fixture.loaded == [3, 4])
        // The newest is removed by hand: it goes on until there is a newer one.
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/room-service/4"))
        fixture.follower.look()
        #expect(fixture.live == 4)
        try fixture.publish(FollowFixture.contents(noise: 0.06), promote: nil)
        fixture.follower.look()
        #expect(fixture.live == 5)
        #expect(fixture.loaded == [3, 5])
    }

    @Test("several models follow policies of their own, and one that fails leaves the others alone") func several()
        throws
    {
        let fixture = try FollowFixture([name: .alias("production"), "minibar": .version(1), "absent": .latest(1)])
        try fixture.publish()
        try fixture.publish(model: "minibar", promote: nil)
        let failures = fixture.follower.look()
        #expect(failures.keys.sorted() == ["absent"])
        #expect(failures["absent"] == .registry(.noModel("absent", path: fixture.directory.file("models"))))
        #expect(fixture.store.plan.model(named: name)?.live?.version == 1)
        #expect(fixture.store.plan.model(named: "minibar")?.live?.version == 1)
        try fixture.publish(FollowFixture.contents(noise: 0.01), model: "minibar", promote: nil)
        fixture.follower.look()
        #expect(fixture.store.plan.model(named: "minibar")?.live?.version == 1)
    }

    // MARK: What goes wrong

    @Test("an alias that points nowhere keeps what is served and says so once") func danglingAlias() throws {
        try fixture.publish()
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/room-service/2"))
        _ = fixture.events()
        for _ in 0..<3 { fixture.follower.look() }
        #expect(fixture.live == 1)
        #expect(fixture.status.problem?.contains("no version 2") == true)
        #expect(fixture.events().count == 1)
        _ = try fixture.registry.promote(name, version: 1, alias: "production")
        fixture.follower.look()
        #expect(fixture.status.problem == nil)
        #expect(fixture.events() == [.recovered(model: name)])
    }

    @Test("a version that is removed while it is served goes on being served") func removed() throws {
        try fixture.publish()
        fixture.follower.look()
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/room-service/1"))
        fixture.follower.look()
        #expect(fixture.live == 1)
        let model = try #require(fixture.store.plan.standard.live)
        let scratch = RecommendationScratch()
        let user = try #require(model.snapshot.user(id: "u5"))
        _ = model.snapshot.recommend(RecommendationQuery(user: user, k: 5), scratch: scratch)
        #expect(scratch.count == 5)
        #expect(fixture.status.problem?.contains("no version 1") == true)
        #expect(fixture.status.versions.map(\.state) == [.ready])
    }

    @Test("a registry that disappears and returns costs a message each") func disappears() throws {
        try fixture.publish()
        fixture.follower.look()
        _ = fixture.events()
        fixture.source.failure.withLock { $0 = .noRegistry(path: "models") }
        for _ in 0..<3 { fixture.follower.look() }
        #expect(fixture.live == 1)
        #expect(fixture.events().count == 1)
        fixture.source.failure.withLock { $0 = .system(call: "opendir", path: "models", code: EIO) }
        fixture.follower.look()
        #expect(fixture.events().count == 1, "another cause")
        fixture.source.failure.withLock { $0 = nil }
        fixture.follower.look()
        #expect(fixture.events() == [.recovered(model: name)])
        #expect(fixture.status.versions.map(\.version) == [1])
    }

    @Test("a damaged version is refused once, and read again only when its files change") func damaged() throws {
        try fixture.publish()
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        let whole = try Data(contentsOf: URL(filePath: fixture.file(2)))
        var flipped = whole
        flipped[flipped.count / 2] ^= 1
        try flipped.write(to: URL(filePath: fixture.file(2)))
        _ = fixture.events()
        for _ in 0..<3 {
            fixture.follower.look()
            fixture.pass(seconds: 100)
        }
        #expect(fixture.live == 1)
        #expect(fixture.state(2) == .rejected)
        #expect(fixture.gate(2) == .verify)
        #expect(fixture.status.versions[0].reason?.contains("SHA-256") == true)
        #expect(fixture.status.problem?.contains("SHA-256") == true)
        #expect(fixture.events().count == 1)
        #expect(fixture.source.opened.withLock { $0 } == [1, 2])
        try whole.write(to: URL(filePath: fixture.file(2)))
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.status.problem == nil)
    }

    @Test("a cause that may pass is tried again, less and less often, and counted once") func backOff() throws {
        try fixture.publish()
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        fixture.source.openFailures.withLock { $0[2] = .system(call: "read", path: "2", code: EIO) }
        var attempts: [Int] = []
        for second in 0..<200 {
            let before = fixture.source.opened.withLock { $0.count }
            fixture.follower.look()
            if fixture.source.opened.withLock({ $0.count }) > before { attempts.append(second) }
            fixture.pass(seconds: 1)
        }
        #expect(attempts == [0, 1, 3, 7, 15, 31, 63, 123, 183])
        #expect(fixture.events().filter { if case .rejected = $0 { true } else { false } }.count == 1)
        fixture.source.openFailures.withLock { $0 = [:] }
        fixture.pass(seconds: 60)
        fixture.follower.look()
        #expect(fixture.live == 2)
    }

    @Test("a registry without locks is served, and said once to be without") func leases() throws {
        fixture.source.leaseFailure.withLock { $0 = .noLease(path: "x", code: ENOLCK) }
        try fixture.publish()
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.events().filter { if case .unleased = $0 { true } else { false } }.count == 1)
    }

    @Test("a loaded version is leased: a prune leaves it, and takes it once it is let go of") func leased() throws {
        try fixture.publish()
        fixture.follower.look()
        for seed in 1..<4 { try fixture.publish(FollowFixture.contents(noise: Float(seed) * 0.01), promote: nil) }
        try fixture.registry.promote(name, version: 3, alias: "production")
        try fixture.registry.promote(name, version: 4, alias: "production")
        _ = try fixture.registry.prune(name, keep: 1)
        #expect(try fixture.registry.versions(of: name).contains(1))
        fixture.follower.look()
        #expect(fixture.live == 4)
        _ = try fixture.registry.prune(name, keep: 1)
        #expect(try !fixture.registry.versions(of: name).contains(1))
    }

    /// Writes a version's model file in place, as a careless copy does.
    private func overwrite(_ version: Int, with bytes: Data, in fixture: FollowFixture) throws {
        // Longer than the clock of the file system takes to move on.
        Thread.sleep(forTimeInterval: 0.02)
        try bytes.write(to: URL(filePath: fixture.file(version)))
    }

    @Test("a copy that goes on for long and ends before the next attempt is due is taken as soon as that is due")
    func copyEndsInBackOff() throws {
        try fixture.publish()
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        let whole = try Data(contentsOf: URL(filePath: fixture.file(2)))
        for part in 1...6 {
            try overwrite(2, with: whole.prefix(whole.count * part / 10), in: fixture)
            fixture.follower.look()
            fixture.pass(seconds: 1)
        }
        #expect(fixture.source.opened.withLock { $0 } == [1, 2, 2, 2, 2, 2, 2], "every part is a new cause")
        try overwrite(2, with: whole.prefix(whole.count * 9 / 10), in: fixture)
        fixture.follower.look()
        #expect(fixture.follower.nextAttempt == nil, "nothing is expected of files that stay as they are")
        try overwrite(2, with: whole, in: fixture)
        fixture.follower.look()
        #expect(fixture.live == 1, "too early")
        #expect(fixture.follower.nextAttempt == 7)
        fixture.pass(seconds: 1)
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.follower.nextAttempt == nil)
    }

    @Test("nothing stays due that cannot be tried: a version nobody wants any more, a registry that cannot be read")
    func nothingStaysDue() throws {
        try fixture.publish()
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        fixture.source.openFailures.withLock { $0[2] = .system(call: "read", path: "2", code: EIO) }
        fixture.follower.look()
        #expect(fixture.follower.nextAttempt == 1)
        fixture.pass(seconds: 5)
        fixture.source.failure.withLock { $0 = .noRegistry(path: "models") }
        fixture.follower.look()
        #expect(fixture.follower.nextAttempt == 6)
        fixture.source.failure.withLock { $0 = nil }
        try fixture.registry.promote(name, version: 1, alias: "production")
        fixture.pass(seconds: 5)
        fixture.follower.look()
        #expect(fixture.follower.nextAttempt == nil)
    }

    @Test("an arm keeps its version until the next one is ready, whatever becomes of its alias") func armKeeps() throws
    {
        let fixture = try FollowFixture(arm: .alias("staging"))
        func arm() -> Int? { fixture.store.plan.standard.selected(.alias("staging"))?.version }
        try fixture.publish()
        try fixture.publish(FollowFixture.contents(noise: 0.01), promote: "staging")
        fixture.follower.look()
        #expect(arm() == 2)
        fixture.source.openFailures.withLock { $0[3] = .wrongDigest(path: "3", got: "a", wanted: "b") }
        try fixture.publish(FollowFixture.contents(noise: 0.02), promote: "staging")
        for _ in 0..<2 {
            fixture.follower.look()
            #expect(arm() == 2)
            #expect(fixture.loaded == [1, 2])
        }
        #expect(fixture.state(3) == .rejected)
        try FileManager.default.removeItem(atPath: fixture.directory.file("models/room-service/3"))
        fixture.follower.look()
        #expect(arm() == 2, "the alias points nowhere")
        try fixture.publish(FollowFixture.contents(noise: 0.03), promote: "staging")
        fixture.follower.look()
        #expect(arm() == 4)
        #expect(fixture.loaded == [1, 4])
        #expect(fixture.live == 1)
    }

    @Test(
        "a process that has nothing looks back ten versions for one that is good, and no further", arguments: [10, 11])
    func lookBack(bad: Int) throws {
        let fixture = try FollowFixture([name: .latest(1)])
        try fixture.publish(promote: nil)
        for version in 2..<(2 + bad) {
            try fixture.publish(promote: nil)
            fixture.source.openFailures.withLock { $0[version] = .wrongDigest(path: "x", got: "a", wanted: "b") }
        }
        let newest = 1 + bad
        let failures = fixture.follower.look()
        #expect(fixture.live == (bad == 10 ? 1 : nil))
        #expect(failures.isEmpty == (bad == 10))
        #expect(fixture.status.problem?.contains("SHA-256") == true)
        let tried = fixture.source.opened.withLock { $0 }
        #expect(tried == Array((newest - 10...newest).reversed()))
        fixture.follower.look()
        #expect(fixture.source.opened.withLock { $0 } == tried, "what was refused is not read again")
        fixture.source.openFailures.withLock { $0 = [:] }
        try fixture.publish(promote: nil)
        fixture.follower.look()
        #expect(fixture.live == newest + 1)
        #expect(fixture.loaded == [newest + 1])
    }

    @Test("files that are written over are told of once, and taken when they verify") func changedInPlace() throws {
        try fixture.publish()
        fixture.follower.look()
        let whole = try Data(contentsOf: URL(filePath: fixture.file(1)))
        _ = fixture.events()
        try overwrite(1, with: whole, in: fixture)
        for _ in 0..<2 { fixture.follower.look() }
        #expect(fixture.source.opened.withLock { $0 } == [1, 1])
        #expect(fixture.events().filter(\.isWarning).count == 1)
        #expect(fixture.status.problem == nil)
        var flipped = whole
        flipped[flipped.count / 2] ^= 1
        try overwrite(1, with: flipped, in: fixture)
        for _ in 0..<3 {
            fixture.follower.look()
            fixture.pass(seconds: 100)
        }
        #expect(fixture.source.opened.withLock { $0 } == [1, 1, 1])
        #expect(fixture.live == 1)
        #expect(fixture.status.problem?.contains("version 1 changed while it is loaded") == true)
        #expect(fixture.events().filter(\.isWarning).count == 2, "the change, and what verifying it says")
        try overwrite(1, with: whole, in: fixture)
        fixture.follower.look()
        #expect(fixture.status.problem == nil)
        #expect(fixture.loaded == [1])
        #expect(fixture.events().last == .recovered(model: name))
    }

    @Test("a load is told of the memory that loaded versions take") func memoryInUse() throws {
        try fixture.publish()
        fixture.follower.look()
        let bytes = try #require(fixture.store.plan.standard.live?.snapshot.mappedBytes)
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        fixture.follower.look()
        #expect(fixture.source.memoryBytesInUse.withLock { $0 } == [0, bytes])
        #expect(bytes > 0)
    }

    // MARK: Codes

    @Test("the first version checks its codes once it serves: damaged ones are told once, and are made here")
    func firstCodes() throws {
        try fixture.publish()
        let file = fixture.file(1, "codes.safetensors")
        let sound = try Data(contentsOf: URL(filePath: file))
        var damaged = sound
        damaged[sound.count / 2] ^= 1
        try damaged.write(to: URL(filePath: file))
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.events().filter(\.isWarning).isEmpty, "not looked at yet")
        let live = try #require(fixture.store.plan.standard.live)
        let modelBytes = live.snapshot.mappedBytes
        for _ in 0..<2 { fixture.follower.prepareLoaded() }
        let events = fixture.events()
        #expect(events.count == 1)
        let event = try #require(events.first)
        #expect(event.isError && event.isWarning)
        #expect(event.description.contains("\(file) has SHA-256"), "\(event)")
        #expect(live.snapshot.mappedBytes == modelBytes)
        #expect(fixture.live == 1)
    }

    @Test(
        "a version of an arm that is loaded while nothing is live is completed like a live one, and tells of damaged codes",
        arguments: [true, false])
    func armCodes(_ isRunning: Bool) throws {
        let fixture = try FollowFixture(arm: .alias("staging"))
        try fixture.publish()
        let arm = try fixture.publish(FollowFixture.contents(noise: 0.01), promote: "staging")
        fixture.source.openFailures.withLock { $0[1] = .wrongDigest(path: "1", got: "a", wanted: "b") }
        let file = fixture.file(arm, "codes.safetensors")
        let sound = try Data(contentsOf: URL(filePath: file))
        var damaged = sound
        damaged[damaged.count / 2] ^= 1
        try damaged.write(to: URL(filePath: file))
        fixture.follower.look(quietly: isRunning)
        if !isRunning { fixture.follower.prepareLoaded() }
        #expect(fixture.live == nil && fixture.loaded == [arm])
        let told = fixture.events().filter { if case .codesUnusable(_, arm, _) = $0 { true } else { false } }
        #expect(told.count == 1)
        let version = try #require(fixture.store.plan.standard.loaded.first)
        #expect(version.writtenItems != nil && version.snapshot.hasCodes)
        // What was completed then is what answers when the alias names it.
        try sound.write(to: URL(filePath: file))
        try fixture.registry.promote(name, version: arm, alias: "production")
        fixture.follower.look()
        #expect(fixture.live == arm)
    }

    @Test("sound codes are mapped, by the first version once it serves and by the next before it does")
    func mappedCodes() throws {
        func bytes(_ version: Int) throws -> Int {
            try ["model.safetensors", "codes.safetensors"].reduce(0) { sum, name in
                let data = try Data(contentsOf: URL(filePath: fixture.file(version, name)))
                return sum + data.count
            }
        }
        try fixture.publish()
        fixture.follower.look()
        fixture.follower.prepareLoaded()
        let first = try bytes(1)
        #expect(fixture.store.plan.standard.live?.snapshot.mappedBytes == first)
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        fixture.follower.look()
        #expect(fixture.live == 2)
        let second = try bytes(2)
        #expect(fixture.store.plan.standard.live?.snapshot.mappedBytes == second)
        #expect(fixture.events().filter(\.isWarning).isEmpty)
        try fixture.publish(FollowFixture.contents(noise: 0.02))
        var damaged = try Data(contentsOf: URL(filePath: fixture.file(3, "codes.safetensors")))
        damaged[damaged.count / 2] ^= 1
        try damaged.write(to: URL(filePath: fixture.file(3, "codes.safetensors")))
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.gate(3) == .verify)
    }

    // MARK: The operator

    @Test("a pin answers until the policy wants another version, or it is taken back") func pin() throws {
        try fixture.publish()
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        fixture.follower.look()
        #expect(!fixture.follower.pin(name, version: 1, force: false), "it has to be loaded first")
        for _ in 0..<2 {
            fixture.follower.look()
            #expect(fixture.live == 1)
        }
        fixture.follower.follow([name], force: false)
        fixture.follower.look()
        #expect(fixture.live == 2)
        _ = fixture.follower.pin(name, version: 1, force: false)
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.02))
        fixture.follower.look()
        #expect(fixture.live == 3)
        fixture.follower.look()
        #expect(fixture.live == 3, "the pin is over")
    }

    @Test("what is kept in memory answers again at once, also without the registry") func keepPrevious() throws {
        var settings = FollowSettings()
        settings.previousKept = 1
        let fixture = try FollowFixture(settings: settings)
        for seed in 0..<3 {
            try fixture.publish(FollowFixture.contents(noise: Float(seed) * 0.01))
            fixture.follower.look()
        }
        #expect(fixture.loaded == [2, 3])
        fixture.source.failure.withLock { $0 = .noRegistry(path: "gone") }
        #expect(fixture.follower.pin(name, version: 2, force: false))
        #expect(fixture.live == 2)
        fixture.source.failure.withLock { $0 = nil }
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.loaded == [2, 3])
        #expect(fixture.source.opened.withLock { $0 } == [1, 2, 3])
    }

    @Test("a wish that comes while another version loads is not overtaken by it") func wishDuringLoad() throws {
        var settings = FollowSettings()
        settings.previousKept = 1
        let fixture = try FollowFixture(settings: settings)
        try fixture.publish()
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.02))
        let follower = fixture.follower
        fixture.source.whileOpening.withLock {
            $0 = { version in if version == 3 { _ = follower.pin(FollowFixture.name, version: 1, force: false) } }
        }
        fixture.follower.look()
        #expect(fixture.live == 1)
        fixture.follower.look()
        #expect(fixture.live == 1)
    }

    @Test("a pin on a version that is not there says so and changes nothing") func missingPin() throws {
        try fixture.publish()
        fixture.follower.look()
        #expect(!fixture.follower.pin(name, version: 9, force: true))
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.status.problem == "version 9, which was asked for, is not in the registry")
        fixture.follower.follow([name], force: false)
        fixture.follower.look()
        #expect(fixture.status.problem == nil)
    }

    @Test("the thread follows when it is woken and ends when it is stopped") func thread() throws {
        try fixture.publish()
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(noise: 0.01))
        try fixture.follower.start()
        fixture.follower.wake()
        for _ in 0..<1000 where fixture.live != 2 { Thread.sleep(forTimeInterval: 0.01) }
        #expect(fixture.live == 2)
        fixture.follower.stop()
    }
}
