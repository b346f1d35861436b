import FactorModel
import ModelRegistry
import RecommendService
import Synchronization
import Testing

@Suite("Gates") struct GateTests {
    /// Serves version 1, publishes `next` as version 2 and looks.
    private func follow(
        _ next: ModelContents, after first: ModelContents = FollowFixture.contents(),
        _ settings: GateSettings = GateSettings(), ndcg: Double? = nil
    ) throws -> FollowFixture {
        var follow = FollowSettings()
        follow.gates = settings
        let fixture = try FollowFixture(settings: follow)
        try fixture.publish(first, ndcg: 1)
        fixture.follower.look()
        #expect(fixture.live == 1)
        try fixture.publish(next, ndcg: ndcg)
        fixture.follower.look()
        return fixture
    }

    private func expectRefused(_ fixture: FollowFixture, _ gate: Gate, _ words: String) {
        #expect(fixture.live == 1)
        #expect(fixture.gate(2) == gate)
        let reason = fixture.status.versions.first?.reason ?? ""
        #expect(reason.contains(words), "\(reason)")
    }

    @Test("a version that differs a little passes everything") func similar() throws {
        #expect(try follow(FollowFixture.contents(noise: 0.1)).live == 2)
    }

    @Test("ids that belong to other vectors are refused for their overlap") func overlap() throws {
        let other = FollowFixture.contents(users: 60, items: 2000, seed: 2)
        let fixture = try follow(other, after: FollowFixture.contents(users: 60, items: 2000))
        expectRefused(fixture, .overlap, "wanted at least 0.05")
        #expect(fixture.follower.pin(FollowFixture.name, version: 2, force: true) == false)
        fixture.follower.look()
        #expect(fixture.live == 2, "force lets it through")
    }

