import HTTPMessages
import Synchronization

extension EventLoop {
    /// Connections accepted before those that are open get their turn.
    private static var acceptBatch: Int { 64 }

    /// How long a loop without descriptors leaves its listener alone.
    private static var acceptPauseNanoseconds: UInt64 { 100_000_000 }

    mutating func acceptSome(_ index: Int) {
        // Reported before listening ended in the same turn.
        guard index < listeners.count, acceptPausedUntil == nil else { return }
        for _ in 0..<Self.acceptBatch where !acceptOne(listeners[index]) { return }
    }

    /// Accepts one connection; false when there is none to be had now.
    private mutating func acceptOne(_ listener: Listener) -> Bool {
        switch listener.accept() {
        case .connection(let raw, let peer):
            admit(FileDescriptor(owning: raw), peer, listener.configuration)
            return true
        case .gone: return true
        case .none: return false
        case .noDescriptor:
            // A connection that cannot be accepted stays at the head of the queue and keeps the listener readable: the
            // loop would spin. Give up the reserve to accept it and turn it away; failing that, look away for a while.
            if reserve.trade({ listener.accept() }) {
                observer.connectionRejected(.fileDescriptorLimit)
                return true
            }
            pauseAccepting()
            return false
        case .broken:
            pauseAccepting()
            return false
        }
    }

    // MARK: Pauses

    private mutating func pauseAccepting() {
        for listener in listeners { poll.remove(listener.descriptor.raw) }
        acceptPausedUntil = now + Self.acceptPauseNanoseconds
    }

    mutating func resumeAccepting() {
        guard let until = acceptPausedUntil, now >= until else { return }
        acceptPausedUntil = nil
        reserve.refill()
        do {
            for index in listeners.indices {
                try poll.watch(listeners[index], Self.listenerRegistration(index))
            }
        } catch {
            // No memory for it: the next pause tries again.
            pauseAccepting()
        }
    }

    // MARK: The end of listening

    /// Ends listening without losing anybody who has connected.
    ///
    /// First nobody new is let in (``Listener/stopNewcomers()``); those whose handshake is under way are accepted for
    /// `drainIdleTime` more; then the queue is emptied and the socket closed. What remains: a handshake that takes longer than that is
    /// reset. The queue of an inherited socket is left to the next process that accepts from it.
    ///
    /// - Parameter isLate: the drain's time is over; close now.
    mutating func endListening(isLate: Bool) {
        if listeners.isEmpty { return }
        let ends = listeningEnds ?? now + policy.drainIdleTime
        if listeningEnds == nil {
            listeningEnds = ends
            for listener in listeners { listener.stopNewcomers() }
        }
        if now < ends, !isLate { return }
        for listener in listeners {
            if listener.kind != .inherited {
                // At most as many as the queue holds: whatever goes wrong, the loop gets on.
                for _ in 0...policy.limits.acceptBacklog where !acceptOne(listener) { break }
            }
            poll.remove(listener.descriptor.raw)
        }
        listeners = []
        listeningEnds = nil
        acceptPausedUntil = nil
    }

    // MARK: Admission and balance

    /// Counts a new connection against the limits and gives it to the loop that has the fewest.
    ///
    /// The kernel spreads connections over the listeners by a hash, so that a handful of long-lived ones from one proxy can
    /// land on one loop. A loop hands over what it accepts to any that has fewer; ties stay where they are.
    private mutating func admit(
        _ descriptor: consuming FileDescriptor, _ peer: ClientAddress, _ listener: ListenerConfiguration
    ) {
        var origin = Origin(role: listener.role, client: peer)
        origin.isTrustedProxy = !shared.trustedProxies.isEmpty && shared.trustedProxies.contains(peer)
        origin.awaitsProxyHeader = listener.hasProxyHeaders && origin.isTrustedProxy
        origin.isEncrypted = listener.tls != nil
        if !count(origin) {
            refuse(descriptor, origin, listener.tls, .connectionLimit)
            return
        }
        if !countClient(of: &origin) {
            uncount(origin)
            refuse(descriptor, origin, listener.tls, .clientLimit)
            return
        }
        let mine = mailbox.load.load(ordering: .relaxed)
        var least = mine
        var target = number
        for other in shared.loops.indices where shared.phase < .listenersClosed {
            let load = shared.loops[other].load.load(ordering: .relaxed)
            if load < least {
                least = load
                target = other
            }
        }
        if target != number {
            let raw = descriptor.release()
            if shared.loops[target].send(Arrival(raw: raw, origin: origin, tls: listener.tls)) { return }
            mailbox.load.add(1, ordering: .relaxed)
            adopt(FileDescriptor(owning: raw), origin, listener.tls)
        } else {
            mailbox.load.add(1, ordering: .relaxed)
            adopt(descriptor, origin, listener.tls)
        }
    }

