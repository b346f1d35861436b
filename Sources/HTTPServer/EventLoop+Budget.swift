import HTTPMessages
import Synchronization

extension EventLoop {
    /// Counts the memory that a connection is about to keep for a request that is not whole, among that of all connections.
    ///
    /// Small parts are not counted: they are copied to blocks of their own size (``smallPartBytes``), which the bound on
    /// connections bounds. Requests that wait behind answers which the client has not taken are counted and not refused:
    /// there is one read of them, and the middle of an answer is no place for another.
    ///
    /// - Returns: false when all together may not keep so much and the request can be refused; then nothing of it is counted.
    mutating func countBuffered(_ input: borrowing ByteBuffer, of connection: inout Connection) -> Bool {
        let kept = input.count > Self.smallPartBytes ? input.allocatedBytes : 0
        let more = kept - connection.bufferedBytes
        if more == 0 { return true }
        let all = shared.bufferedBytes.add(more, ordering: .relaxed).newValue
        if more > 0, all > policy.limits.bufferedBytesMax, connection.state.isReceiving {
            shared.bufferedBytes.subtract(kept, ordering: .relaxed)
            connection.bufferedBytes = 0
            return false
        }
        connection.bufferedBytes = kept
        return true
    }
}
