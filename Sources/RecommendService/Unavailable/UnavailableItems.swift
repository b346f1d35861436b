import Dispatch
package import FoundationEssentials
import Glibc
package import HTTPServer
package import ModelRegistry
import Synchronization

/// The items that are taken from sale, of every model of a process: read from the registry, where every process that serves a model
/// finds them, and handed to each version in memory as rows.
///
/// A change that was made here is in force for all loops when ``change(_:in:then:)`` says so; one that another process made, within
/// ``interval``: a thread of its own looks, so that no load holds it up. What cannot be read leaves the last good marks in force.
package final class UnavailableItems: Sendable {
    /// How often the registry is looked at, in seconds: half of the second that a sold-out item may stay.
    package static let interval = 0.5

    private let registry: Registry
    private let store: ModelStore
    private let report: @Sendable (String) -> Void
    private let clock: @Sendable () -> Date
    private let state: Mutex<[String: State]>
    /// Makes one change after the other, each until it is in force: they take effect in the order in which they were asked for.
    private let changes = JobThread(name: "changes")
    /// Entered by every change until its `then` has returned.
    private let unfinished = DispatchGroup()
    private let waitingCount = Atomic<Int>(0)
    /// Changes that wait for the disk at a time. Operators' programs wait for each answer: so many are not theirs.
    package static let waitingMax = 256

    private struct State {
        /// As they were last read; nil before that, and after a change of our own.
        var bytes: [UInt8]??
        var marks: [UnavailableItem] = []
        /// Those of `marks` that were in force when they were handed on.
        var inForce: [UnavailableItem] = []
        /// The number of changes made here: what was read before one is old.
        var changeCount = 0
        var wasRead = false
        var problem: String?
        /// Versions that were ever prepared and are still in memory, in a plan or in a request that holds on to an older one.
        var versions: [Version] = []
    }

    private struct Version {
        weak var target: UnavailableTarget?
    }

    /// - Parameters:
    ///   - clock: says what is over when a change has been made.
    ///   - report: told when the marks of a model cannot be read, once per cause, and when they can again.
    package init(
        _ registry: Registry, _ store: ModelStore, clock: @escaping @Sendable () -> Date = { Date() },
        report: @escaping @Sendable (String) -> Void
    ) {
        self.clock = clock
        self.registry = registry
        self.store = store
        self.report = report
        state = Mutex(Dictionary(uniqueKeysWithValues: store.plan.models.map { ($0.name, State()) }))
    }

    // MARK: Following

    /// Looks, and goes on looking on a thread of its own for as long as the process runs. The thread that makes changes is there too
    /// when it returns.
    package func start() throws(SystemError) {
        try changes.start()
        look(at: Date())
        try POSIXThread.detach(name: "unavailable") { [self] in
            while true {
                usleep(useconds_t(Self.interval * 1e6))
                look(at: Date())
            }
        }
    }

    /// Reads what changed, lets go of marks that are over, and hands both to the versions in memory.
    package func look(at now: Date) {
        for name in store.plan.models.map(\.name) {
            let (known, changeCount) = edit(name) { ($0.bytes, $0.changeCount) }
            // Outside the lock: the registry may be far away, and loops ask what is in force.
            let found = read(name, known: known)
            edit(name) { state in
                // What another thread changed meanwhile is newer.
                if state.changeCount == changeCount { take(found, name, &state) }
                apply(&state, name, at: now)
            }
        }
    }

    private enum Found {
        case same
        case marks([UnavailableItem], bytes: [UInt8]?)
        case problem(String)
    }

    private func read(_ model: String, known: [UInt8]??) -> Found {
        do throws(RegistryError) {
            let bytes = try registry.unavailableBytes(of: model)
            if known == .some(bytes) { return .same }
            return .marks(try registry.unavailableItems(bytes, of: model), bytes: bytes)
        } catch {
            return .problem("\(error)")
        }
    }

    private func take(_ found: Found, _ model: String, _ state: inout State) {
        if case .problem(let problem) = found {
            // While the registry is away nothing is put back on sale.
            if state.problem != problem { report("\(model): the unavailable items cannot be read: \(problem)") }
            state.problem = problem
            return
        }
        if case .marks(let marks, let bytes) = found {
            state.marks = marks
            state.bytes = .some(bytes)
        }
        if state.problem != nil { report("\(model): the unavailable items can be read again") }
        state.problem = nil
        state.wasRead = true
    }

    /// Gives a version that is about to be published the marks in force, and every later one for as long as it is in memory: it never
    /// answers without them, a streamed answer that outlives its plan included.
    package func prepare(_ model: ServedModel) {
        edit(model.name) { state in
            state.versions.removeAll { $0.target == nil }
            state.versions.append(Version(target: model.unavailableTarget))
            if !state.inForce.isEmpty { model.unavailableTarget.apply(state.inForce) }
        }
    }

    private func apply(_ state: inout State, _ model: String, at now: Date) {
        let inForce = state.marks.filter { !$0.isOver(at: now) }
        guard inForce != state.inForce else { return }
        state.inForce = inForce
        for version in state.versions { version.target?.apply(inForce) }
    }

    private func edit<R: Sendable>(_ model: String, _ body: (inout State) -> R) -> R {
        state.withLock { body(&$0[model, default: State()]) }
    }

    // MARK: Changes

    /// What an operator wants of one item.
    package enum Change: Sendable {
        /// Takes it from sale, or changes until when it is.
        case mark(UnavailableItem)
        /// Puts it back on sale.
        case unmark(itemID: String, hotelID: String?, at: Date)
    }

    /// What became of a change: what holds now, durably.
    package enum Made: Equatable, Sendable {
        /// The mark as it is kept: one that was there already keeps the time at which it began.
        case marked(UnavailableItem)
        case unmarked
        /// There was no mark to take back.
        case nothing
    }

    /// Makes a change on a thread that answers nobody: the disk takes its time, and a loop has none.
    ///
    /// - Parameter then: told once, on that thread, when the change is durable and in force for all loops, or why it is neither.
    /// - Returns: false, with nothing begun, when ``waitingMax`` changes wait, or when the system makes no thread for them, which after
    ///   ``start()`` is there already.
    package func change(
        _ change: Change, in model: String, then: @escaping @Sendable (Result<Made, RegistryError>) -> Void
    ) -> Bool {
        guard (try? changes.start()) != nil else { return false }
        // Relaxed: it bounds, and guards nothing.
        guard waitingCount.add(1, ordering: .relaxed).newValue <= Self.waitingMax else {
            waitingCount.subtract(1, ordering: .relaxed)
            return false
        }
        unfinished.enter()
        changes.add { [self] in
            let result = Result { () throws(RegistryError) in try make(change, in: model) }
            waitingCount.subtract(1, ordering: .relaxed)
            then(result)
            unfinished.leave()
        }
        return true
    }

    /// Waits until every change that was begun is made and told, at the end of a process: those whose clients were cut off are durable and
    /// in the log all the same.
    ///
    /// - Returns: how many were not begun or not ended in that time; they may be lost.
    package func finishChanges(within seconds: Double) -> Int {
        if unfinished.wait(timeout: .now() + seconds) == .success { return 0 }
        return max(1, waitingCount.load(ordering: .relaxed))
    }

    /// What is over is so now, not when the change was asked for: it may have waited for the disk.
    private func make(_ change: Change, in model: String) throws(RegistryError) -> Made {
        switch change {
        case .mark(let item):
            let marks = try registry.mark(item, unavailableIn: model)
            take(marks, model, at: clock())
            guard let kept = marks.first(where: { $0.isSamePlace(as: item) }) else {
                preconditionFailure("BUG: a mark that was made and is not there")
            }
            return .marked(kept)
        case .unmark(let itemID, let hotelID, let now):
            let marks = try registry.unmark(itemID: itemID, hotelID: hotelID, unavailableIn: model, at: now)
            guard let marks else { return .nothing }
            take(marks, model, at: clock())
            return .unmarked
        }
    }

    private func take(_ marks: [UnavailableItem], _ model: String, at now: Date) {
        edit(model) { state in
            state.marks = marks
            // What the file holds may have moved on since: the next look reads it again.
            state.bytes = nil
            state.changeCount += 1
            state.problem = nil
            state.wasRead = true
            apply(&state, model, at: now)
        }
    }

    // MARK: What is known

    /// The marks in force of a model.
    package func inForce(_ model: String) -> [UnavailableItem] { edit(model) { $0.inForce } }

    /// Whether a model's marks could be read at the last look.
    func isReadable(_ model: String) -> Bool { edit(model) { $0.problem == nil } }

    /// Whether they were read ever: until then nobody knows what is sold out.
    func isKnown(_ model: String) -> Bool { edit(model) { $0.wasRead || $0.problem == nil } }
}
