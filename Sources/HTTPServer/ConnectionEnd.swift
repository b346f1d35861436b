/// How a connection that was counted as open ended. The raw value is the metric label.
///
/// Those that were turned away without being counted are ``RejectionReason``s.
package enum ConnectionEnd: String, Sendable, CaseIterable {
    /// The client ended it: between requests, or before a request or a handshake was whole.
    case client
    /// We did, behind an answer: as the client asked, as its last request or a drain demanded, or because it was a refusal.
    case answered
    /// No request came in time: ``Limits/idleTime``, or ``Limits/headTime`` without a first byte.
    case idleTimeout = "idle_timeout"
    /// The client did not take its answer in time: ``Limits/writeStallTime``, ``Limits/answerBytesPerSecondMin``.
    case writeTimeout = "write_timeout"
    /// Reset by the client or the network, or over TLS a record that is none.
    case reset
    /// The TLS handshake failed or took too long: ``TLSHandshakeResult`` says more.
    case tlsHandshake = "tls_handshake"
    /// No PROXY header, or a broken one.
    case proxyHeader = "proxy_header"
    /// Idle, or cut at the deadline, in a shutdown.
    case drain
    /// The kernel had no memory to watch it.
    case system

    /// Whether it was our doing that a request under way got no answer: we were ending, or could not go on.
    var isOurs: Bool { self == .drain || self == .system }
}
