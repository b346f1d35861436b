/// An HTTP/1.1 server: event loops with a thread each, over POSIX sockets.
package final class HTTPServer: Sendable {
    /// - Parameter makeLoop: called once for each loop, on the loop's own thread, with its number from 0.
    package init(
        _ configuration: ServerConfiguration,
        makeLoop: @escaping @Sendable (Int) -> (any RequestHandler, any ServerObserver)
    ) {}

    /// Binds, listens and starts the loops. Once it returns, ``port`` is known and clients can connect.
    package func start() throws(ServerError) {}

    /// The port listened on; the configured one before ``start()``.
    package var port: Int { 0 }

    /// Stops accepting. What is connected stays connected.
    package func closeListeners() {}

    /// Stops accepting, answers what was received with `Connection: close`, and ends all loops.
    ///
    /// - Parameter time: after it, connections are cut.
    /// - Returns: whether every answer was sent in time. Calling it again returns the same.
    @discardableResult
    package func drain(within time: Duration) -> Bool { true }
}
