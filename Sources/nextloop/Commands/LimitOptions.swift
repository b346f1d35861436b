import ArgumentParser
import HTTPMessages

/// The bounds of the HTTP server that an operator may want to move. docs/http.md lists all of them.
struct LimitOptions: ParsableArguments {
    private static let times = 0.1...3600.0
    private static let queueTimes = 0.001...3600.0
    private static let idleTimes = 0.1...86_400.0
    /// Waits that may be left out.
    private static let waits = 0.0...3600.0

    @Option(help: "Open connections, \(wanted(Limits.connectionsMaxRange)); more are answered with 503.")
    var maxConnections = Limits().connectionsMax

    @Option(
        help: """
            Open connections of one client (an IPv4 address, or the /64 of an IPv6 address), \
            \(wanted(Limits.connectionsPerClientMaxRange)); more are answered with 429. This machine and trusted proxies are not counted.
            """)
    var maxConnectionsPerClient = Limits().connectionsPerClientMax

    @Option(
        help: """
            Open connections of the admin addresses, \
            \(wanted(Limits.adminConnectionsMaxRange)); more are answered with 503.
            """)
    var maxAdminConnections = Limits().adminConnectionsMax

    @Option(
        help: """
            Connections over a limit that are told so at a time, \
            \(wanted(Limits.refusedConnectionsMaxRange)); more are closed without a word.
            """)
    var maxRefusedConnections = Limits().refusedConnectionsMax

    @Option(
        help: "Connections the kernel holds for a loop until they are accepted, \(wanted(Limits.acceptBacklogRange)).")
    var acceptBacklog = Limits().acceptBacklog

    @Option(
        help: """
            Seconds a request may wait behind others while the queue does not get shorter, \
            \(wanted(LimitOptions.queueTimes)); then 503 with Retry-After.
            """)
    var queueTimeMax = 0.5

    @Option(help: "Seconds that Retry-After asks for, \(wanted(Limits.retryAfterSecondsRange)).")
    var retryAfter = Limits().retryAfterSeconds

    @Option(help: "Bytes of a request line, \(wanted(Limits.requestLineBytesMaxRange)); more is 414.")
    var maxRequestLineBytes = Limits().requestLineBytesMax

    @Option(help: "Bytes of all headers of a request, \(wanted(Limits.headerBytesMaxRange)); more is 431.")
    var maxHeaderBytes = Limits().headerBytesMax

    @Option(help: "Bytes of a request body, \(wanted(Limits.bodyBytesMaxRange)); more is 413.")
    var maxBodyBytes = Limits().bodyBytesMax

    @Option(
        help: """
            Bytes of memory for requests that are not whole yet, over all connections, at least twice what one request may \
            have, up to \(Limits.bufferedBytesMaxRange.upperBound); more is 503 with Retry-After. \
            Default: \(Limits().bufferedBytesMax), or that least if it is more.
            """)
    var maxBufferedBytes: Int?

    @Option(help: "Seconds a client may take to send its headers, \(wanted(LimitOptions.times)); then 408.")
    var headerTimeout = 10.0

    @Option(help: "Seconds a client may take for the TLS handshake, \(wanted(LimitOptions.times)); then it is cut off.")
    var tlsHandshakeTimeout = 10.0

    @Option(
        help: """
            Steps of TLS handshakes that a loop takes before the requests of others get their turn, \
            \(wanted(Limits.tlsHandshakesPerTurnMaxRange)).
            """)
    var maxHandshakesPerTurn = Limits().tlsHandshakesPerTurnMax

    @Option(
        help: """
            TLS handshakes that wait for their turn in a loop, \(wanted(Limits.tlsHandshakesWaitingMaxRange)); more are \
            closed.
            """)
    var maxWaitingHandshakes = Limits().tlsHandshakesWaitingMax

    @Option(help: "Headers of a request, \(wanted(Limits.headerCountMaxRange)); more is 431.")
    var maxHeaders = Limits().headerCountMax

    @Option(
        help: """
            Requests of a connection before it is closed, \
            \(wanted(Limits.requestsPerConnectionMaxRange)). Default: no end.
            """)
    var maxRequestsPerConnection: Int?

    @Option(help: "Seconds a client may take to send a body, \(wanted(LimitOptions.times)); then 408.")
    var bodyTimeout = 30.0

    @Option(
        help: """
            Seconds a client may take no byte of an answer, \(wanted(LimitOptions.times)); then it is cut off, up to a \
            quarter later. Taken is what its kernel acknowledged, or it read from a Unix socket.
            """)
    var writeTimeout = 10.0

    @Option(
        help: """
            Bytes a second that a client has to take of an answer it did not take at once, \
            \(wanted(Limits.answerBytesPerSecondMinRange)), on average, with --write-timeout to spare; slower, it is \
            cut off. 0 asks for nothing.
            """)
    var minAnswerRate = Limits().answerBytesPerSecondMin

    @Option(help: "Seconds a client may take to close after its last answer, \(wanted(LimitOptions.waits)).")
    var lingerTimeout = 1.0

    @Option(
        help: """
            Bytes of answers waiting for a client, above which its requests are not read, \
            \(wanted(Limits.outputBytesMaxRange)).
            """)
    var maxOutputBytes = Limits().outputBytesMax

    @Option(
        help: """
            Pipelined requests that are answered before others get their turn, \
            \(wanted(Limits.pipelinedRequestsMaxRange)).
            """)
    var maxPipelinedRequests = Limits().pipelinedRequestsMax

