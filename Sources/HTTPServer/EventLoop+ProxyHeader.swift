import HTTPMessages

extension EventLoop {
    enum ProxyHeaderOutcome {
        /// The connection goes on as its client's.
        case taken
        case incomplete
        /// Its client has too many connections.
        case refused(Refusal)
        case failed
    }

    /// Takes the PROXY header off the front of a connection, and nothing behind it: what follows may be a TLS handshake.
    ///
    /// A header comes in one segment as a rule. Of one that does not, the part that is there is taken and kept: left with the
    /// kernel, epoll would report it again and again. A header that stays incomplete ends with the time for the head.
    mutating func takeProxyHeader(_ connection: inout Connection) -> ProxyHeaderOutcome {
        var bytes = takeInput(&connection)
        let kept = bytes.count
        switch connection.socket.peek(into: &bytes, bytesMax: ProxyHeader.bytesMax) {
        case .bytes: break
        case .blocked:
            keepInput(bytes, &connection)
            return .incomplete
        case .end, .failed: return .failed
        }
        let header = bytes.withBytes { ProxyHeader.parse($0) }
        if case .complete(let count, let client) = header {
            bytes.removeAll()
            let rest = connection.socket.receive(into: &bytes, bytesMax: count - kept)
            recycleInput(bytes)
            if rest != .bytes(count - kept) { return .failed }
            connection.origin.awaitsProxyHeader = false
            return admitClient(client, of: &connection)
        }
        let peeked = bytes.count - kept
        if header == .incomplete, bytes.count < ProxyHeader.bytesMax {
            var taken = ByteBuffer(capacity: peeked)
            let result = connection.socket.receive(into: &taken, bytesMax: peeked)
            keepInput(bytes, &connection)
            return result == .bytes(peeked) ? .incomplete : .failed
        }
        observer.connectionRejected(.proxyHeader)
        connection.end = .proxyHeader
        return .failed
    }

    /// Makes the connection its client's, and counts it for that one.
    private mutating func admitClient(
        _ client: ClientAddress?, of connection: inout Connection
    ) -> ProxyHeaderOutcome {
        guard let client else { return .taken }
        connection.origin.client = client
        if countClient(of: &connection.origin) { return .taken }
        observer.connectionRejected(.clientLimit)
        return .refused(.tooManyFromClient(retryAfterSeconds: policy.limits.retryAfterSeconds))
    }
}
