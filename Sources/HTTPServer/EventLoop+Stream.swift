import HTTPMessages

/// An answer whose head is written and whose body is still being made, with what the observer will be told at its end.
struct StreamedAnswer {
    let producer: any BodyProducer
    /// What becomes of the connection after the last piece.
    let persistence: Persistence
    /// False for an HTTP/1.0 client, whose answer ends with the connection.
    let isChunked: Bool
    let route: Int
    let method: HTTPMethod
    let status: Int
    let began: MonotonicTime
    let requestBytes: Int
    var responseBytes: Int
}

extension EventLoop {
    /// Appends one piece of a streamed answer to the output, framed, and ends the answer after its last piece.
    mutating func producePiece(
        of connection: inout Connection, _ input: borrowing ByteBuffer, _ output: inout ByteBuffer
    ) {
        guard let stream = connection.stream else { preconditionFailure("BUG: no answer to go on with") }
        let before = output.count
        let hasMore: Bool
        if stream.isChunked {
            hasMore = output.appendChunk { stream.producer.producePiece(into: &$0) }
            if !hasMore { output.appendLastChunk() }
        } else {
            hasMore = stream.producer.producePiece(into: &output)
        }
        connection.stream?.responseBytes += output.count - before
        now = Clock.now()
        if hasMore { return }
        connection.state.laterAnswerEnded(input, now: now, policy: policy)
        endStream(of: &connection, wasWhole: true)
    }

    /// Lets go of an answer of which the connection will get no more.
    mutating func endAnswer(of connection: inout Connection) {
        endStream(of: &connection, wasWhole: false)
        abandonAwaited(of: &connection)
    }

    /// Lets go of a connection's streamed answer, if there is one, and tells the producer and the observer.
    mutating func endStream(of connection: inout Connection, wasWhole: Bool) {
        guard let stream = connection.stream.take() else { return }
        stream.producer.ended(wasWhole: wasWhole)
        observer.requestEnded(
            route: stream.route, method: stream.method, status: stream.status, requestBytes: stream.requestBytes,
            responseBytes: stream.responseBytes, nanoseconds: now.nanoseconds - stream.began.nanoseconds)
    }
}
