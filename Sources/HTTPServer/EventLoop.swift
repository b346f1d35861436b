import HTTPMessages
import Synchronization

/// One thread's share of the server: listeners, an epoll instance, connections and their timers.
///
/// A structure that lives on its thread's stack: nothing of it is shared, counted or locked. ``run()`` waits for events, serves each
/// connection that has some, then those whose turn was put off, then those whose time is up.
struct EventLoop: ~Copyable {
    let number: Int
    let shared: ServerShared
    let policy: ConnectionPolicy
    let handler: any RequestHandler
    let observer: any ServerObserver
    let coder: ContentCoder
    let poll: EventPoll
    var listeners: [Listener]
    /// While listening is being ended: when it is over.
    var listeningEnds: MonotonicTime?
    var reserve = ReserveDescriptor()
    var acceptPausedUntil: MonotonicTime?

    var connections = ConnectionTable()
    var timers: TimerWheel
    /// Connections with requests in their buffer that were put off.
    var yielded: [Registration] = []
    var due: [Int] = []
    var lastNumber: UInt32 = 0
    /// Of the answers that were put off.
    var lastAwaitedNumber: UInt64 = 0
    /// Whether answers say close.
    var isClosing = false
    var isDraining = false
    var overload: Overload
    var handshakes: HandshakeQueue

    /// Buffers of the last connection that needed none any more.
    var spareInput: ByteBuffer?
    var spareOutput: ByteBuffer?

    var now: MonotonicTime
    var dateSeconds: Int64
    var date: HTTPDate

    /// Registrations of what is no connection.
    static var wakeupRegistration: Registration { Registration(slot: .max, number: 0) }
    static func listenerRegistration(_ index: Int) -> Registration {
        Registration(slot: .max, number: UInt32(index) + 1)
    }

    init(
        number: Int, shared: ServerShared, parts: consuming LoopParts, handler: any RequestHandler,
        observer: any ServerObserver
    ) {
        self.number = number
        self.shared = shared
        policy = shared.policy
        self.handler = handler
        self.observer = observer
        coder = ContentCoder(policy.gzip)
        listeners = parts.listeners
        poll = consume parts.poll
        now = Clock.now()
        timers = TimerWheel(now: now)
        handshakes = HandshakeQueue(policy.limits)
        overload = Overload(target: policy.queueTimeMax, now: now)
        dateSeconds = Clock.unixSeconds()
        date = HTTPDate(unixSeconds: dateSeconds)
    }

    var mailbox: LoopMailbox { shared.loops[number] }

    /// Serves until a drain has ended.
    mutating func run() {
        while true {
            let count = poll.wait(milliseconds: waitMilliseconds())
            now = Clock.now()
            updateDate()
            overload.turnBegins(now: now)
            handshakes.turnBegins()
            for index in 0..<count {
                let (registration, interest) = poll.event(index)
                if registration.slot != .max {
                    serve(registration, .ready(interest))
                } else if registration == Self.wakeupRegistration {
                    mailbox.wakeup.clear()
                } else {
                    acceptSome(Int(registration.number) - 1)
                }
            }
            resumeYielded()
            resumeHandshakes()
            overload.turnEnded(now: now)
            fireTimers()
            resumeAccepting()
            let letters = mailbox.take()
            for arrival in letters.arrivals {
                adopt(FileDescriptor(owning: arrival.raw), arrival.origin, arrival.tls)
            }
            for answer in letters.answers { serve(answer.registration, .answerIsReady(answer.number)) }
            if followPhase() { return }
        }
    }

    private func waitMilliseconds() -> Int32? {
        if !yielded.isEmpty || !handshakes.isEmpty { return 0 }
        let wait = timers.milliseconds(from: now)
        var deadline = min(acceptPausedUntil ?? .distantFuture, listeningEnds ?? .distantFuture)
        if isDraining { deadline = min(deadline, shared.drainDeadline) }
        if deadline == .distantFuture { return wait }
        let left = deadline < now ? 0 : (deadline.nanoseconds - now.nanoseconds) / 1_000_000 + 1
        return min(wait ?? .max, Int32(clamping: left))
    }

    private mutating func updateDate() {
        let seconds = Clock.unixSeconds()
        if seconds != dateSeconds {
            dateSeconds = seconds
            date = HTTPDate(unixSeconds: seconds)
        }
    }

    private mutating func resumeYielded() {
        if yielded.isEmpty { return }
        let turn = yielded
        yielded.removeAll(keepingCapacity: true)
        for registration in turn { serve(registration, .resumed) }
    }

    private mutating func resumeHandshakes() {
        while let registration = handshakes.next() { serve(registration, .resumed) }
    }

    private mutating func fireTimers() {
        timers.takeDue(now: now, into: &due)
        if due.isEmpty { return }
        for slot in due { serve(slot: slot, .timer) }
        due.removeAll(keepingCapacity: true)
    }

    // MARK: Drain

    /// Does what the server's phase asks for. Returns whether the loop is at its end.
    private mutating func followPhase() -> Bool {
        let phase = shared.phase
        if phase == .running { return false }
        if !isClosing {
            isClosing = true
            forEachConnection { connection, _, _ in connection.state.closingBegan() }
        }
        if phase == .closing { return false }
        if phase == .draining, !isDraining {
            isDraining = true
            forEachConnection { connection, now, policy in connection.state.drainBegan(now: now, policy: policy) }
        }
        endListening(isLate: phase == .draining && now >= shared.drainDeadline)
        guard phase == .draining else { return false }
        if now >= shared.drainDeadline { cutAll() }
        return listeners.isEmpty && connections.count == 0 && mailbox.closeIfEmpty()
    }

    private mutating func forEachConnection(
        _ body: (inout Connection, MonotonicTime, ConnectionPolicy) -> Void
    ) {
        for slot in 0..<connections.slotCount {
            guard var connection = connections.take(slot) else { continue }
            body(&connection, now, policy)
            timers.schedule(slot, at: connection.deadline)
            connections.put(connection, at: slot)
        }
    }

    private mutating func cutAll() {
        for slot in 0..<connections.slotCount {
            guard var connection = connections.take(slot) else { continue }
            if connection.state.isAnswered {
                connection.socket.endTLS()
            } else {
                shared.wasCut.store(true, ordering: .relaxed)
            }
            connection.end = .drain
            endAnswer(of: &connection)
            close(connection)
        }
    }
}

/// What a loop is given to own.
struct LoopParts: ~Copyable, Sendable {
    var listeners: [Listener]
    var poll: EventPoll
}
