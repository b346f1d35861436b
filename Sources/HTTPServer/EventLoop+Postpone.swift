import HTTPMessages

/// An answer that is awaited, with what is needed to write it and what the observer will be told of it.
///
/// A class: every connection has the place for one, and hardly any ever has one.
final class AwaitedAnswer {
    let answer: any PostponedAnswer
    /// Of the loop, so that a word about one answer is never taken for another's.
    let number: UInt64
    let head: RequestHead
    /// What `head` was read from.
    let headBytes: ByteBuffer
    /// As it was when the request was taken: ``ConnectionState/postponedPersistence(_:_:)`` has the last word.
    let persistence: Persistence
    let route: Int
    let began: MonotonicTime
    let requestBytes: Int

    init(
        _ answer: any PostponedAnswer, number: UInt64, to head: RequestHead, _ headBytes: Span<UInt8>,
        _ persistence: Persistence, route: Int, began: MonotonicTime, requestBytes: Int
    ) {
        self.answer = answer
        self.number = number
        self.head = head
        var copy = ByteBuffer(capacity: headBytes.count)
        copy.append(headBytes)
        self.headBytes = copy
        self.persistence = persistence
        self.route = route
        self.began = began
        self.requestBytes = requestBytes
    }
}

/// Word that an awaited answer can be written.
struct AnswerIsReady: Sendable {
    let registration: Registration
    let number: UInt64
}

extension EventLoop {
    /// What the observer is told of an answer that nobody got and nobody knows, when the client is to blame: as nginx calls one that went
    /// away.
    private static var abandonedStatus: Int { 499 }
    /// The same when the server is.
    private static var unansweredStatus: Int { 503 }

    /// Has the work for an answer begun, now that its connection waits for it.
    func begin(_ awaited: AwaitedAnswer, for registration: Registration) {
        let mailbox = mailbox
        let word = AnswerIsReady(registration: registration, number: awaited.number)
        awaited.answer.begin { mailbox.send(word) }
    }

    /// Writes the answer that a connection waited for.
    mutating func writeAwaited(
        _ connection: inout Connection, _ input: borrowing ByteBuffer, _ output: inout ByteBuffer
    ) {
        endAwaited(&connection, input, &output) { awaited, response in awaited.answer.write(into: &response) }
    }

    /// Writes, in place of the answer that a connection waited for, that it was not ready in time.
    mutating func refuseAwaited(
        _ connection: inout Connection, _ input: borrowing ByteBuffer, _ output: inout ByteBuffer
    ) {
        let refusal = Refusal.answerNotReady(retryAfterSeconds: policy.limits.retryAfterSeconds)
        let handler = handler
        guard let awaited = connection.awaited else { preconditionFailure("BUG: no answer is awaited") }
        let origin = connection.origin
        let context = awaited.headBytes.withBytes { self.context(of: awaited.head, $0, origin) }
        endAwaited(&connection, input, &output) { awaited, response in
            awaited.answer.abandoned()
            awaited.headBytes.withBytes {
                _ = handler.refuse(refusal, head: awaited.head, bytes: $0, context: context, into: &response)
            }
        }
    }

    private mutating func endAwaited(
        _ connection: inout Connection, _ input: borrowing ByteBuffer, _ output: inout ByteBuffer,
        _ write: (AwaitedAnswer, inout Response) -> Void
    ) {
        guard let awaited = connection.awaited.take() else { preconditionFailure("BUG: no answer is awaited") }
        let persistence = connection.state.postponedPersistence(awaited.persistence, input)
        if persistence == .close { connection.end = .answered }
        var response = Response(
            into: output, date: date, persistence: persistence, omitsBody: awaited.head.method == .head,
            minorVersion: awaited.head.minorVersion)
        write(awaited, &response)
        precondition(response.producer == nil && response.postponed == nil, "BUG: an answer put off twice")
        let responseBytes = response.finish(coder, for: awaited.head.acceptedCodings)
        let status = response.status
        output = response.takeOutput()
        now = Clock.now()
        connection.state.laterAnswerEnded(input, now: now, policy: policy)
        observer.requestEnded(
            route: awaited.route, method: awaited.head.method, status: status, requestBytes: awaited.requestBytes,
            responseBytes: responseBytes, nanoseconds: now.nanoseconds - awaited.began.nanoseconds)
    }

    /// Lets go of the answer that a connection waits for, if there is one, and tells the answer and the observer.
    mutating func abandonAwaited(of connection: inout Connection) {
        guard let awaited = connection.awaited.take() else { return }
        awaited.answer.abandoned()
        observer.requestEnded(
            route: awaited.route, method: awaited.head.method,
            status: connection.end.isOurs ? Self.unansweredStatus : Self.abandonedStatus,
            requestBytes: awaited.requestBytes, responseBytes: 0,
            nanoseconds: now.nanoseconds - awaited.began.nanoseconds)
    }
}
