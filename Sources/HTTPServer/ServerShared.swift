import HTTPMessages
import Synchronization

/// What the loops of one server share. All of it is counters, flags and mailboxes.
///
/// Relaxed ordering is enough for the counters: they bound and balance, and guard no other memory. The phase is stored
/// with release and loaded with acquire, for the deadline that is written before it.
final class ServerShared: Sendable {
    enum Phase: UInt8, AtomicRepresentable, Comparable {
        case running, closing, listenersClosed, draining

        static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    let policy: ConnectionPolicy
    let trustedProxies: [AddressRange]
    /// Whom the limit per client does not count.
    let uncountedClients: [AddressRange]
    let loops: [LoopMailbox]
    /// Open connections of service listeners, without those that are being refused.
    let connectionCount = Atomic<Int>(0)
    let adminConnectionCount = Atomic<Int>(0)
    let clients = ClientCounts()
    let excessCount = Atomic<Int>(0)
    /// Memory that requests hold which are not whole yet, of service listeners; ``Limits/bufferedBytesMax`` bounds it.
    let bufferedBytes = Atomic<Int>(0)
    /// The same of admin listeners, with the same bound: clients do not take the room of operators.
    let adminBufferedBytes = Atomic<Int>(0)
    /// Whether a connection was cut before its answer was sent.
    let wasCut = Atomic<Bool>(false)
    private let currentPhase = Atomic<Phase>(.running)
    private let drainDeadlineNanoseconds = Atomic<UInt64>(.max)

    init(_ configuration: ServerConfiguration) throws(SystemError) {
        policy = ConnectionPolicy(configuration.limits, gzip: configuration.gzip)
        trustedProxies = configuration.trustedProxies
        uncountedClients = configuration.uncountedClients + configuration.trustedProxies
        var loops: [LoopMailbox] = []
        for _ in 0..<configuration.loops { loops.append(try LoopMailbox()) }
        self.loops = loops
    }

    var phase: Phase { currentPhase.load(ordering: .acquiring) }
    var drainDeadline: MonotonicTime {
        MonotonicTime(nanoseconds: drainDeadlineNanoseconds.load(ordering: .relaxed))
    }

    /// Moves on to a later phase and wakes the loops; an earlier one changes nothing.
    func advance(to phase: Phase, drainDeadline: MonotonicTime = .distantFuture) {
        if phase <= self.phase { return }
        drainDeadlineNanoseconds.store(drainDeadline.nanoseconds, ordering: .relaxed)
        currentPhase.store(phase, ordering: .releasing)
        for loop in loops { loop.wakeup.signal() }
    }
}

/// A connection on its way from one loop to another.
struct Arrival: Sendable {
    let raw: Int32
    let origin: Origin
    let tls: TLSContext?
}

/// What other threads have for a loop: connections that other loops accepted for it, and word of answers that can be written.
final class LoopMailbox: Sendable {
    let wakeup: Wakeup
    /// Connections of the loop and on their way to it.
    let load = Atomic<Int>(0)
    private let letters = Mutex(Letters())

    struct Letters {
        fileprivate(set) var arrivals: [Arrival] = []
        fileprivate(set) var answers: [AnswerIsReady] = []
        fileprivate var isClosed = false

        var isEmpty: Bool { arrivals.isEmpty && answers.isEmpty }
    }

    init() throws(SystemError) { wakeup = try Wakeup() }

    deinit { for arrival in letters.withLock({ $0.arrivals }) { _ = FileDescriptor(owning: arrival.raw) } }

    /// Hands a connection over; false when the loop has ended and takes none.
    func send(_ arrival: Arrival) -> Bool {
        let isFirst: Bool? = letters.withLock { letters in
            if letters.isClosed { return nil }
            let isFirst = letters.isEmpty
            letters.arrivals.append(arrival)
            return isFirst
        }
        guard let isFirst else { return false }
        load.add(1, ordering: .relaxed)
        // A loop that was woken takes all there is.
        if isFirst { wakeup.signal() }
        return true
    }

    /// Says that an answer can be written; to nobody, when the loop has ended.
    func send(_ answer: AnswerIsReady) {
        let isFirst = letters.withLock { letters in
            if letters.isClosed { return false }
            let isFirst = letters.isEmpty
            letters.answers.append(answer)
            return isFirst
        }
        if isFirst { wakeup.signal() }
    }

    /// Takes what has come.
    func take() -> Letters {
        letters.withLock { letters in
            let taken = letters
            if !taken.isEmpty { (letters.arrivals, letters.answers) = ([], []) }
            return taken
        }
    }

    /// Closes the mailbox if no connection is in it. Of answers nobody waits for any that is left.
    func closeIfEmpty() -> Bool {
        letters.withLock { letters in
            letters.isClosed = letters.arrivals.isEmpty
            return letters.isClosed
        }
    }
}
