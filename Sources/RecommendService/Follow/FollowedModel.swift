import Dispatch
import HTTPServer
import ModelRegistry
import Synchronization

/// One model of a process: what its policy and the operator want of it, looked after by a thread of its own. See ``ModelFollower``.
final class FollowedModel: Sendable {
    let name: String
    let policy: VersionPolicy
    let store: ModelStore
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
    let wishes = Mutex(Wishes())
    /// Held during a look: there is one at a time.
    private let progress = Mutex(Progress())
    private let wakeup: Wakeup
    private let isStopped = Atomic<Bool>(false)

    /// A refusal that force overruled.
    struct LetThrough {
        let failure: FollowFailure
        /// To be kept if the followed alias comes to name the version; nil when it was compared with none.
        let finding: Finding?
    }

    /// What is known of the model from the looks before.
    struct Progress {
        var attempts = Attempts()
        var problem: FollowFailure?
        /// The version to answer with, as of the last look that could tell.
        var wanted: Int?
        /// What the policy wanted then.
        var policyWanted: [Int] = []
        /// Versions that were live, the last first.
        var previous: [Int] = []
        var hasLeaseComplaint = false
        /// Selectors that name no version, of which a message has told.
        var unselected: [VersionPolicy] = []
        /// Loaded versions that a gate refused and force let through: only those whom the force was for may be answered by them.
        var letThrough: [Int: LetThrough] = [:]
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

    init(
        _ name: String, _ policy: VersionPolicy, _ store: ModelStore, _ source: any ModelSource,
        settings: FollowSettings, clock: @escaping @Sendable () -> Double,
        prepare: @escaping @Sendable (ServedModel) -> Void, report: @escaping @Sendable (FollowEvent) -> Void
    ) throws(SystemError) {
        wakeup = try Wakeup()
        self.name = name
        self.policy = policy
        self.store = store
        self.source = QuietSource(source, thread: thread)
        self.settings = settings
        self.clock = clock
        self.prepare = prepare
        self.report = report
    }

    // MARK: Running

    /// - Returns: why the model has no version that can answer; nil when it has one.
    func look(quietly: Bool) -> FollowFailure? {
        progress.withLock { progress in
            source.beQuiet(quietly)
            var left = Self.looksMax
            while look(quietly: quietly, &progress) == .isOutdated {
                left -= 1
                if left == 0 {
                    wake()
                    break
                }
            }
            store.reclaim(on: quietly ? thread : nil)
            return liveModel == nil ? progress.problem : nil
        }
    }

    /// How often what is wanted may change while it is loaded, before the next look goes on.
    private static let looksMax = 10

    /// Follows until ``stop()``: looks whenever it is woken or an attempt is due, and unmaps what no request uses any more.
    func run() {
        while !isStopped.load(ordering: .relaxed) {
            // Many reasons to look are one.
            let isWoken = wakeup.wait(milliseconds: Int32(clamping: Int(pause() * 1000)))
            if isStopped.load(ordering: .relaxed) { return }
            if isWoken || isAttemptDue { _ = look(quietly: true) }
        }
    }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
        wakeup.signal()
    }

    func wake() { wakeup.signal() }

    /// Seconds until there is something to do although nobody asks: an hour when there is nothing.
    private func pause() -> Double {
        if store.reclaim(on: thread) > 0 { return Self.reclaimSeconds }
        return nextAttempt.map { min(max(0.05, $0 - clock()), 3600) } ?? 3600
    }

    var nextAttempt: Double? { progress.withLock { $0.nextAttempt } }

    /// Not every pause ends with a reason to look: some are only for ``ModelStore/reclaim(on:)``.
    private var isAttemptDue: Bool { nextAttempt.map { $0 <= clock() } ?? false }

    /// Between two looks at whether the requests that hold an old version have ended.
    private static let reclaimSeconds = 0.05

    func prepareLoaded() {
        for version in store.plan.model(named: name)?.loaded ?? [] { complete(version) }
    }

    // MARK: A load under way

    /// Runs a load where it disturbs nobody, and gives it up when it is no longer wanted: an operator who goes back meanwhile does not wait
    /// for the end of what is gone back from.
    ///
    /// - Parameter policyWanted: what the policy wanted when the look began.
    func run(_ job: LoadJob, policyWanted: [Int]) -> Result<LoadJob.Loaded, LoadRefusal> {
        let wakeup = wakeup
        let pending = thread.begin({ job.run() }, then: { wakeup.signal() })
        while true {
            _ = wakeup.wait(milliseconds: nil)
            if let result = pending.take() {
                // Somebody may have had something to say at the same moment: one more look, which costs little, tells.
                wakeup.signal()
                return result
            }
            noteWanted()
            if isStopped.load(ordering: .relaxed) || !isWanted(job.version, policyWanted)
                || isToSwap(besides: job.version)
            {
                job.interruption.interrupt()
            }
        }
    }
}
