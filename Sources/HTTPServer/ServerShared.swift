import HTTPMessages
import Synchronization

/// What the loops of one server share. All of it is counters, flags and mailboxes.
///
/// Relaxed ordering is enough for the counters: they bound and balance, and guard no other memory. The phase is stored
/// with release and loaded with acquire, for the deadline that is written before it.
final class ServerShared: Sendable {
    enum Phase: UInt8, AtomicRepresentable, Comparable {
        case running, listenersClosed, draining

        static func < (left: Phase, right: Phase) -> Bool { left.rawValue < right.rawValue }
    }

    let policy: ConnectionPolicy
    let tls: TLSContext?
    let loops: [LoopMailbox]
    /// Open connections, without those that are being refused.
    let connectionCount = Atomic<Int>(0)
    let excessCount = Atomic<Int>(0)
    /// Whether a connection was cut before its answer was sent.
    let wasCut = Atomic<Bool>(false)
    private let currentPhase = Atomic<Phase>(.running)
    private let drainDeadlineNanoseconds = Atomic<UInt64>(.max)

    init(policy: ConnectionPolicy, tls: TLSContext?, loopCount: Int) throws(SystemError) {
        self.policy = policy
        self.tls = tls
        var loops: [LoopMailbox] = []
        for _ in 0..<loopCount { loops.append(try LoopMailbox()) }
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

/// Connections that other loops accepted for this one.
final class LoopMailbox: Sendable {
    let wakeup: Wakeup
    /// Connections of the loop and on their way to it.
    let load = Atomic<Int>(0)
    private let letters = Mutex(Letters())

    private struct Letters {
        var descriptors: [Int32] = []
        var isClosed = false
    }

    init() throws(SystemError) { wakeup = try Wakeup() }

    deinit { for raw in letters.withLock({ $0.descriptors }) { _ = FileDescriptor(owning: raw) } }

    /// Hands a connection over; false when the loop has ended and takes none.
    func send(_ raw: Int32) -> Bool {
        let isFirst: Bool? = letters.withLock { letters in
            if letters.isClosed { return nil }
            letters.descriptors.append(raw)
            return letters.descriptors.count == 1
        }
        guard let isFirst else { return false }
        load.add(1, ordering: .relaxed)
        // A loop that was woken takes all there is.
        if isFirst { wakeup.signal() }
        return true
    }

    /// Takes what has come.
    func take() -> [Int32] {
        letters.withLock { letters in
            let taken = letters.descriptors
            letters.descriptors = []
            return taken
        }
    }

    /// Closes the mailbox if it is empty.
    func closeIfEmpty() -> Bool {
        letters.withLock { letters in
            letters.isClosed = letters.descriptors.isEmpty
            return letters.isClosed
        }
    }
}
