import FactorModel
import Foundation
import ModelRegistry
import TestSupport
import Testing

@testable import RecommendService

@Suite("The shadow") struct ShadowTests {
    private func fixture(_ percent: String = "100", selected: Bool = true) throws -> ServiceFixture {
        let share = try #require(BasisPoints(percent: percent))
        let fixture = try ServiceFixture(shadow: ShadowDeclaration(selector: .alias("staging"), share: share))
        fixture.service.models.publish(fixture.served(version: 8), live: false)
        if selected { fixture.service.models.select("room-service", [(.alias("staging"), 8)]) }
        return fixture
    }

    private func worker(_ fixture: ServiceFixture) throws -> ShadowWorker {
        let shadow = try #require(fixture.service.models.plan.standard.shadow)
        return ShadowWorker(fixture.service.models, model: "room-service", shadow)
    }

    private let labels = "{model=\"room-service\",version=\"8\"}"

    @Test("it answers what the live version answered, by query and by body, and tells what it saw")
    func compares() throws {
        let fixture = try fixture()
        let worker = try worker(fixture)
        let answers = [
            try fixture.get("/recommend?user_id=ann&k=3"), try fixture.get("/recommend?user_id=stranger"),
            try fixture.post("/recommend", "{\"user_id\":\"bob\",\"basket\":[{\"item_id\":\"a\"}]}"),
        ]
        #expect(answers.allSatisfy { $0.header("X-Model-Version") == "7" })
        worker.drain()
        let metrics = try fixture.get("/metrics").body
        #expect(metrics.contains("nextloop_shadow_requests_total\(labels) 3"))
        // The same factors: all the same items, no shift.
        #expect(metrics.contains("nextloop_shadow_overlap_ratio_sum\(labels) 3"))
        #expect(metrics.contains("nextloop_shadow_score_shift_ratio_sum\(labels) 0"))
        // The stranger's is no inner product.
        #expect(metrics.contains("nextloop_shadow_score_shift_ratio_count\(labels) 2"))
    }

    @Test("it samples its share, evenly")
    func sample() throws {
        let fixture = try fixture("12.5")
        let worker = try worker(fixture)
        for _ in 0..<80 { _ = try fixture.get("/recommend?user_id=ann") }
        worker.drain()
        #expect(try fixture.get("/metrics").body.contains("nextloop_shadow_requests_total\(labels) 10"))
    }

    @Test("requests that got no answer, and other endpoints, are not sampled")
    func others() throws {
        let fixture = try fixture()
        let worker = try worker(fixture)
        _ = try fixture.get("/recommend?user_id=ann&k=0")
        _ = try fixture.get("/popular")
        _ = try fixture.bulk(["{\"user_id\":\"ann\"}"])
        worker.drain()
        #expect(try !fixture.get("/metrics").body.contains("nextloop_shadow_requests_total"))
    }

    @Test("more than it can take is dropped and counted")
    func dropped() throws {
        let fixture = try fixture()
        for _ in 0..<Shadow.queueMax + 3 { _ = try fixture.get("/recommend?user_id=ann") }
        #expect(try fixture.get("/metrics").body.contains("nextloop_shadow_dropped_total{model=\"room-service\"} 3"))
        let worker = try worker(fixture)
        worker.drain()
        #expect(try fixture.get("/metrics").body.contains("nextloop_shadow_requests_total\(labels) \(Shadow.queueMax)"))
    }

    @Test("without its version, requests are dropped, not kept")
    func noVersion() throws {
        let fixture = try fixture(selected: false)
        _ = try fixture.get("/recommend?user_id=ann")
        let worker = try worker(fixture)
        worker.drain()
        #expect(try fixture.get("/metrics").body.contains("nextloop_shadow_dropped_total{model=\"room-service\"} 1"))
    }

    @Test("what is unavailable is unavailable to it too")
    func unavailable() throws {
        let fixture = try fixture()
        let mark = UnavailableItem(itemID: "c", since: Date())
        for model in fixture.service.models.plan.standard.loaded {
            model.unavailable.replace(with: UnavailableRows([mark], model.snapshot))
        }
        _ = try fixture.get("/recommend?user_id=ann")
        let worker = try worker(fixture)
        worker.drain()
        #expect(try fixture.get("/metrics").body.contains("nextloop_shadow_overlap_ratio_sum\(labels) 1"))
    }

    @Test("overlap and shift by hand")
    func numbers() {
        func ranked(_ ids: [String], _ scores: [Float], isByVector: Bool = true) -> RankedIDs {
            RankedIDs(ids: ids.map { Array($0.utf8) }, scores: scores, isByVector: isByVector)
        }
        typealias Numbers = ShadowMetrics.OfVersion
        #expect(Numbers.overlap(ranked(["a", "b"], [1, 1]), ranked(["b", "c"], [1, 1])) == 0.5)
        #expect(Numbers.overlap(ranked([], []), ranked([], [])) == 1)
        #expect(Numbers.overlap(ranked([], []), ranked(["a"], [1])) == 0)
        #expect(Numbers.scoreShift(ranked(["a"], [2]), ranked(["a"], [3])) == 0.5)
        #expect(Numbers.scoreShift(ranked(["a"], [0]), ranked(["a"], [0])) == 0)
        #expect(Numbers.scoreShift(ranked(["a"], [1]), ranked(["a"], [1], isByVector: false)) == nil)
        #expect(Numbers.scoreShift(ranked([], []), ranked(["a"], [1])) == nil)
    }
}
