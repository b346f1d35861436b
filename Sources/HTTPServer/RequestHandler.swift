package import HTTPMessages

/// The application behind one event loop.
///
/// One instance per loop, called on that loop's thread only and run to completion: what it does, every connection of
/// the loop waits for. It needs no locks for its own state.
package protocol RequestHandler: AnyObject {
    /// Answers one request.
    ///
    /// - Parameters:
    ///   - head: what was asked; its offsets count in `bytes`.
    ///   - bytes: the request line and the headers.
    ///   - body: the whole body, decoded; empty when there is none.
    ///   - context: through which kind of listener it came, and from whom.
    ///   - response: begun and filled here; the server ends it, sends it and drops the body of a HEAD. Begun with a
    ///     ``BodyProducer``, only its head is written here; postponed by a ``PostponedAnswer``, nothing is.
    /// - Returns: a small route number, not negative, for the observer.
    func respond(
        to head: borrowing RequestHead, bytes: Span<UInt8>, body: Span<UInt8>, context: RequestContext,
        into response: inout Response
    ) -> Int

    /// Words one of the server's own refusals. It may be about a request of which no byte has been read.
    ///
    /// - Parameters:
    ///   - head: what was asked, when that much was understood; its offsets count in `bytes`, which are empty without it.
    /// - Returns: the route number for the observer, ``refusalRoute`` when there is none.
    func refuse(
        _ refusal: Refusal, head: RequestHead?, bytes: Span<UInt8>, context: RequestContext,
        into response: inout Response
    ) -> Int

    /// Whether a request is to be answered however long the others have to wait: probes and metrics. Asked only in an overload.
    func isEssential(_ head: borrowing RequestHead, bytes: Span<UInt8>) -> Bool
}

extension RequestHandler {
    package func isEssential(_ head: borrowing RequestHead, bytes: Span<UInt8>) -> Bool { false }
}
