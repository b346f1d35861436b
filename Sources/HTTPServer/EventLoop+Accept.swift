import HTTPMessages
import Synchronization

extension EventLoop {
    /// Connections accepted before those that are open get their turn.
    private static var acceptBatch: Int { 64 }

    /// How long a loop without descriptors leaves its listener alone.
    private static var acceptPauseNanoseconds: UInt64 { 100_000_000 }

    mutating func acceptSome() {
        for _ in 0..<Self.acceptBatch where !acceptOne() { return }
    }

    /// Empties the queue before the listener is closed: closing resets what is still in it.
    mutating func acceptAll() {
        while acceptOne() {}
    }

    mutating func closeListener() {
        if let raw = listener?.descriptor.raw { poll.remove(raw) }
        listener = nil
        acceptPausedUntil = nil
    }

    /// Accepts one connection; false when there is none to be had now.
    private mutating func acceptOne() -> Bool {
        switch listener?.accept() ?? .none {
        case .connection(let raw):
            admit(FileDescriptor(owning: raw))
            return true
        case .none: return false
        case .noDescriptor:
            // A connection that cannot be accepted stays at the head of the queue and keeps the listener readable: the
            // loop would spin. Give up the reserve to accept it and turn it away; failing that, look away for a while.
            if reserve.trade({ listener?.accept() ?? .none }) {
                observer.connectionRejected(.fileDescriptorLimit)
                return true
            }
            pauseAccepting()
            return false
        }
    }

    private mutating func pauseAccepting() {
        guard let raw = listener?.descriptor.raw else { return }
        poll.modify(raw, [], Self.listenerRegistration)
        acceptPausedUntil = now + Self.acceptPauseNanoseconds
    }

    mutating func resumeAccepting() {
        guard let until = acceptPausedUntil, now >= until, let raw = listener?.descriptor.raw else { return }
        acceptPausedUntil = nil
        reserve.refill()
        poll.modify(raw, .read, Self.listenerRegistration)
    }

    // MARK: Admission and balance

    /// Counts a new connection against the limit and gives it to the loop that has the fewest.
    ///
    /// The kernel spreads connections over the listeners by a hash, so that a handful of long-lived ones from one proxy can
    /// land on one loop. A loop hands over what it accepts to any that has fewer; ties stay where they are.
    private mutating func admit(_ descriptor: consuming FileDescriptor) {
        let open = shared.connectionCount.add(1, ordering: .relaxed).newValue
        if open > policy.limits.connectionsMax {
            shared.connectionCount.subtract(1, ordering: .relaxed)
            refuse(descriptor)
            return
        }
        let mine = mailbox.load.load(ordering: .relaxed)
        var least = mine
        var target = number
        for other in shared.loops.indices where shared.phase == .running {
            let load = shared.loops[other].load.load(ordering: .relaxed)
            if load < least {
                least = load
                target = other
            }
        }
        if target != number {
            let raw = descriptor.release()
            if shared.loops[target].send(raw) { return }
            mailbox.load.add(1, ordering: .relaxed)
            adopt(FileDescriptor(owning: raw))
        } else {
            mailbox.load.add(1, ordering: .relaxed)
            adopt(descriptor)
        }
    }

    /// Takes in a connection that was counted.
    mutating func adopt(_ descriptor: consuming FileDescriptor) {
        observer.connectionOpened()
        open(descriptor, isExcess: false)
    }

    /// Answers a connection over the limit with 503, unless too many are being answered so.
    private mutating func refuse(_ descriptor: consuming FileDescriptor) {
        let excess = shared.excessCount.add(1, ordering: .relaxed).newValue
        if excess > policy.limits.refusedConnectionsMax {
            shared.excessCount.subtract(1, ordering: .relaxed)
            observer.connectionRejected(.refusalLimit)
            return
        }
        observer.connectionRejected(.connectionLimit)
        open(descriptor, isExcess: true)
    }

    private mutating func open(_ descriptor: consuming FileDescriptor, isExcess: Bool) {
        let slot = connections.reserve()
        lastNumber &+= 1
        let registration = Registration(slot: UInt32(slot), number: lastNumber)
        let raw = descriptor.raw
        var connection = Connection(
            socket: Socket(descriptor, tls: shared.tls, handshakeDeadline: now + policy.tlsHandshakeTime),
            registration: registration, isExcess: isExcess,
            state: ConnectionState(now: now, policy: policy), interest: .read)
        if isDraining { connection.state.drainBegan(now: now, policy: policy) }
        do {
            try poll.add(raw, .read, registration)
        } catch {
            // Out of memory, or of epoll watches: turned away like one without a descriptor.
            observer.connectionRejected(.fileDescriptorLimit)
            close(connection)
            return
        }
        if isExcess {
            serve(connection, .refused(.overloaded(retryAfterSeconds: policy.limits.retryAfterSeconds)))
        } else {
            timers.schedule(slot, at: connection.deadline)
            connections.put(connection, at: slot)
        }
    }

    /// Ends a connection that was taken out of the table.
    mutating func close(_ connection: consuming Connection) {
        let slot = Int(connection.registration.slot)
        timers.cancel(slot)
        connections.release(slot)
        if connection.isExcess {
            shared.excessCount.subtract(1, ordering: .relaxed)
        } else {
            shared.connectionCount.subtract(1, ordering: .relaxed)
            mailbox.load.subtract(1, ordering: .relaxed)
            observer.connectionClosed()
        }
    }
}
