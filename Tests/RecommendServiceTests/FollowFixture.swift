import FactorModel
import ModelRegistry
import RecommendService
import Synchronization
import TestSupport

/// A registry on disk with versions made to order, followed look by look on the test's own thread, with a clock that the test moves.
final class FollowFixture {
    let directory: TemporaryDirectory
    let registry: Registry
    let source: ScriptedSource
    let store: ModelStore
    let follower: ModelFollower
    private let told = Told()
    private let time: Time

    private final class Told: Sendable {
        let events = Mutex<[FollowEvent]>([])
    }

    private final class Time: Sendable {
        let seconds = Mutex(0.0)
    }

    /// A registry that fails as it is told to.
    final class ScriptedSource: ModelSource {
        let registry: Registry
        /// Thrown by everything.
        let failure = Mutex<RegistryError?>(nil)
        /// Thrown by `open`, by version.
        let openFailures = Mutex<[Int: RegistryError]>([:])
        /// What each opening was told of the memory that others take.
        let memoryBytesInUse = Mutex<[Int]>([])
        let leaseFailure = Mutex<RegistryError?>(nil)
        /// Thrown by `keep`.
        let keepFailure = Mutex<RegistryError?>(nil)
        /// Called before a verdict is kept.
        let whileKeeping = Mutex<(@Sendable () -> Void)?>(nil)
        /// Versions opened, in order.
        let opened = Mutex<[Int]>([])
        /// Called before a version is opened.
        let whileOpening = Mutex<(@Sendable (Int) -> Void)?>(nil)

        init(_ registry: Registry) { self.registry = registry }

        private func check() throws(RegistryError) {
            if let error = failure.withLock({ $0 }) { throw error }
        }

        func versions(of model: String) throws(RegistryError) -> [Int] {
            try check()
            return try registry.versions(of: model)
        }

        func aliases(of model: String) throws(RegistryError) -> [String: Int] {
            try check()
            return try registry.aliases(of: model)
        }

        func forced(of model: String) throws(RegistryError) -> [String: Int] {
            try check()
            return try registry.forced(of: model)
        }

        func versions(wanted policy: VersionPolicy, of model: String) throws(RegistryError) -> [Int] {
            try check()
            return try registry.versions(wanted: policy, of: model)
        }

        func versions(before current: Int, of alias: String, model: String) throws(RegistryError) -> [Int] {
            try check()
            return try registry.versions(before: current, of: alias, model: model)
        }

        func lastChange(of alias: String, model: String) throws(RegistryError) -> AliasChange? {
            try check()
            return try registry.lastChange(of: alias, model: model)
        }

        func goldenAnswers(of model: String, version: Int) throws(RegistryError) -> GoldenAnswers? {
            try check()
            return try registry.goldenAnswers(of: model, version: version)
        }

        func verdicts(of model: String) throws(RegistryError) -> [GateVerdict] {
            try check()
            return try registry.verdicts(of: model)
        }

        func keep(_ verdict: GateVerdict, of model: String) throws(RegistryError) {
            whileKeeping.withLock { $0 }?()
            if let error = keepFailure.withLock({ $0 }) { throw error }
            try registry.keep(verdict, of: model)
        }

        func fingerprint(of model: String, version: Int) throws(RegistryError) -> VersionFingerprint? {
            try check()
            return try registry.fingerprint(of: model, version: version)
        }

        func open(_ model: String, version: Int, options: OpenOptions) throws(RegistryError) -> OpenedVersion {
            opened.withLock { $0.append(version) }
            memoryBytesInUse.withLock { $0.append(options.memoryBytesInUse) }
            whileOpening.withLock { $0 }?(version)
            if let error = openFailures.withLock({ $0[version] }) { throw error }
            return try registry.open(model, version: version, options: options)
        }

        func lease(_ model: String, version: Int) throws(RegistryError) -> ServingLease {
            if let error = leaseFailure.withLock({ $0 }) { throw error }
            return try registry.lease(model, version: version)
        }
    }

    static let name = "room-service"
    static let alias = VersionPolicy.alias("production")

