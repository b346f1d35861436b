/// An answer that is written later, because what it says has to happen first and takes longer than a loop may wait: a file that is
/// synchronised, say.
///
/// The connection waits, the loop does not. The request has been taken; those that the client sent behind it are read when it is answered, so
/// answers keep the order of their requests. Called on the loop's thread only.
package protocol PostponedAnswer: AnyObject {
    /// Has the work begun, on whatever thread, once the handler has returned. On one loop in the order of the requests.
    ///
    /// - Parameter ready: to be called once, from any thread, when the answer can be written; a later or second call does nothing.
    func begin(_ ready: @escaping @Sendable () -> Void)

    /// Writes the whole answer, as a handler would have; neither streamed nor postponed again.
    func write(into response: inout Response)

    /// Nobody waits for the answer any more: the connection was lost or cut, or it was not ready in time and
    /// ``Refusal/answerNotReady(retryAfterSeconds:)`` is the answer instead. What was begun goes on. Called instead of ``write(into:)``,
    /// before the observer is told and before the refusal is worded.
    func abandoned()
}
