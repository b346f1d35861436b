import FactorModel
package import ModelRegistry
import Synchronization

/// The models of a process: for each its policy, the versions that are loaded, the one that answers, and where every other
/// version stands.
///
/// Loops take an immutable ``ServingPlan`` a request through a ``PlanReader``. Everything else here is rare and goes through one
/// lock. A version that is no longer wanted stays mapped until the last request that took it has ended, and is then unmapped by whoever
/// calls ``reclaim(on:)``: never by a loop, for which giving back a gigabyte of pages is milliseconds in which it answers nobody.
package final class ModelStore: Sendable {
    /// Loops that answer from here, each with a shard of every version's counters.
    package let loops: Int
    private let state: Mutex<State>
    /// The generation of the newest plan, for readers to compare with their own.
    private let generation: Atomic<Int>
    /// What each loop holds.
    private let cells: [PlanCell]

    struct State {
        var entries: [Entry]
        var plan: ServingPlan
        /// No longer in the plan, perhaps still in a request.
        var retired: [ServedModel] = []
        var loads: [LoadResult: Int] = [:]
        var rejections: [Rejection: Int] = [:]
    }

    /// - Parameter models: what is served, by which policy; the first answers requests that name no model.
    package init(_ models: [ModelDeclaration], loops: Int) {
        precondition(Set(models.map(\.name)).count == models.count, "BUG: a model declared twice")
        self.loops = loops
        let entries = models.map { Entry(declaration: $0, loops: loops) }
        state = Mutex(State(entries: entries, plan: ServingPlan(generation: 0, models: entries.map(\.plan))))
        generation = Atomic(0)
        cells = (0..<loops).map { _ in PlanCell() }
    }

    // MARK: Readers

    /// The plan now, for those who ask rarely.
    package var plan: ServingPlan { state.withLock { $0.plan } }

    /// The view of one loop: made once, asked once a request.
    package func reader(loop: Int) -> PlanReader { PlanReader(store: self, cell: cells[loop]) }

    /// The generation of the newest plan.
    var newestGeneration: Int { generation.load(ordering: .acquiring) }

    // MARK: Changes

    /// Adds a loaded version, and makes it the one that answers unless told not to.
    ///
    /// - Precondition: of a declared model.
    package func publish(_ model: ServedModel, live: Bool = true) {
        change { state in
            guard let place = state.place(of: model.name) else {
                preconditionFailure("BUG: '\(model.name)' is not declared")
            }
            if let earlier = state.entries[place].loaded.updateValue(model, forKey: model.version) {
                state.retired.append(earlier)
            }
            state.entries[place].notes[model.version] = nil
            if live { state.entries[place].setLive(model.version) }
        }
    }

    /// Makes a loaded version the one that answers: immediate, for nothing is read.
    ///
    /// - Parameter isForced: false to leave out one that a gate refused and force let in for somebody else.
    /// - Returns: false when it is not loaded, or left out.
    package func makeLive(_ name: String, version: Int, isForced: Bool = true) -> Bool {
        change { state in
            guard let place = state.place(of: name), state.entries[place].mayBeLive(version, isForced: isForced)
            else { return false }
            state.entries[place].setLive(version)
            return true
        }
    }

    /// Whether a version is loaded and could answer without force.
    func mayBeLive(_ name: String, version: Int) -> Bool {
        note { state in
            state.place(of: name).map { state.entries[$0].mayBeLive(version, isForced: false) } ?? false
        }
    }

    /// Says by which version each selector of a model's experiments and shadow is answered now.
    package func select(_ name: String, _ selections: [(selector: VersionPolicy, version: Int)]) {
        let isNews = note { state in
            state.place(of: name).map { place in
                !state.entries[place].selections.elementsEqual(selections, by: ==)
            } ?? false
        }
        guard isNews else { return }
        change { state in
            if let place = state.place(of: name) { state.entries[place].selections = selections }
        }
    }

    /// Versions that are wanted beside those of a model's policy.
    func selectors(of name: String) -> [VersionPolicy] {
        note { state in state.place(of: name).map { state.entries[$0].declaration.selectors } ?? [] }
    }

    /// Lets go of loaded versions other than the live one. Requests that took one end with it.
    package func retire(_ name: String, versions: Set<Int>) {
        change { state in
            guard let place = state.place(of: name) else { return }
            for version in versions where version != state.entries[place].live {
                if let model = state.entries[place].loaded.removeValue(forKey: version) { state.retired.append(model) }
            }
        }
    }

    /// Changes the models and gives loops a new plan.
    private func change<R>(_ body: (inout State) -> R) -> R {
        state.withLock { state in
            let result = body(&state)
            state.plan = ServingPlan(generation: state.plan.generation + 1, models: state.entries.map(\.plan))
            // Releasing, inside the lock: whoever sees the number finds the plan behind the lock.
            generation.store(state.plan.generation, ordering: .releasing)
            return result
        }
    }

    // MARK: What is known

    /// Notes and looks that change no plan.
    func note<R: Sendable>(_ body: (inout State) -> R) -> R { state.withLock { body(&$0) } }

    // MARK: Memory

    /// Bytes of all versions that are mapped, also of those that only a request still holds.
    var mappedBytes: Int {
        state.withLock { state in
            let loaded = state.entries.flatMap(\.loaded.values) + state.retired
            return loaded.reduce(0) { $0 + $1.snapshot.mappedBytes }
        }
    }

    /// Bytes of the versions that other models are loading, which are nowhere else counted yet.
    func loadingBytes(besides name: String) -> Int {
        note { $0.entries.reduce(0) { $0 + ($1.declaration.name == name ? 0 : $1.loadingBytes) } }
    }

    /// Takes old plans from loops that are between two requests, and unmaps what nobody uses any more.
    ///
    /// - Parameter thread: where it is unmapped; nil for the calling thread.
    /// - Returns: how many versions still wait for a request to end.
    @discardableResult
    package func reclaim(on thread: LowPriorityThread? = nil) -> Int {
        let newest = newestGeneration
        for cell in cells { cell.dropPlan(olderThan: newest) }
        let unused = Handed<[ServedModel]>()
        let waiting = state.withLock { state in
            var found: [ServedModel] = []
            var place = 0
            while place < state.retired.count {
                if isKnownUniquelyReferenced(&state.retired[place]) {
                    found.append(state.retired.remove(at: place))
                } else {
                    place += 1
                }
            }
            // Those who hand out marks may still look at them.
            let targets = found.map(\.unavailableTarget)
            unused.give(found)
            return (count: state.retired.count, targets: targets)
        }
        if waiting.targets.isEmpty { return waiting.count }
        // Outside the lock, for they may be at it.
        for target in waiting.targets { target.letGo() }
        // Outside the lock; taken there, so that these are the last references.
        let unmap: @Sendable () -> Void = { if let models = unused.take() { Self.unmap(models) } }
        if let thread { thread.run(unmap) } else { unmap() }
        return waiting.count
    }

    /// Pages first, in pieces: unmapping a gigabyte in one call keeps the core to itself for milliseconds.
    private static func unmap(_ models: consuming [ServedModel]) {
        for model in models { model.snapshot.releasePages() }
    }
}

