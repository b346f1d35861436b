import ArgumentParser
import HTTPMessages

/// The bounds of the HTTP server that an operator may want to move. docs/http.md lists all of them.
struct LimitOptions: ParsableArguments {
    @Option(help: "Open connections, 1 to 1000000; more are answered with 503.")
    var maxConnections = Limits().connectionsMax

    @Option(
        help: """
            Open connections of one client (an IPv4 address, or the /64 of an IPv6 address), 1 to 1000000; more are answered \
            with 429. This machine and trusted proxies are not counted.
            """)
    var maxConnectionsPerClient = Limits().connectionsPerClientMax

    @Option(help: "Open connections of the admin addresses, 1 to 10000; more are answered with 503.")
    var maxAdminConnections = Limits().adminConnectionsMax

    @Option(help: "Connections over a limit that are told so at a time, 0 to 1000000; more are closed without a word.")
    var maxRefusedConnections = Limits().refusedConnectionsMax

    @Option(help: "Connections the kernel holds for a loop until they are accepted, 1 to 65535.")
    var acceptBacklog = Limits().acceptBacklog

    @Option(
        help: """
            Seconds a request may wait behind others while the queue does not get shorter, 0.001 to 3600; then 503 with \
            Retry-After.
            """)
    var queueTimeMax = 0.5

    @Option(help: "Seconds that Retry-After asks for, 0 to 86400.")
    var retryAfter = Limits().retryAfterSeconds

    @Option(help: "Bytes of a request line, 64 to 1048576; more is 414.")
    var maxRequestLineBytes = Limits().requestLineBytesMax

    @Option(help: "Bytes of all headers of a request, 64 to 1048576; more is 431.")
    var maxHeaderBytes = Limits().headerBytesMax

    @Option(help: "Bytes of a request body, 0 to 1073741824; more is 413.")
    var maxBodyBytes = Limits().bodyBytesMax

    @Option(help: "Seconds a client may take to send its headers, 0.1 to 3600; then 408.")
    var headerTimeout = 10.0

    @Option(help: "Seconds a client may take for the TLS handshake, 0.1 to 3600; then it is cut off.")
    var tlsHandshakeTimeout = 10.0

    @Option(help: "Headers of a request, 1 to 1000; more is 431.")
    var maxHeaders = Limits().headerCountMax

    @Option(help: "Requests of a connection before it is closed, 1 to 1000000000. Default: no end.")
    var maxRequestsPerConnection: Int?

    @Option(help: "Seconds a client may take to send a body, 0.1 to 3600; then 408.")
    var bodyTimeout = 30.0

    @Option(help: "Seconds a client may take no byte of an answer, 0.1 to 3600; then it is cut off.")
    var writeTimeout = 10.0

    @Option(
        help: """
            Bytes a second that a client has to take of an answer it did not take at once, 0 to 1000000000; slower, it is cut \
            off. 0 asks for nothing.
            """)
    var minAnswerRate = Limits().answerBytesPerSecondMin

    @Option(help: "Seconds a client may take to close after its last answer, 0 to 3600.")
    var lingerTimeout = 1.0

    @Option(
        help: "Bytes of answers waiting for a client, above which its requests are not read, 1024 to 1073741824.")
    var maxOutputBytes = Limits().outputBytesMax

    @Option(help: "Pipelined requests that are answered before others get their turn, 1 to 1000000.")
    var maxPipelinedRequests = Limits().pipelinedRequestsMax

    @Option(help: "Seconds that idle connections, and new ones on their way, are waited for in a shutdown, 0 to 3600.")
    var drainIdleTimeout = 0.1

    @Option(help: "Seconds a connection may be idle between requests, 0.1 to 86400.")
    var idleTimeout = 75.0

    func validate() throws {
        try check("max-connections", maxConnections, in: 1...1_000_000)
        try check("max-connections-per-client", maxConnectionsPerClient, in: 1...1_000_000)
        try check("max-admin-connections", maxAdminConnections, in: 1...10_000)
        try check("max-refused-connections", maxRefusedConnections, in: 0...1_000_000)
        try check("accept-backlog", acceptBacklog, in: 1...65535)
        try check("queue-time-max", queueTimeMax, in: 0.001...3600)
        try check("retry-after", retryAfter, in: 0...86400)
        try check("min-answer-rate", minAnswerRate, in: 0...1_000_000_000)
        try check("linger-timeout", lingerTimeout, in: 0...3600)
        try check("max-output-bytes", maxOutputBytes, in: 1024...(1 << 30))
        try check("max-pipelined-requests", maxPipelinedRequests, in: 1...1_000_000)
        try check("drain-idle-timeout", drainIdleTimeout, in: 0...3600)
        try check("max-request-line-bytes", maxRequestLineBytes, in: 64...(1 << 20))
        try check("max-header-bytes", maxHeaderBytes, in: 64...(1 << 20))
        try check("max-body-bytes", maxBodyBytes, in: 0...(1 << 30))
        try check("header-timeout", headerTimeout, in: 0.1...3600)
        try check("tls-handshake-timeout", tlsHandshakeTimeout, in: 0.1...3600)
        try check("max-headers", maxHeaders, in: 1...1000)
        if let maxRequestsPerConnection {
            try check("max-requests-per-connection", maxRequestsPerConnection, in: 1...1_000_000_000)
        }
        try check("body-timeout", bodyTimeout, in: 0.1...3600)
        try check("write-timeout", writeTimeout, in: 0.1...3600)
        try check("idle-timeout", idleTimeout, in: 0.1...86400)
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
        limits.headerCountMax = maxHeaders
        limits.requestsPerConnectionMax = maxRequestsPerConnection
        limits.bodyTime = .seconds(bodyTimeout)
        limits.writeStallTime = .seconds(writeTimeout)
        limits.tlsHandshakeTime = .seconds(tlsHandshakeTimeout)
        limits.headTime = .seconds(headerTimeout)
        limits.idleTime = .seconds(idleTimeout)
        return limits
    }

    private func check<Value: Comparable>(_ name: String, _ value: Value, in range: ClosedRange<Value>) throws {
        guard range.contains(value) else {
            throw ValidationError("--\(name) is \(value); wanted \(range.lowerBound) to \(range.upperBound).")
        }
    }
}
