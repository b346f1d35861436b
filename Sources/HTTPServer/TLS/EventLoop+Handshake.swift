import HTTPMessages

/// What is to be done with a connection whose TLS handshake was looked at.
enum HandshakeStep {
    case waiting
    case established
    /// Not TLS, or not ours: what is left is a socket in the clear, to be answered with the refusal, if there is one, and
    /// ended without a reset that would destroy the alert or the answer.
    case failed(Refusal?)
    case close
}

extension EventLoop {
    /// Gets on with the handshake of a connection, and tells the observer how it ended.
    mutating func shakeHands(_ connection: inout Connection, _ occasion: Occasion) -> HandshakeStep {
        switch occasion {
        case .ready(let interest):
            if let step = getReady(&connection, interest) { return step }
        case .resumed:
            guard let rank = connection.handshakeRank.take() else { return .waiting }
            handshakes.called(rank)
        case .answerIsReady: return .waiting  // Nothing was asked yet.
        case .timer:
            if now < connection.deadline { return .waiting }
            let hasBegun = hasSentHandshake(connection)
            if hasBegun { observer.tlsHandshakeEnded(.timeout) }
            connection.end = hasBegun ? .tlsHandshake : .idleTimeout
            return .close
        }
        let progress = connection.socket.shakeHands()
        now = Clock.now()
        switch progress {
        case .blocked: return .waiting
        case .done(let isResumed):
            observer.tlsHandshakeEnded(isResumed ? .resumed : .full)
            return .established
        case .failed(let result):
            if result != .closed || connection.socket.hasBegunHandshake { observer.tlsHandshakeEnded(result) }
            if result == .closed { return .close }
            connection.socket.abandonTLS()
            connection.origin.isEncrypted = false
            connection.end = .tlsHandshake
            return .failed(result == .plainHTTP ? .notTLS : nil)
        }
    }

    /// Whether a byte of a handshake has come, read or not: a client that never sent one has not begun.
    private func hasSentHandshake(_ connection: borrowing Connection) -> Bool {
        if connection.socket.hasBegunHandshake { return true }
        return !connection.origin.awaitsProxyHeader && connection.socket.peekHandshake() == .bytes(1)
    }

    /// Finds out whether there is a step to be taken now. Returns nil if there is, and what is to be done otherwise.
    private mutating func getReady(_ connection: inout Connection, _ interest: Interest) -> HandshakeStep? {
        if connection.awaitsHandshake {
            // Asked for nothing, epoll reports only that the client is gone: no use in shaking hands with it.
            if !interest.contains(.broken) { return .waiting }
            observer.tlsHandshakeEnded(.closed)
            return .close
        }
        if connection.origin.awaitsProxyHeader {
            switch takeProxyHeader(&connection) {
            case .taken: break
            case .incomplete: return .waiting
            case .refused(let refusal): connection.refusal = refusal
            case .failed: return .close
            }
        }
        if !connection.socket.hasBegunHandshake {
            // Who has said nothing takes neither a step nor a place in line.
            switch connection.socket.peekHandshake() {
            case .bytes: break
            case .blocked: return .waiting
            case .end, .failed: return .close
            }
            // Gone behind its hello: a signature would be for nobody. Of one that has begun the last words are worth reading: an
            // alert says why it left.
            if interest.contains(.broken) {
                observer.tlsHandshakeEnded(.closed)
                return .close
            }
        }
        return takeStep(&connection)
    }

    /// Takes a step for a connection that has sent something, or has it wait for one. Operators need not wait, whatever clients do:
    /// their connections are few.
    ///
    /// - Returns: nil when it may get on with its handshake now.
    private mutating func takeStep(_ connection: inout Connection) -> HandshakeStep? {
        if connection.origin.role == .admin || handshakes.takeStep() { return nil }
        let rank: HandshakeQueue.Rank = connection.socket.hasBegunHandshake ? .begun : .newcomer
        if handshakes.wait(connection.registration, as: rank) {
            connection.handshakeRank = rank
            return .waiting
        }
        // One over a limit has been counted as that.
        if !connection.isExcess { observer.connectionRejected(.handshakeLimit) }
        connection.end = .tlsHandshake
        return .close
    }
}