extension ModelStore.State {
    func place(of name: String) -> Int? { entries.firstIndex { $0.declaration.name == name } }
}

/// One declared model.
struct Entry {
    let declaration: ModelDeclaration
    var loaded: [Int: ServedModel] = [:]
    private(set) var live: Int?
    /// How often the version that answers changed, the first one not counted.
    private(set) var swaps = 0
    /// Versions that are being loaded or were rejected.
    var notes: [Int: VersionStatus] = [:]
    /// What the registry held at the last look, ascending.
    var available: [Int] = []
    var aliases: [String: Int] = [:]
    var problem: String?
    /// Refusals that were taken back, by version.
    var takenBack: [Int: GateVerdict] = [:]
    /// The version that the policy wants, while another answers in its place.
    var standsInFor: Int?
    var lookedAt: Double?
    /// Loaded versions that a gate refused and force let in, for whoever asked for them by force.
    var letThrough: Set<Int> = []
    /// Of the files of the version that is being loaded.
    var loadingBytes = 0

    let experiments: ModelExperiments?
    let shadow: Shadow?
    /// The version that each selector of an experiment or the shadow is answered by.
    var selections: [(selector: VersionPolicy, version: Int)] = []

    init(declaration: ModelDeclaration, loops: Int) {
        self.declaration = declaration
        experiments =
            declaration.experiments.isEmpty
            ? nil : ModelExperiments(model: declaration.name, declaration.experiments, loops: loops)
        shadow = declaration.shadow.map { Shadow(model: declaration.name, $0) }
    }

    func mayBeLive(_ version: Int, isForced: Bool) -> Bool {
        loaded[version] != nil && (isForced || live == version || !letThrough.contains(version))
    }

    /// - Precondition: the version is loaded.
    mutating func setLive(_ version: Int) {
        precondition(loaded[version] != nil, "BUG: version \(version) is not loaded")
        if let live, live != version { swaps += 1 }
        live = version
        if standsInFor == version { standsInFor = nil }
    }

    var plan: ModelPlan {
        ModelPlan(
            name: declaration.name, policy: declaration.policy, live: live.flatMap { loaded[$0] },
            others: loaded.values.filter { $0.version != live }.sorted { $0.version > $1.version },
            selections: selections.compactMap { selection in
                loaded[selection.version].map { (selection.selector, $0) }
            }, experiments: experiments, shadow: shadow)
    }
}
