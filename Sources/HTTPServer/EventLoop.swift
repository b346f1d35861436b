import HTTPMessages
import Synchronization

/// One thread's share of the server: a listener, an epoll instance, connections and their timers.
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
    var listener: Listener?
    var reserve = ReserveDescriptor()
    var acceptPausedUntil: MonotonicTime?

    var connections = ConnectionTable()
    var timers: TimerWheel
    /// Connections with requests in their buffer that were put off.
    var yielded: [Registration] = []
    var due: [Int] = []
    var lastNumber: UInt32 = 0
    var isDraining = false

    /// Buffers of the last connection that needed none any more.
    var spareInput: ByteBuffer?
    var spareOutput: ByteBuffer?

    var now: MonotonicTime
    var dateSeconds: Int64
    var date: HTTPDate

    /// Registrations of what is no connection.
    static var listenerRegistration: Registration { Registration(slot: .max, number: 0) }
    static var wakeupRegistration: Registration { Registration(slot: .max, number: 1) }

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
        listener = consume parts.listener
        poll = consume parts.poll
        now = Clock.now()
        timers = TimerWheel(now: now)
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
            for index in 0..<count {
                let (registration, interest) = poll.event(index)
                switch registration {
                case Self.listenerRegistration: acceptSome()
                case Self.wakeupRegistration: mailbox.wakeup.clear()
                default: serve(registration, .ready(interest))
                }
            }
            resumeYielded()
            fireTimers()
            resumeAccepting()
            for raw in mailbox.take() { adopt(FileDescriptor(owning: raw)) }
            if followPhase() { return }
        }
    }

    private func waitMilliseconds() -> Int32? {
        if !yielded.isEmpty { return 0 }
        var wait = timers.milliseconds(from: now)
        for deadline in [acceptPausedUntil, isDraining ? shared.drainDeadline : nil] {
            guard let deadline, deadline != .distantFuture else { continue }
            let left = deadline < now ? 0 : (deadline.nanoseconds - now.nanoseconds) / 1_000_000 + 1
            wait = min(wait ?? .max, Int32(clamping: left))
        }
        return wait
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

    private mutating func fireTimers() {
        timers.takeDue(now: now, into: &due)
        if due.isEmpty { return }
        for slot in due {
            guard let connection = connections.take(slot) else { continue }
            serve(connection, .timer)
        }
        due.removeAll(keepingCapacity: true)
    }

    // MARK: Drain

    /// Does what the server's phase asks for. Returns whether the loop is at its end.
    private mutating func followPhase() -> Bool {
        let phase = shared.phase
        if phase == .running { return false }
        if phase == .draining, !isDraining {
            isDraining = true
            forEachConnection { connection, now, policy in connection.state.drainBegan(now: now, policy: policy) }
        }
        if listener != nil {
            acceptAll()
            closeListener()
        }
        guard phase == .draining else { return false }
        if now >= shared.drainDeadline { cutAll() }
        return connections.count == 0 && mailbox.closeIfEmpty()
    }

    private mutating func forEachConnection(
        _ body: (inout Connection, MonotonicTime, ConnectionPolicy) -> Void
    ) {
        for slot in 0..<connections.slotCount {
            guard var connection = connections.take(slot) else { continue }
            body(&connection, now, policy)
            timers.schedule(slot, at: connection.state.deadline)
            connections.put(connection, at: slot)
        }
    }

    private mutating func cutAll() {
        for slot in 0..<connections.slotCount {
            guard var connection = connections.take(slot) else { continue }
            if !connection.state.isAnswered { shared.wasCut.store(true, ordering: .relaxed) }
            endStream(of: &connection, wasWhole: false)
            close(connection)
        }
    }
}

/// What a loop is given to own.
struct LoopParts: ~Copyable, Sendable {
    var listener: Listener
    var poll: EventPoll
}