    /// - Parameters:
    ///   - arm: a version beside the live one, for half of the guests of every model.
    ///   - before: another process of the same registry, which may have ended.
    init(
        _ policies: [String: VersionPolicy] = [name: alias], arm: VersionPolicy? = nil,
        settings: FollowSettings = FollowSettings(), after before: FollowFixture? = nil
    ) throws {
        directory = try before?.directory ?? TemporaryDirectory()
        registry = Registry(path: directory.file("models"))
        source = ScriptedSource(registry)
        let half = BasisPoints(clamping: 5000)
        let experiments = try arm.map { selector in
            [
                try Experiment(
                    name: "half",
                    arms: [
                        Experiment.Arm(name: "candidate", share: half, selector: selector),
                        Experiment.Arm(name: "control", share: half, selector: nil),
                    ])
            ]
        }
        let declarations = policies.sorted { $0.key > $1.key }.map {
            ModelDeclaration(name: $0.key, policy: $0.value, experiments: experiments ?? [])
        }
        store = ModelStore(declarations, loops: 1)
        let (told, time) = (told, Time())
        self.time = time
        follower = try ModelFollower(
            store, source, settings: settings, clock: { time.seconds.withLock { $0 } },
            report: { event in told.events.withLock { $0.append(event) } })
    }

    // MARK: Looking

    func pass(seconds: Double) { time.seconds.withLock { $0 += seconds } }

    /// The events since the last call.
    func events() -> [FollowEvent] {
        told.events.withLock { events in
            defer { events = [] }
            return events
        }
    }

    var live: Int? { store.plan.standard.live?.version }
    var loaded: [Int] { store.plan.standard.loaded.map(\.version).sorted() }
    var status: ModelStatus {
        guard let status = store.status(of: Self.name) else { preconditionFailure("BUG: \(Self.name) is not declared") }
        return status
    }

    func state(_ version: Int) -> VersionState? { status.versions.first { $0.version == version }?.state }
    func gate(_ version: Int) -> Gate? { status.versions.first { $0.version == version }?.gate }

    // MARK: Publishing

    /// A model of `users` × `items`, learned from nothing: random vectors of `seed`, mostly positive, with a little of `noise`.
    static func contents(
        users: Int = 60, items: Int = 200, seed: UInt64 = 1, noise: Float = 0, scale: Float = 1, firstItem: Int = 0,
        sameUsers: Bool = false
    ) -> ModelContents {
        let factors = 8
        var base = SplitMix64(seed: seed)
        var other = SplitMix64(seed: 1000 + seed + UInt64(noise * 1e6))
        func vectors(_ count: Int, same: Bool = false) -> [Float] {
            let first = (0..<factors).map { _ in Float.random(in: -1...1, using: &base) }
            return (0..<count).flatMap { _ in
                (0..<factors).map { factor in
                    let value = same ? first[factor] : Float.random(in: -1...1, using: &base)
                    return scale.squareRoot() * (value + noise * Float.random(in: -1...1, using: &other))
                }
            }
        }
        return ModelContents(
            userIDs: (0..<users).map { "u\($0)" },
            catalogue: Catalogue(
                itemIDs: (0..<items).map { "i\($0 + firstItem)" }, names: Array(repeating: "", count: items),
                prices: Array(repeating: nil, count: items), departmentIDs: Array(repeating: nil, count: items),
                hotelIDs: ["h"], hotelItems: [Array(0..<UInt32(items))]),
            factors: Factors(
                factorCount: factors, userFactors: vectors(users, same: sameUsers), itemFactors: vectors(items)),
            interactions: InteractionMatrix(
                rowCount: users, columnCount: items, indptr: Array(repeating: 0, count: users + 1), indices: [],
                values: []),
            itemPopularity: Array(repeating: 1, count: items))
    }

    /// Factors of a model whose users have none: it has no golden queries.
    static func noVectors(like contents: ModelContents) -> Factors {
        let factors = contents.factors
        return Factors(
            factorCount: factors.factorCount, userFactors: Array(repeating: 0, count: factors.userFactors.count),
            itemFactors: factors.itemFactors)
    }

    @discardableResult
    func publish(
        _ contents: ModelContents = contents(), model: String = name, promote alias: String? = "production",
        ndcg: Double? = nil
    ) throws -> Int {
        var draft = ManifestDraft(lineage: LineageRecord(command: "test", build: "test", sources: []))
        if let ndcg {
            let metrics = EvaluationRecord.Metrics(recall: ndcg, ndcg: ndcg, map: ndcg, coverage: ndcg)
            draft.evaluation = EvaluationRecord(method: "test", k: 10, users: 1, als: metrics, popularity: metrics)
        }
        return try registry.publish(model: model, contents: contents, manifest: draft, promote: alias)
    }

    func file(_ version: Int, _ name: String = "model.safetensors") -> String {
        directory.file("models/room-service/\(version)/\(name)")
    }
}
