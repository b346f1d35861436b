import HTTPMessages

/// One client: its socket, its state, and buffers only while they hold something.
struct Connection: ~Copyable {
    var socket: Socket
    let registration: Registration
    var origin: Origin
    /// Over the limit: here to be told so, and not counted among the open ones.
    let isExcess: Bool
    /// What to answer to the first bytes, whatever they ask for.
    var refusal: Refusal?
    var state: ConnectionState
    /// Part of a request.
    var input: ByteBuffer?
    /// What of the memory for unfinished requests (``ServerShared/bufferedBytes``, ``ClientCounts``) is this connection's.
    var bufferedBytes = 0
    /// Answers that the socket did not take yet.
    var output: ByteBuffer?
    /// The answer whose body is being made piece by piece.
    var stream: StreamedAnswer?
    /// The answer that is being prepared elsewhere.
    var awaited: AwaitedAnswer?
    /// What epoll was told to report.
    var interest: Interest
    /// Listed among those that get a turn without an event.
    var awaitsTurn = false
    /// In which line it waits for a step of its handshake.
    var handshakeRank: HandshakeQueue.Rank?
    /// How it will have ended, as far as is known: by the client, unless something else happens first.
    var end = ConnectionEnd.client
    /// What the observer was told.
    var isActive = false

    var awaitsHandshake: Bool { handshakeRank != nil }

    /// When it has to be looked at, whatever happens.
    var deadline: MonotonicTime {
        socket.isHandshaking ? min(state.deadline, socket.handshakeDeadline) : state.deadline
    }
}