    @Option(
        help: """
            Seconds that idle connections, and new ones on their way, are waited for in a shutdown, \
            \(wanted(LimitOptions.waits)).
            """)
    var drainIdleTimeout = 0.1

    @Option(help: "Seconds a connection may be idle between requests, \(wanted(LimitOptions.idleTimes)).")
    var idleTimeout = 75.0

    func validate() throws {
        try check("max-connections", maxConnections, in: Limits.connectionsMaxRange)
        try check("max-connections-per-client", maxConnectionsPerClient, in: Limits.connectionsPerClientMaxRange)
        try check("max-admin-connections", maxAdminConnections, in: Limits.adminConnectionsMaxRange)
        try check("max-refused-connections", maxRefusedConnections, in: Limits.refusedConnectionsMaxRange)
        try check("accept-backlog", acceptBacklog, in: Limits.acceptBacklogRange)
        try check("queue-time-max", queueTimeMax, in: Self.queueTimes)
        try check("retry-after", retryAfter, in: Limits.retryAfterSecondsRange)
        try check("min-answer-rate", minAnswerRate, in: Limits.answerBytesPerSecondMinRange)
        try check("linger-timeout", lingerTimeout, in: Self.waits)
        try check("max-output-bytes", maxOutputBytes, in: Limits.outputBytesMaxRange)
        try check("max-pipelined-requests", maxPipelinedRequests, in: Limits.pipelinedRequestsMaxRange)
        try check("drain-idle-timeout", drainIdleTimeout, in: Self.waits)
        try check("max-request-line-bytes", maxRequestLineBytes, in: Limits.requestLineBytesMaxRange)
        try check("max-header-bytes", maxHeaderBytes, in: Limits.headerBytesMaxRange)
        try check("max-body-bytes", maxBodyBytes, in: Limits.bodyBytesMaxRange)
        try check("header-timeout", headerTimeout, in: Self.times)
        try check("tls-handshake-timeout", tlsHandshakeTimeout, in: Self.times)
        try check("max-handshakes-per-turn", maxHandshakesPerTurn, in: Limits.tlsHandshakesPerTurnMaxRange)
        try check("max-waiting-handshakes", maxWaitingHandshakes, in: Limits.tlsHandshakesWaitingMaxRange)
        try check("max-headers", maxHeaders, in: Limits.headerCountMaxRange)
        if let maxRequestsPerConnection {
            try check("max-requests-per-connection", maxRequestsPerConnection, in: Limits.requestsPerConnectionMaxRange)
        }
        try check("body-timeout", bodyTimeout, in: Self.times)
        try check("write-timeout", writeTimeout, in: Self.times)
        try check("idle-timeout", idleTimeout, in: Self.idleTimes)
        let least = limits.bufferedBytesLeast
        if let maxBufferedBytes, !(least...Limits.bufferedBytesMaxRange.upperBound).contains(maxBufferedBytes) {
            throw ValidationError(
                "--max-buffered-bytes is \(maxBufferedBytes); wanted \(least), which is twice what one request may have "
                    + "(--max-body-bytes, --max-header-bytes), to \(Limits.bufferedBytesMaxRange.upperBound).")
        }
    }

    var limits: Limits {
        var limits = Limits()
        limits.connectionsMax = maxConnections
        limits.connectionsPerClientMax = maxConnectionsPerClient
        limits.adminConnectionsMax = maxAdminConnections
        limits.refusedConnectionsMax = maxRefusedConnections
        limits.acceptBacklog = acceptBacklog
        limits.queueTimeMax = .seconds(queueTimeMax)
        limits.retryAfterSeconds = retryAfter
        limits.answerBytesPerSecondMin = minAnswerRate
        limits.lingerTime = .seconds(lingerTimeout)
        limits.outputBytesMax = maxOutputBytes
        limits.pipelinedRequestsMax = maxPipelinedRequests
        limits.drainIdleTime = .seconds(drainIdleTimeout)
        limits.requestLineBytesMax = maxRequestLineBytes
        limits.headerBytesMax = maxHeaderBytes
        limits.bodyBytesMax = maxBodyBytes
        limits.tlsHandshakesPerTurnMax = maxHandshakesPerTurn
        limits.tlsHandshakesWaitingMax = maxWaitingHandshakes
        limits.headerCountMax = maxHeaders
        limits.requestsPerConnectionMax = maxRequestsPerConnection
        limits.bodyTime = .seconds(bodyTimeout)
        limits.writeStallTime = .seconds(writeTimeout)
        limits.tlsHandshakeTime = .seconds(tlsHandshakeTimeout)
        limits.headTime = .seconds(headerTimeout)
        limits.idleTime = .seconds(idleTimeout)
        // Of all the others: what is not asked for follows the size of a request.
        limits.bufferedBytesMax = maxBufferedBytes ?? max(limits.bufferedBytesMax, limits.bufferedBytesLeast)
        return limits
    }

    private func check<Value: Comparable>(_ name: String, _ value: Value, in range: ClosedRange<Value>) throws {
        guard range.contains(value) else {
            throw ValidationError("--\(name) is \(value); wanted \(wanted(range)).")
        }
    }
}

/// A range in words, for a help text and an error message.
private func wanted<Value: Comparable>(_ range: ClosedRange<Value>) -> String {
    func text(_ value: Value) -> String {
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
    return "\(text(range.lowerBound)) to \(text(range.upperBound))"
}
