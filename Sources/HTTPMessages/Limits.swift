/// Every bound of the server, with its default. What is not bounded here is bounded by one of these.
///
/// A bound is the largest value accepted; one more is refused.
package struct Limits: Sendable, Equatable {
    // MARK: One request

    /// Method, target and version with the spaces between them, without the CRLF. More is 414.
    package var requestLineBytesMax = 8 * 1024
    /// Header lines with their CRLFs, and as much again for the trailers of a chunked body. More is 431.
    package var headerBytesMax = 16 * 1024
    /// Header lines, and trailer lines. More is 431.
    package var headerCountMax = 64
    /// The body, decoded. More is 413.
    package var bodyBytesMax = 1024 * 1024

    // MARK: Time

    /// From the first byte of a request, or from the opening of the connection, to the end of the head. Then 408, or
    /// silence if nothing had arrived.
    package var headTime: Duration = .seconds(10)
    /// From the opening of a connection to the end of its TLS handshake, which also counts towards ``headTime``. Then the
    /// connection is closed.
    package var tlsHandshakeTime: Duration = .seconds(10)
    /// From the end of the head to the end of the body. Then 408.
    package var bodyTime: Duration = .seconds(30)
    /// Between requests of one connection. Then it is closed without a word.
    package var idleTime: Duration = .seconds(75)
    /// Without one byte of an answer being taken by the client, while the kernel takes no more of it. Then the connection is
    /// cut, up to a quarter of this later.
    package var writeStallTime: Duration = .seconds(10)
    /// Bytes a second of its answers that a client has to take on average, from when the kernel did not take them at once, with
    /// ``writeStallTime`` to spare: a byte now and then does not hold an answer for ever. What it takes faster counts for
    /// later, without a bound. 0 for no such demand.
    package var answerBytesPerSecondMin = 1024
    /// How long a client may take to end a connection after an answer that closes it, so that the answer is not lost to
    /// a reset (RFC 9112 section 9.6).
    package var lingerTime: Duration = .seconds(1)
    /// How long an idle connection stays open after a drain began, so that a request just being sent is answered.
    package var drainIdleTime: Duration = .milliseconds(100)

    // MARK: One connection

    /// Answers waiting to be sent, above which no more requests of the connection are read or answered.
    package var outputBytesMax = 256 * 1024
    /// Requests of one connection that are answered before other connections get their turn.
    package var pipelinedRequestsMax = 32
    /// Requests after which a connection is closed; nil for no end.
    package var requestsPerConnectionMax: Int?
    /// Bytes asked of a socket at a time.
    package var readBytes = 16 * 1024

    // MARK: The server

    /// Open connections over all loops, without those of admin listeners. More are refused with 503.
    package var connectionsMax = 10_000
    /// Open connections of one client: of an IPv4 address, or of the /64 of an IPv6 address. More are refused with 429.
    package var connectionsPerClientMax = 1024
    /// Open connections of all admin listeners. More are refused with 503.
    package var adminConnectionsMax = 64
    /// Refused connections that are kept until their 503 is read; beyond them a connection is closed at once.
    package var refusedConnectionsMax = 128
    /// Steps of TLS handshakes that a loop takes before the requests of others get their turn.
    package var tlsHandshakesPerTurnMax = 8
    /// Handshakes that wait for their turn in one loop. More are closed.
    package var tlsHandshakesWaitingMax = 2048
    /// Memory for requests that are not whole yet, over all connections; of each, what does not fit a small block. More is
    /// refused with 503. At least twice what one request may have, because a buffer that grows doubles.
    package var bufferedBytesMax = 256 * 1024 * 1024
    /// Time that a request may wait for those before it while the queue stands. Then it is answered with 503.
    package var queueTimeMax: Duration = .milliseconds(500)
    /// What 503 and 429 say in `Retry-After`.
    package var retryAfterSeconds = 1
    /// Connections the kernel holds for a loop that has not accepted them yet (also bounded by `net.core.somaxconn`).
    package var acceptBacklog = 1024

    package init() {}
}
