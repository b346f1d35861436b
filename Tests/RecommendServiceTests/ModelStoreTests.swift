import FactorModel
import Foundation
import ModelRegistry
import RecommendService
import Synchronization
import TestSupport
import Testing

@Suite("The models of a process") struct ModelStoreTests {
    let fixture: ServiceFixture
    let store: ModelStore

    init() throws {
        fixture = try ServiceFixture()
        store = ModelStore([ModelDeclaration(name: "room-service", policy: .latest(2))], loops: 2)
    }

    private func publish(_ version: Int, live: Bool = true) {
        store.publish(fixture.served(version: version), live: live)
    }

    @Test("a plan never changes; a reader sees the newest one at its next request") func plans() {
        let reader = store.reader(loop: 0)
        #expect(reader.plan().standard.live == nil)
        publish(1)
        let first = reader.plan()
        publish(2)
        #expect(first.standard.live?.version == 1)
        #expect(reader.plan().standard.live?.version == 2)
        #expect(reader.plan().standard.others.map(\.version) == [1])
        #expect(reader.plan().generation == first.generation + 1)
    }

    @Test("a ready version becomes live at once, one that is not loaded never") func makeLive() {
        publish(1)
        publish(2)
        publish(3, live: false)
        #expect(store.plan.standard.live?.version == 2)
        #expect(store.plan.standard.others.map(\.version) == [3, 1])
        #expect(store.makeLive("room-service", version: 1))
        #expect(!store.makeLive("room-service", version: 9))
        #expect(!store.makeLive("other", version: 1))
        #expect(store.plan.standard.live?.version == 1)
        #expect(store.plan.standard.version(3)?.version == 3)
    }

    @Test("a retired version is let go of once no request holds it, also by a loop that gets none") func reclaim() {
        publish(1)
        let busy = store.reader(loop: 0)
        let idle = store.reader(loop: 1)
        _ = idle.plan()
        weak var first: ServedModel?
        var request: ServingPlan? = busy.plan()
        first = request?.standard.live
        publish(2)
        store.retire("room-service", versions: [1, 2])
        #expect(store.plan.standard.loaded.map(\.version) == [2], "the live version is never retired")
        #expect(store.reclaim() == 1, "a request still holds it")
        #expect(first != nil)
        withExtendedLifetime(request) {}
        request = nil
        #expect(store.reclaim() == 0)
        #expect(first == nil)
        #expect(idle.plan().standard.live?.version == 2)
    }

    @Test("who still hands marks to a version that is let go of does not keep it in memory") func marksOfRetired()
        throws
    {
        var model: ServedModel? = ServedModel(
            name: "room-service", version: 1,
            snapshot: try ModelSnapshot.open(path: fixture.directory.file("model.safetensors")), manifest: [],
            createdAt: 0, loadedAt: 0, loadSeconds: 0, loops: 2)
        weak var snapshot: ModelSnapshot?
        snapshot = model?.snapshot
        let target = try #require(model?.unavailableTarget)
        if let model { store.publish(model) }
        model = nil
        publish(2)
        store.retire("room-service", versions: [1])
        #expect(snapshot != nil)
        #expect(store.reclaim() == 0)
        #expect(snapshot == nil)
        withExtendedLifetime(target) {}
    }

    /// Says on which thread it went away.
    private final class Witness: Sendable {
        let place: Place

        final class Place: Sendable {
            let name = Mutex<String?>(nil)
        }

        init(_ place: Place) { self.place = place }

        deinit {
            let name = threadName()
            place.name.withLock { $0 = name }
        }
    }

    @Test("a look that found nothing new moves the time of the last look, of models that were looked at")
    func unchanged()
        throws
    {
        let fixture = try FollowFixture()
        fixture.store.noteUnchanged(at: 1)
        #expect(fixture.status.lookedAt == nil)
        try fixture.publish()
        fixture.follower.look()
        fixture.store.noteUnchanged(at: 4e9)
        #expect(fixture.status.lookedAt == 4e9)
    }

    @Test("a version goes away on the loader's thread, whoever ended the last request of it") func thread() {
        let place = Witness.Place()
        store.publish(
            ServedModel(
                name: "room-service", version: 1, snapshot: fixture.snapshot, manifest: [], createdAt: 0, loadedAt: 0,
                loadSeconds: 0, loops: 2, lease: Witness(place)))
        let reader = store.reader(loop: 0)
        var request: ServingPlan? = reader.plan()
        publish(2)
        store.retire("room-service", versions: [1])
        let loader = LowPriorityThread()
        #expect(store.reclaim(on: loader) == 1)
        withExtendedLifetime(request) {}
        request = nil
        #expect(reader.plan().standard.live?.version == 2)
        #expect(place.name.withLock { $0 } == nil, "no loop lets go of it")
        #expect(store.reclaim(on: loader) == 0)
        #expect(place.name.withLock { $0 } == "model-loader")
    }

    @Test("the state of a version is what happened to it last") func states() {
        store.noteRegistry("room-service", versions: [1, 2, 3, 4], aliases: ["staging": 3], at: 10)
        publish(1)
        store.noteLoading("room-service", version: 2, at: 11)
        store.noteRejected("room-service", version: 3, gate: .overlap, reason: "too far off", at: 12)
        let status = store.status(of: "room-service")
        #expect(status?.versions.map(\.version) == [4, 3, 2, 1])
        #expect(status?.versions.map(\.state) == [.available, .rejected, .loading, .ready])
        #expect(status?.versions.map(\.gate) == [nil, .overlap, nil, nil])
        #expect(status?.versions[1].reason == "too far off")
        #expect(status?.aliases == ["staging": 3])
        #expect(status?.live == 1)
        store.noteRegistry("room-service", versions: [4], aliases: [:], at: 13)
        #expect(store.status(of: "room-service")?.versions.map(\.version) == [4, 2, 1], "1 is gone and still served")
        publish(2)
        #expect(store.status(of: "room-service")?.versions[1].state == .ready)
        #expect(store.status(of: "other") == nil)
    }
}
