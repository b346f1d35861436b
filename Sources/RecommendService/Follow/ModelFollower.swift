import CLinux
import Dispatch
import FoundationEssentials
package import HTTPServer
package import ModelRegistry
import Synchronization

/// Keeps a ``ModelStore`` at what the registry and the operator want: resolves policies, loads, verifies, warms, compares, swaps, and gives
/// back memory.
///
/// Everything long (reading, verifying, warming, comparing, unmapping) happens on a thread of low priority, everything that loops may wait for
/// on one of theirs: a thread that is put aside while it holds a lock would stop them all. Loops see nothing of it but a new plan. What cannot be had leaves everything as it is: a registry that disappears, an alias that points nowhere or a version that is bad cost a message, never
/// the version that answers.
package final class ModelFollower: Sendable {
    package let store: ModelStore
    /// Where looks read.
    let source: QuietSource
    /// Reads, loads and unmaps what loops must not wait for.
    let thread = LowPriorityThread()
    let settings: FollowSettings
    /// Completes a version before anybody gets an answer from it.
    let prepare: @Sendable (ServedModel) -> Void
    let report: @Sendable (FollowEvent) -> Void
    /// Seconds that only go forward.
    let clock: @Sendable () -> Double
    /// Held during a look: there is one at a time.
    let progress: Mutex<[String: Progress]>
    private let wishes = Mutex(Wishes())
    private let wakeups = DispatchSemaphore(value: 0)
    private let isStopped = Atomic<Bool>(false)

    /// What an operator asked for, whenever it is looked at.
    private struct Wishes {
        var pins: [String: Pin] = [:]
        /// Versions to be let through the gates.
        var forced: Set<ForcedVersion> = []
        /// Models whose refused versions are to be tried again.
        var retried: Set<String> = []
    }

    struct Pin: Equatable {
        let version: Int
        /// What the policy wanted first when the follower met the pin: once it wants another, the pin is over.
        var policyWanted: Int?
    }

    private struct ForcedVersion: Hashable {
        let model: String
        let version: Int
    }

    /// What is known of one model from the looks before.
    struct Progress {
        var attempts = Attempts()
        var problem: FollowFailure?
        /// The version to answer with, as of the last look that could tell.
        var wanted: Int?
        /// Versions that were live, the last first.
        var previous: [Int] = []
        var hasLeaseComplaint = false
        /// Selectors that name no version, of which a message has told.
        var unselected: [VersionPolicy] = []
        /// Loaded versions that a gate refused and force let through: only those whom the force was for may be answered by them.
        var letThrough: [Int: FollowFailure] = [:]
        /// Loaded versions that came in by force and were compared with none: nobody knows that they are good.
        var unproven: Set<Int> = []
        /// Of the files of loaded versions, before they were read.
        var fingerprints: [Int: VersionFingerprint] = [:]
        /// What the comparing gates said at the last load of a version, until it is kept.
        var findings: [Int: Finding] = [:]
        /// Loaded versions that were compared with none, until that is told or they go, and whether no version before them was left.
        var uncompared: [Int: Bool] = [:]
        /// Versions of which the registry says that they were refused.
        var held: Set<Int> = []
        /// Refusals that were written down, or were to be.
        var keepings: [Int: Keeping] = [:]
        /// Versions that answered here without force, with the state of their files: going back to one needs no proof.
        var wereLive: [Int: VersionFingerprint] = [:]
        /// Whether a message has told that verdicts cannot be read.
        var hasVerdictComplaint = false
        /// Loaded versions whose files are others by now, of which a message has told.
        var changed: Set<Int> = []

        mutating func keepOnly(loaded: [Int], wanted: [Int], known: [Int]) {
            letThrough = letThrough.filter { loaded.contains($0.key) }
            fingerprints = fingerprints.filter { loaded.contains($0.key) }
            changed.formIntersection(loaded)
            unproven.formIntersection(loaded)
            uncompared = uncompared.filter { loaded.contains($0.key) }
            findings = [:]
            held.formIntersection(wanted)
            keepings = keepings.filter { wanted.contains($0.key) }
            wereLive = wereLive.filter { known.contains($0.key) }
        }

        /// Puts off what was due and could not be tried.
        mutating func postpone(now: Double, _ settings: FollowSettings) {
            attempts.postpone(now: now, settings)
            for version in keepings.keys { keepings[version]?.postpone(now: now, settings) }
        }

        /// When something is due that waiting may help.
        var nextAttempt: Double? {
            (keepings.values.map(\.next) + [attempts.nextAttempt]).compactMap { $0 }.min()
        }
    }

    package init(
        _ store: ModelStore, _ source: any ModelSource, settings: FollowSettings = FollowSettings(),
        clock: @escaping @Sendable () -> Double = { Double(DispatchTime.now().uptimeNanoseconds) * 1e-9 },
        prepare: @escaping @Sendable (ServedModel) -> Void = { _ in },
        report: @escaping @Sendable (FollowEvent) -> Void
    ) {
        self.store = store
        self.source = QuietSource(source, thread: thread)
        self.settings = settings
        self.clock = clock
        self.prepare = prepare
        self.report = report
        progress = Mutex([:])
    }

    // MARK: Running

    /// Looks once, and waits for what has to be loaded.
    ///
    /// - Parameter quietly: loads on a thread of low priority instead of the calling one.
    /// - Returns: why models have no version that can answer, by name; empty when all have one.
    @discardableResult
    package func look(quietly: Bool = false) -> [String: FollowFailure] {
        progress.withLock { progress in
            source.beQuiet(quietly)
            var failures: [String: FollowFailure] = [:]
            // Not the plan itself: what holds it holds its versions in memory.
            for (name, policy) in store.plan.models.map({ ($0.name, $0.policy) }) {
                look(at: name, policy, quietly: quietly, &progress[name, default: Progress()])
                store.reclaim(on: quietly ? thread : nil)
                if store.plan.model(named: name)?.live == nil { failures[name] = progress[name]?.problem }
            }
            return failures
        }
    }

    /// Follows until ``stop()``: looks whenever it is woken or an attempt is due, and unmaps what no request uses any more.
    package func run() {
        while !isStopped.load(ordering: .relaxed) {
            let isWoken = wakeups.wait(timeout: .now() + pause()) == .success
            // Many reasons to look are one.
            while wakeups.wait(timeout: .now()) == .success {}
            if isStopped.load(ordering: .relaxed) { return }
            if isWoken || isAttemptDue { look(quietly: true) }
        }
    }

    /// Starts ``run()`` on a thread of its own.
    package func start() throws(SystemError) {
        try POSIXThread.detach(name: "model-follower") { self.run() }
    }

    package func stop() {
        isStopped.store(true, ordering: .relaxed)
        wakeups.signal()
    }

    /// Looks soon, on the follower's thread.
    package func wake() { wakeups.signal() }

    /// Seconds until there is something to do although nobody asks: an hour when there is nothing.
    private func pause() -> Double {
        if store.reclaim(on: thread) > 0 { return Self.reclaimSeconds }
        return nextAttempt.map { max(0.05, $0 - clock()) } ?? 3600
    }

    /// When the next attempt that waiting may help is due, on the follower's clock; nil when there is none.
    package var nextAttempt: Double? {
        progress.withLock { $0.values.compactMap(\.nextAttempt).min() }
    }

    /// Not every pause ends with a reason to look: some are only for ``ModelStore/reclaim(on:)``.
    private var isAttemptDue: Bool { nextAttempt.map { $0 <= clock() } ?? false }

    /// Between two looks at whether the requests that hold an old version have ended.
    private static let reclaimSeconds = 0.05

    // MARK: The operator

    /// Asks for a version, whatever the policy wants, until the policy wants another or ``follow(_:)`` is called.
    ///
    /// A version that is loaded answers at once; another is loaded on the follower's thread.
    ///
    /// - Parameter force: let it through the gates. It is verified all the same: what is damaged never answers.
    /// - Returns: whether it answers already.
    package func pin(_ model: String, version: Int, force: Bool) -> Bool {
        wishes.withLock { wishes in
            wishes.pins[model] = Pin(version: version)
            if force { wishes.forced.insert(ForcedVersion(model: model, version: version)) }
        }
        let before = store.plan.model(named: model)?.live?.version
        let isLive = store.makeLive(model, version: version)
        if isLive, before != version { report(.live(model: model, version: version, before: before)) }
        wake()
        return isLive
    }

    /// Goes back to the policies of models, and looks soon, also at what was refused before. With `force`, what a policy wants is let
    /// through the gates.
    package func follow(_ models: [String], force: Bool) {
        wishes.withLock { wishes in
            for model in models {
                wishes.pins[model] = nil
                if force { wishes.forced.insert(ForcedVersion(model: model, version: Self.anyVersion)) }
            }
            wishes.retried.formUnion(models)
        }
        wake()
    }

    /// Looks soon, also at what was refused before.
    package func lookAgain() {
        let models = store.plan.models.map(\.name)
        wishes.withLock { $0.retried.formUnion(models) }
        wake()
    }

    /// Stands for whatever version the policy wants at the next look.
    private static let anyVersion = 0

    /// The pin of a model as it counts now that the policy wants `wanted` first.
    func pin(of model: String, policyWanted wanted: Int?) -> Int? {
        wishes.withLock { wishes in
            guard var pin = wishes.pins[model] else { return nil }
            guard let wanted else { return pin.version }
            if let first = pin.policyWanted, first != wanted {
                wishes.pins[model] = nil
                return nil
            }
            pin.policyWanted = wanted
            wishes.pins[model] = pin
            return pin.version
        }
    }

    /// The versions of a model that the operator lets through the gates, for one look: a wish that is not met by it is over, so that it
    /// never opens the gates to another version later.
    func takeForced(_ model: String) -> ForcedVersions {
        wishes.withLock { wishes in
            let forced = wishes.forced.filter { $0.model == model }
            wishes.forced.subtract(forced)
            return ForcedVersions(numbers: Set(forced.map(\.version)))
        }
    }

    struct ForcedVersions {
        fileprivate let numbers: Set<Int>

        func contains(_ version: Int) -> Bool { numbers.contains(version) || numbers.contains(anyVersion) }
    }

    /// Whether somebody asked to try refused versions of a model again.
    func takeRetry(_ model: String) -> Bool { wishes.withLock { $0.retried.remove(model) != nil } }
}

/// Why a model does not have the version that it should.
package enum FollowFailure: Equatable, Sendable, CustomStringConvertible {
    case registry(RegistryError)
    case refused(version: Int, Gate, reason: String)
    /// The operator asked for a version that is not there.
    case missing(version: Int)
    /// Files of a version that is loaded were written to.
    case changed(version: Int)

    package var description: String {
        switch self {
        case .registry(let error): "\(error)"
        case .refused(let version, let gate, let reason):
            "version \(version) is rejected by the gate \(gate.rawValue): \(reason)"
        case .missing(let version): "version \(version), which was asked for, is not in the registry"
        case .changed(let version):
            "the files of version \(version) changed while it is loaded; publish another version instead of writing over one"
        }
    }
}
