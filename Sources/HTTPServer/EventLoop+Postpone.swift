import HTTPMessages

/// An answer that is awaited, with what is needed to write it and what the observer will be told of it.
///
/// A class: every connection has the place for one, and hardly any ever has one.
final class AwaitedAnswer {
    let answer: any PostponedAnswer
    /// Of the loop, so that a word about one answer is never taken for another's.
    let number: UInt64
    /// As it was when the request was taken: ``ConnectionState/postponedPersistence(_:_:)`` has the last word.
    let persistence: Persistence
    let minorVersion: Int
    let accepted: AcceptedCodings
    let route: Int
    let method: HTTPMethod
    let began: MonotonicTime
    let requestBytes: Int

    init(
        _ answer: any PostponedAnswer, number: UInt64, to head: RequestHead, _ persistence: Persistence, route: Int,
        began: MonotonicTime, requestBytes: Int
    ) {
        self.answer = answer
        self.number = number
        self.persistence = persistence
        minorVersion = head.minorVersion
        accepted = head.acceptedCodings
        self.route = route
        method = head.method
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
    /// What the observer is told of an answer that nobody got and nobody knows: as nginx calls a client that went away.
    private static var abandonedStatus: Int { 499 }

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
        guard let awaited = connection.awaited.take() else { preconditionFailure("BUG: no answer is awaited") }
        let persistence = connection.state.postponedPersistence(awaited.persistence, input)
        if persistence == .close { connection.end = .answered }
        var response = Response(
            into: output, date: date, persistence: persistence, omitsBody: awaited.method == .head,
            minorVersion: awaited.minorVersion)
        awaited.answer.write(into: &response)
        precondition(response.producer == nil && response.postponed == nil, "BUG: an answer put off twice")
        let responseBytes = response.finish(coder, for: awaited.accepted)
        let status = response.status
        output = response.takeOutput()
        now = Clock.now()
        connection.state.postponedEnded(input, now: now, policy: policy)
        observer.requestEnded(
            route: awaited.route, method: awaited.method, status: status, requestBytes: awaited.requestBytes,
            responseBytes: responseBytes, nanoseconds: now.nanoseconds - awaited.began.nanoseconds)
    }

    /// Lets go of the answer that a connection waits for, if there is one, and tells the answer and the observer.
    mutating func abandonAwaited(of connection: inout Connection) {
        guard let awaited = connection.awaited.take() else { return }
        awaited.answer.abandoned()
        observer.requestEnded(
            route: awaited.route, method: awaited.method, status: Self.abandonedStatus,
            requestBytes: awaited.requestBytes, responseBytes: 0,
            nanoseconds: now.nanoseconds - awaited.began.nanoseconds)
    }
}
