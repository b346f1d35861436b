package import HTTPMessages

/// What metrics and logs learn about one event loop, on that loop's thread.
package protocol ServerObserver: AnyObject {
    func requestBegan()

    /// - Parameters:
    ///   - route: what the handler returned.
    ///   - method: ``HTTPMethod/other`` when the request line was not understood.
    ///   - requestBytes: head and decoded body.
    ///   - responseBytes: head and body as sent; the body of a HEAD is not.
    ///   - nanoseconds: from the request being complete in memory to its answer being complete in memory; of a streamed
    ///     answer to its last piece, or to the loss of the connection.
    func requestEnded(
        route: Int, method: HTTPMethod, status: Int, requestBytes: Int, responseBytes: Int, nanoseconds: UInt64)

    func connectionOpened()
    /// A connection that was opened is gone. One that was active is told to be none first.
    func connectionClosed(_ end: ConnectionEnd)
    /// A connection has a request or an answer under way at the end of its turn, or has none any more. Not told of requests
    /// that are received and answered within one turn: almost all.
    func connectionActivityChanged(isActive: Bool)
    func connectionRejected(_ reason: RejectionReason)

    /// A TLS handshake ended, well or not. Connections that never sent a byte had none.
    func tlsHandshakeEnded(_ result: TLSHandshakeResult)
}

extension ServerObserver {
    package func tlsHandshakeEnded(_ result: TLSHandshakeResult) {}
    package func connectionActivityChanged(isActive: Bool) {}
}

/// The route number of refusals of requests whose path is not known.
package let refusalRoute = -1

/// Why a connection was turned away. The raw value is the metric label.
package enum RejectionReason: String, Sendable, CaseIterable {
    /// Over ``Limits/connectionsMax``: answered with 503.
    case connectionLimit = "connection_limit"
    /// Over ``Limits/connectionsPerClientMax``: answered with 429.
    case clientLimit = "client_limit"
    /// No PROXY header, or a broken one, from a proxy that is to send it: closed at once.
    case proxyHeader = "proxy_header"
    /// Over the limit with as many refusals under way as are allowed: closed at once.
    case refusalLimit = "refusal_limit"
    /// The process has no file descriptor left: closed at once.
    case fileDescriptorLimit = "file_descriptor_limit"
    /// ``Limits/tlsHandshakesWaitingMax`` handshakes wait already: closed without one.
    case handshakeLimit = "handshake_limit"
}
