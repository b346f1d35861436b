import HTTPMessages
import Synchronization

extension EventLoop {
    /// Counts the memory that a connection is about to keep for a request that is not whole, among that of its client and
    /// of all connections.
    ///
    /// Small parts are not counted: they are copied to blocks of their own size (``smallPartBytes``), which the bound on
    /// connections bounds. Requests that wait behind answers which the client has not taken are counted and not refused:
    /// there is one read of them, and the middle of an answer is no place for another.
    ///
    /// - Returns: false when its client or all together may not keep so much and the request can be refused; then nothing of it is
    ///   counted.
    mutating func countBuffered(_ input: borrowing ByteBuffer, of connection: inout Connection) -> Bool {
        let kept = input.count > Self.smallPartBytes ? input.allocatedBytes : 0
        let more = kept - connection.bufferedBytes
        if more == 0 { return true }
        let fits = shared.addBuffered(more, of: connection.origin)
        connection.bufferedBytes = kept
        if more < 0 || fits || !connection.state.isReceiving { return true }
        uncountBuffered(of: &connection)
        return false
    }

    /// Gives back what a connection held.
    func uncountBuffered(of connection: inout Connection) {
        if connection.bufferedBytes == 0 { return }
        _ = shared.addBuffered(-connection.bufferedBytes, of: connection.origin)
        connection.bufferedBytes = 0
    }
}

extension ServerShared {
    /// Counts `more` bytes (or fewer, when negative) for requests of one origin. Returns whether all that is held is within its
    /// bounds: that of the listeners of its role, and the share of its client if that one's connections are counted.
    fileprivate func addBuffered(_ more: Int, of origin: Origin) -> Bool {
        let limits = policy.limits
        let all =
            origin.role == .service
            ? bufferedBytes.add(more, ordering: .relaxed).newValue
            : adminBufferedBytes.add(more, ordering: .relaxed).newValue
        let ofClient = origin.isCounted ? clients.addBuffered(more, of: origin.client) : 0
        return all <= limits.bufferedBytesMax && ofClient <= limits.bufferedBytesPerClientMax
    }
}

extension Limits {
    /// What of ``bufferedBytesMax`` the requests of one client may hold: a quarter, so that one that sends large bodies and falls
    /// silent leaves room for the others; but not less than one request may need.
    var bufferedBytesPerClientMax: Int { max(bufferedBytesMax / 4, bufferedBytesLeast) }
}