    /// Counts a connection among all; false when there are too many.
    private func count(_ origin: Origin) -> Bool {
        let (open, most) =
            origin.role == .service
            ? (shared.connectionCount.add(1, ordering: .relaxed).newValue, policy.limits.connectionsMax)
            : (shared.adminConnectionCount.add(1, ordering: .relaxed).newValue, policy.limits.adminConnectionsMax)
        if open <= most { return true }
        uncount(origin)
        return false
    }

    private func uncount(_ origin: Origin) {
        switch origin.role {
        case .service: shared.connectionCount.subtract(1, ordering: .relaxed)
        case .admin: shared.adminConnectionCount.subtract(1, ordering: .relaxed)
        }
        if origin.isCounted { shared.clients.remove(origin.client) }
    }

    /// Counts a connection among those of its client, if that is to be; false when the client has too many.
    mutating func countClient(of origin: inout Origin) -> Bool {
        if origin.role == .admin || origin.client.isUnixSocket || shared.uncountedClients.contains(origin.client) {
            return true
        }
        origin.isCounted = shared.clients.add(origin.client, most: policy.limits.connectionsPerClientMax)
        return origin.isCounted
    }

    /// Takes in a connection that was counted.
    mutating func adopt(_ descriptor: consuming FileDescriptor, _ origin: Origin, _ tls: TLSContext?) {
        observer.connectionOpened()
        open(descriptor, origin, tls, refusal: nil)
    }

    /// Answers a connection over a limit, unless too many are being answered so.
    private mutating func refuse(
        _ descriptor: consuming FileDescriptor, _ origin: Origin, _ tls: TLSContext?, _ reason: RejectionReason
    ) {
        let excess = shared.excessCount.add(1, ordering: .relaxed).newValue
        if excess > policy.limits.refusedConnectionsMax {
            shared.excessCount.subtract(1, ordering: .relaxed)
            observer.connectionRejected(.refusalLimit)
            return
        }
        observer.connectionRejected(reason)
        let seconds = policy.limits.retryAfterSeconds
        open(
            descriptor, origin, tls,
            refusal: reason == .clientLimit
                ? .tooManyFromClient(retryAfterSeconds: seconds) : .overloaded(retryAfterSeconds: seconds))
    }

    /// - Parameter refusal: what to answer to a connection over a limit, which was not counted. It is told when the first bytes of a request
    ///   are there: a proxy that reads an answer before it has asked does not know whose it is (nginx 1.22 took it for the beginning of the
    ///   next colour's).
    private mutating func open(
        _ descriptor: consuming FileDescriptor, _ origin: Origin, _ tls: TLSContext?, refusal: Refusal?
    ) {
        let slot = connections.reserve()
        lastNumber &+= 1
        let registration = Registration(slot: UInt32(slot), number: lastNumber)
        let raw = descriptor.raw
        var connection = Connection(
            socket: Socket(descriptor, tls: tls, handshakeDeadline: now + policy.tlsHandshakeTime),
            registration: registration, origin: origin, isExcess: refusal != nil,
            refusal: refusal, state: ConnectionState(now: now, policy: policy), interest: .read)
        if refusal != nil, tls == nil { hurry(&connection) }
        if isClosing { connection.state.closingBegan() }
        if isDraining { connection.state.drainBegan(now: now, policy: policy) }
        do {
            try poll.add(raw, .read, registration)
        } catch {
            // Out of memory, or of epoll watches: turned away like one without a descriptor.
            observer.connectionRejected(.fileDescriptorLimit)
            connection.end = .system
            close(connection)
            return
        }
        timers.schedule(slot, at: connection.deadline)
        connections.put(connection, at: slot)
    }

    /// A connection over a limit has one of few places: it is to say what it wants, once it can.
    func hurry(_ connection: inout Connection) { connection.state.hurry(within: Self.excessPatience, now: now) }

    /// For its first byte, in nanoseconds.
    private static var excessPatience: UInt64 { 2_000_000_000 }

    /// Ends a connection that was taken out of the table.
    mutating func close(_ connection: consuming Connection) {
        let slot = Int(connection.registration.slot)
        timers.cancel(slot)
        connections.release(slot)
        uncountBuffered(of: &connection)
        if let rank = connection.handshakeRank { handshakes.wentAway(rank) }
        if connection.isExcess {
            shared.excessCount.subtract(1, ordering: .relaxed)
        } else {
            uncount(connection.origin)
            mailbox.load.subtract(1, ordering: .relaxed)
            if connection.isActive { observer.connectionActivityChanged(isActive: false) }
            observer.connectionClosed(connection.end)
        }
    }
}
