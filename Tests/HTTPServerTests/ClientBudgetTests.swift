import HTTPMessages
import Testing

@testable import HTTPServer

/// The share of one client in the memory for requests that are not whole; the budget itself: ``BufferedBytesTests``.
@Suite("Buffered bytes of one client") struct ClientBudgetTests {
    /// What a connection keeps for the part that is sent here: the buffer of one read.
    private static let kept = 16_384
    private static let part =
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9000\r\n\r\n" + String(repeating: "a", count: 5000)

    /// Clients are named by PROXY headers. The second listener is for operators.
    private func server(budget: Int) throws -> TestServer {
        var configuration = ServerConfiguration(port: 0)
        configuration.listeners[0].hasProxyHeaders = true
        configuration.listeners.append(ListenerConfiguration(.tcp(host: "127.0.0.1", port: 0), role: .admin))
        configuration.trustedProxies = AddressRange.loopback
        configuration.limits.requestLineBytesMax = 256
        configuration.limits.headerBytesMax = 256
        configuration.limits.bodyBytesMax = 10_000
        configuration.limits.bufferedBytesMax = budget
        return try TestServer(configuration)
    }

    /// Sends a part of a request, and waits until it is kept.
    private func begin(_ server: TestServer, port: Int? = nil, as prefix: String) throws -> TestClient {
        let before = server.observations.all.activity.count { $0 }
        let client = try TestClient(port: port ?? server.port, tls: nil)
        try client.send(prefix + Self.part)
        try #require(server.observations.wait { $0.activity.count { $0 } == before + 1 })
        return client
    }

    private func header(_ client: Int) -> String { "PROXY TCP4 192.0.2.\(client) 10.0.0.1 5 80\r\n" }

    private func isRefused(_ server: TestServer, as prefix: String) throws -> Bool {
        let client = try TestClient(port: server.port, tls: nil)
        try client.send(prefix + Self.part)
        return try client.response().status == 503
    }

    private func end(_ client: TestClient) throws {
        try client.send(String(repeating: "b", count: 4000))
        #expect(try client.response().status == 200)
    }

    @Test(
        "at its share a client's requests are kept; one more is told 503, and others have room; what it held is given back"
    )
    func share() throws {
        let server = try server(budget: 16 * Self.kept)
        #expect(server.observations.all.opened == 0)
        for round in 0..<3 {
            var held = try (0..<4).map { _ in try begin(server, as: header(1)) }
            #expect(try isRefused(server, as: header(1)), "round \(round)")
            held.append(try begin(server, as: header(2)))
            // Not answered before the last round: the buffer of one that was has grown, serves again, and would count double.
            if round < 2 {
                for client in held { client.resetAtClose() }
            } else {
                for client in held { try end(client) }
            }
            held = []
            #expect(server.observations.wait { $0.closed == 6 * (round + 1) })
        }
    }

    @Test("whose connections are not counted has the whole budget")
    func uncounted() throws {
        let server = try server(budget: 16 * Self.kept)
        let held = try (0..<16).map { _ in try begin(server, as: "PROXY UNKNOWN\r\n") }
        #expect(try isRefused(server, as: "PROXY UNKNOWN\r\n"))
        for client in held { try end(client) }
    }

    @Test("operators have room when clients have none, and take none of theirs")
    func admin() throws {
        let server = try server(budget: 4 * Self.kept)
        guard case .tcp(_, let port) = server.server.boundAddresses[1] else { fatalError("no port") }
        let operators = try (0..<2).map { _ in try begin(server, port: port, as: "") }
        var held = try (1...4).map { try begin(server, as: header($0)) }
        #expect(try isRefused(server, as: header(5)))
        held.append(try begin(server, port: port, as: ""))
        for client in operators + held { try end(client) }
    }

    @Test("the share is a quarter, and not less than one request may need")
    func least() {
        var limits = Limits()
        #expect(limits.bufferedBytesPerClientMax == 64 * 1024 * 1024)
        limits.bufferedBytesMax = limits.bufferedBytesLeast
        #expect(limits.bufferedBytesPerClientMax == limits.bufferedBytesLeast)
    }
}