    @Test("too few users in common compare nothing, and that is noted") func fewUsers() throws {
        let fixture = try follow(
            FollowFixture.contents(users: 19, items: 2000, seed: 2),
            after: FollowFixture.contents(users: 19, items: 2000))
        #expect(fixture.live == 2)
        #expect(
            fixture.events().contains {
                if case .note(_, 2, let text) = $0 { text.contains("19 sampled users") } else { false }
            })
        let twenty = try follow(
            FollowFixture.contents(users: 20, items: 2000, seed: 2),
            after: FollowFixture.contents(users: 20, items: 2000))
        #expect(twenty.live == 1)
    }

    @Test("scores on another scale are refused, at the threshold and past it") func scoreShift() throws {
        expectRefused(try follow(FollowFixture.contents(scale: 2.25)), .scoreShift, "a share of 1.25")
        var settings = GateSettings()
        settings.scoreShiftMax = 1.3
        #expect(try follow(FollowFixture.contents(scale: 2.25), settings).live == 2)
    }

    @Test(
        "a metric of the manifest must reach its minimum",
        arguments: [(0.05, true), (0.049, false), (nil as Double?, false)])
    func metric(ndcg: Double?, passes: Bool) throws {
        var settings = GateSettings()
        settings.metricMins = [try #require(MetricMinimum("ndcg@10=0.05"))]
        let fixture = try follow(FollowFixture.contents(noise: 0.01), settings, ndcg: ndcg)
        if passes {
            #expect(fixture.live == 2)
        } else {
            expectRefused(
                fixture, .metric, ndcg == nil ? "has no evaluation" : "ndcg@10 is 0.049; wanted at least 0.05")
        }
    }

    @Test("the same ten items for everybody are refused") func coverage() throws {
        let first = FollowFixture.contents(users: 200, items: 1500)
        let fixture = try follow(FollowFixture.contents(users: 200, items: 1500, sameUsers: true), after: first)
        expectRefused(fixture, .coverage, "200 sampled users get 10 different items of 1500 possible ones")
    }

    @Test("a catalogue that lost more than half is refused, half is not") func catalogue() throws {
        expectRefused(
            try follow(FollowFixture.contents(items: 99)), .catalogue, "lacks 101 of the live version's 200 items")
        var settings = GateSettings()
        settings.overlapMin = 0
        #expect(try follow(FollowFixture.contents(items: 100), settings).live == 2)
    }

    @Test("what was refused beside one version is tried again beside another") func anotherLive() throws {
        let fixture = try follow(
            FollowFixture.contents(users: 60, items: 2000, seed: 2),
            after: FollowFixture.contents(users: 60, items: 2000))
        #expect(fixture.gate(2) == .overlap)
        fixture.follower.look()
        #expect(fixture.source.opened.withLock { $0 } == [1, 2], "refused once is enough")
        let third = try fixture.publish(FollowFixture.contents(users: 60, items: 2000, seed: 2, noise: 0.01))
        fixture.follower.look()
        #expect(fixture.gate(third) == .overlap)
        try fixture.registry.promote(FollowFixture.name, version: 2, alias: "production", force: true)
        fixture.follower.look()
        #expect(fixture.live == 2)
        try fixture.registry.promote(FollowFixture.name, version: third, alias: "production")
        fixture.follower.look()
        #expect(fixture.live == third)
    }

    @Test("force opens the gates for one version and one look only") func forceOnce() throws {
        let fixture = try follow(
            FollowFixture.contents(users: 60, items: 2000, noise: 0.01),
            after: FollowFixture.contents(users: 60, items: 2000))
        #expect(fixture.live == 2)
        fixture.follower.follow([FollowFixture.name], force: true)
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(users: 60, items: 2000, seed: 2))
        fixture.follower.look()
        #expect(fixture.live == 2, "the wish was over before this version came")
        #expect(fixture.gate(3) == .overlap)
    }

    @Test("a promotion by force lets through what was refused, on every server, until the alias moves on")
    func forcedPromotion()
        throws
    {
        let fixture = try follow(
            FollowFixture.contents(users: 60, items: 2000, seed: 2),
            after: FollowFixture.contents(users: 60, items: 2000))
        #expect(fixture.gate(2) == .overlap)
        let registry = fixture.registry
        try registry.promote(FollowFixture.name, version: 2, alias: "production", reason: "on purpose", force: true)
        #expect(try registry.forced(of: FollowFixture.name) == ["production": 2])
        #expect(try registry.aliasHistory(of: FollowFixture.name).last?.forced == true)
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(try registry.rollback(FollowFixture.name, alias: "production").version == 1)
        #expect(try registry.forced(of: FollowFixture.name).isEmpty)
        fixture.follower.look()
        #expect(fixture.live == 1, "a way back is not compared")
        try registry.promote(FollowFixture.name, version: 2, alias: "production")
        fixture.follower.look()
        #expect(fixture.live == 1, "the force was over")
        #expect(fixture.gate(2) == .overlap)
    }

    @Test(
        "force goes for those who follow the alias: an arm that does has the version, the policy of another alias refuses it"
    )
    func forceOfAnotherAlias() throws {
        let (name, staging) = (FollowFixture.name, VersionPolicy.alias("staging"))
        let fixture = try FollowFixture(arm: staging)
        try fixture.publish(FollowFixture.contents(users: 60, items: 2000))
        try fixture.publish(FollowFixture.contents(users: 60, items: 2000, seed: 2), promote: "staging")
        func arm() -> Int? { fixture.store.plan.standard.selected(staging)?.version }
        fixture.follower.look()
        #expect(arm() == nil)
        #expect(fixture.gate(2) == .overlap)
        try fixture.registry.promote(name, version: 2, alias: "staging", reason: "try it", force: true)
        fixture.follower.look()
        #expect(arm() == 2)
        #expect(fixture.live == 1)
        try fixture.registry.promote(name, version: 2, alias: "production")
        for _ in 0..<2 {
            fixture.follower.look()
            #expect(fixture.live == 1, "loaded for the arm, and for nobody else")
            #expect(fixture.status.problem?.contains("overlap") == true)
        }
        try fixture.registry.promote(name, version: 2, alias: "production", reason: "go", force: true)
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.status.problem == nil)
    }

    @Test(
        "force on an alias opens nothing to the newest version or a number",
        arguments: [.latest(1), .version(2)] as [VersionPolicy])
    func forceOfNoAlias(policy: VersionPolicy) throws {
        let fixture = try FollowFixture([FollowFixture.name: .latest(1)], arm: policy)
        try fixture.publish(FollowFixture.contents(users: 60, items: 2000), promote: nil)
        fixture.follower.look()
        try fixture.publish(FollowFixture.contents(users: 60, items: 2000, seed: 2), promote: nil)
        try fixture.registry.promote(
            FollowFixture.name, version: 2, alias: "staging", reason: "try it", force: true)
        fixture.follower.look()
        #expect(fixture.live == 1)
        #expect(fixture.gate(2) == .overlap)
        #expect(fixture.loaded == [1])
    }

    @Test("users are remembered by how recently they asked, of all loops alike") func recentUsers() {
        let recent = RecentUsers(loops: 2)
        #expect(recent.users.isEmpty)
        for row in (0..<RecentUsers.countPerLoop + 7).reversed() { recent.note(UserIndex(row), loop: 0) }
        for row in [500, 900, 3] { recent.note(UserIndex(row), loop: 1) }
        #expect(recent.users.prefix(5).map(\.row) == [0, 3, 1, 900, 2])
        #expect(recent.users.count == RecentUsers.countPerLoop + 2, "row 3 asked on both")
    }

    @Test("force does not open a damaged version") func forceDamaged() throws {
        let fixture = try follow(FollowFixture.contents(noise: 0.01))
        try fixture.publish(FollowFixture.contents(noise: 0.02), promote: nil)
        fixture.source.openFailures.withLock { $0[3] = .wrongDigest(path: "3", got: "a", wanted: "b") }
        _ = fixture.follower.pin(FollowFixture.name, version: 3, force: true)
        fixture.follower.look()
        #expect(fixture.live == 2)
        #expect(fixture.gate(3) == .verify)
    }

    @Test(
        "a minimum is a name and a value from 0 to 1",
        arguments: [
            ("ndcg@10=0.05", true), ("recall@10=0", true), ("map@10=1", true), ("coverage=0.5", true),
            ("ndcg=0.05", false), ("ndcg@10", false), ("ndcg@10=", false), ("ndcg@10=1.01", false),
            ("ndcg@10=-0.1", false), ("ndcg@10=nan", false), ("ndcg@10=0.1=2", false), ("", false),
        ])
    func minimum(text: String, isOne: Bool) { #expect((MetricMinimum(text) != nil) == isOne) }
}
