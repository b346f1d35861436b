import ArgumentParser
import HTTPMessages

/// The bounds of the HTTP server that an operator may want to move. docs/http.md lists all of them.
struct LimitOptions: ParsableArguments {
    @Option(help: "Open connections, 1 to 1000000; more are answered with 503.")
    var maxConnections = Limits().connectionsMax

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

    @Option(help: "Seconds a connection may be idle between requests, 0.1 to 86400.")
    var idleTimeout = 75.0

    func validate() throws {
        try check("max-connections", maxConnections, in: 1...1_000_000)
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
