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
            if connection.awaitsHandshake {
                // Asked for nothing, epoll reports only that the client is gone: no use in shaking hands with it.
                if !interest.contains(.broken) { return .waiting }
                observer.tlsHandshakeEnded(.closed)
                return .close
            }
            switch takeStep(&connection) {
            case .taken: break
            case .waits: return .waiting
            case .refused: return .close
            }
        case .resumed:
            if !connection.awaitsHandshake { return .waiting }
            connection.awaitsHandshake = false
            handshakes.called()
        case .refused(let refusal):
            // Told so when there is somebody to tell it to.
            connection.refusal = refusal
            return .waiting
        case .timer:
            if now < connection.deadline { return .waiting }
            // A client that never sent a byte has not begun.
            if connection.socket.hasBegunHandshake { observer.tlsHandshakeEnded(.timeout) }
            connection.end = connection.socket.hasBegunHandshake ? .tlsHandshake : .idleTimeout
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

    private enum Turn {
        case taken, waits, refused
    }

    /// Whether a connection that has sent something may get on with its handshake now. Operators may, whatever clients do: their
    /// connections are few.
    private mutating func takeStep(_ connection: inout Connection) -> Turn {
        if connection.origin.role == .admin || handshakes.takeStep() { return .taken }
        if handshakes.wait(connection.registration) {
            connection.awaitsHandshake = true
            return .waits
        }
        observer.connectionRejected(.handshakeLimit)
        connection.end = .tlsHandshake
        return .refused
    }
}
