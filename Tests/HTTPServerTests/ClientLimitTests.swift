import Glibc
import HTTPMessages
import Testing

@testable import HTTPServer

@Suite("Connections of one client") struct ClientLimitTests {
    private func server(
        perClient: Int, proxies: [String] = [], hasProxyHeaders: Bool = false, countsLoopback: Bool = false,
        loops: Int = 1
    ) throws -> TestServer {
        var configuration = ServerConfiguration(port: 0, loops: loops)
        configuration.listeners[0].hasProxyHeaders = hasProxyHeaders
        configuration.limits.connectionsPerClientMax = perClient
        configuration.trustedProxies = proxies.compactMap { AddressRange($0) }
        if countsLoopback { configuration.uncountedClients = [] }
        return try TestServer(configuration)
    }

    @Test(
        "at the bound one is served, one past it is told 429, and a place that is free is given again",
        arguments: [1, 2])
    func bound(loops: Int) throws {
        let server = try server(perClient: 3, countsLoopback: true, loops: loops)
        var clients = try (0..<3).map { _ in try server.client() }
        for client in clients {
            try client.send(get("/1"))
            #expect(try client.response().status == 200)
        }
        let fourth = try server.client()
        try fourth.send(get("/4"))
        let refusal = try fourth.response()
        #expect(
            refusal.status == 429 && refusal.headers["retry-after"] == "1" && refusal.headers["connection"] == "close")
        #expect(server.observations.wait { $0.rejected == [.clientLimit] })
        clients.removeLast()
        #expect(server.observations.wait { $0.closed == 1 })
        let fifth = try server.client()
        try fifth.send(get("/5"))
        #expect(try fifth.response().body == "/5")
    }

    @Test("this machine is not counted unless that is asked for")
    func loopback() throws {
        let server = try server(perClient: 1)
        let clients = try (0..<5).map { _ in try server.client() }
        for client in clients {
            try client.send(get("/1"))
            #expect(try client.response().status == 200)
        }
    }

    @Test("the counts are gone with the connections")
    func counts() throws {
        let counts = ClientCounts()
        let one = try #require(ClientAddress("2001:db8::1"))
        let neighbour = try #require(ClientAddress("2001:db8::2"))
        let stranger = try #require(ClientAddress("2001:db8:1::2"))
        #expect(counts.add(one, most: 2) && counts.add(neighbour, most: 2) && !counts.add(one, most: 2))
        #expect(counts.add(stranger, most: 2) && counts.clientCount == 2)
        counts.remove(neighbour)
        #expect(counts.add(one, most: 2))
        for client in [one, one, stranger] { counts.remove(client) }
        #expect(counts.clientCount == 0)
    }

    // MARK: Proxies

    @Test("with a PROXY header a connection is its client's, and counted as that one's")
    func proxyHeader() throws {
        let server = try server(perClient: 2, proxies: ["127.0.0.1"], hasProxyHeaders: true)
        let line = "PROXY TCP4 192.0.2.1 10.0.0.1 5 80\r\n"
        let held = try (0..<2).map { _ in try server.client() }
        for client in held {
            try client.send(line + get("/who"))
            #expect(try client.response().body == "service 192.0.2.1")
            try client.send(get("/who"))
            #expect(try client.response().body == "service 192.0.2.1")
        }
        let third = try server.client()
        try third.send(line + get("/who"))
        #expect(try third.response().status == 429)
        let other = try server.client()
        try other.send("PROXY TCP4 192.0.2.2 10.0.0.1 5 80\r\n" + get("/who"))
        #expect(try other.response().body == "service 192.0.2.2")
    }

    @Test("a client behind a PROXY header is not believed about X-Forwarded-For, a proxy behind one is")
    func forwardedForBehindProxyHeader() throws {
        let server = try server(perClient: 2, proxies: ["127.0.0.1", "10.0.0.0/8"], hasProxyHeaders: true)
        let forwarded = get("/who", "X-Forwarded-For: 198.51.100.7\r\n")
        for (header, client) in [
            ("PROXY TCP4 192.0.2.1 10.0.0.1 5 80", "192.0.2.1"),
            ("PROXY TCP4 10.0.0.2 10.0.0.1 5 80", "198.51.100.7"),
            ("PROXY UNKNOWN", "198.51.100.7"),
        ] {
            let connection = try server.client()
            try connection.send("\(header)\r\n" + forwarded)
            #expect(try connection.response().body == "service \(client)")
        }
    }

    @Test("a connection that was one too many is not counted for the client in its PROXY header")
    func excessWithProxyHeader() throws {
        var configuration = ServerConfiguration(port: 0)
        configuration.listeners[0].hasProxyHeaders = true
        configuration.limits.connectionsMax = 1
        configuration.limits.connectionsPerClientMax = 2
        configuration.trustedProxies = AddressRange.loopback
        let server = try TestServer(configuration)
        let line = "PROXY TCP4 192.0.2.1 10.0.0.1 5 80\r\n"
        var held: [TestClient] = [try server.client()]
        try held[0].send("PROXY TCP4 192.0.2.9 10.0.0.1 5 80\r\n" + get("/who"))
        #expect(try held[0].response().body == "service 192.0.2.9")
        for _ in 0..<3 {
            let excess = try server.client()
            try excess.send(line)
            usleep(20_000)
            try excess.send(get("/who"))
            #expect(try excess.response().status == 503)
        }
        held = []
        #expect(server.observations.wait { $0.closed == 1 })
        let client = try server.client()
        try client.send(line + get("/who"))
        #expect(try client.response().body == "service 192.0.2.1")
    }

    @Test("a PROXY header may come byte by byte, alone, and with the request behind it")
    func dribble() throws {
        let server = try server(perClient: 2, proxies: ["127.0.0.1"], hasProxyHeaders: true)
        let client = try server.client()
        for character in "PROXY TCP6 2001:db8::7 ::1 5 80\r" { try client.send(String(character)) }
        try client.send("\n")
        try client.send(get("/who"))
        #expect(try client.response().body == "service 2001:db8::7")
        let second = try server.client()
        for character in "PROXY UNKNOWN\r\n" + get("/who") { try second.send(String(character)) }
        #expect(try second.response().body == "service 127.0.0.1")
    }

    @Test("a proxy that sends none, or a broken one, is cut; so is one that never ends it")
    func noHeader() throws {
        var configuration = ServerConfiguration(port: 0)
        configuration.listeners[0].hasProxyHeaders = true
        configuration.trustedProxies = ["127.0.0.1"].compactMap { AddressRange($0) }
        configuration.limits.headTime = .milliseconds(100)
        let server = try TestServer(configuration)
        for text in [get("/1"), "PROXY TCP4 1.1.1.1\r\n", "PROXY TCP4 192"] {
            let client = try server.client()
            try client.send(text)
            // Closed with bytes unread, which resets.
            do { #expect(try client.isAtEnd()) } catch let error as TestClient.Failed { #expect(error.code == 104) }
        }
        #expect(server.observations.wait { $0.closed == 3 })
        #expect(server.observations.all.rejected == [.proxyHeader, .proxyHeader])
    }

    @Test("who is no trusted proxy speaks for itself")
    func untrusted() throws {
        let server = try server(perClient: 2, proxies: ["10.0.0.0/8"], hasProxyHeaders: true)
        let plain = try server.client()
        try plain.send(get("/who", "X-Forwarded-For: 192.0.2.1\r\n"))
        #expect(try plain.response().body == "service 127.0.0.1")
        let liar = try server.client()
        try liar.send("PROXY TCP4 192.0.2.1 10.0.0.1 5 80\r\n" + get("/who"))
        #expect(try liar.response().status == 400)
    }

    @Test("X-Forwarded-For of a trusted proxy names the client of each request")
    func forwardedFor() throws {
        let server = try server(perClient: 2, proxies: ["127.0.0.1"])
        let proxy = try server.client()
        try proxy.send(get("/who", "X-Forwarded-For: 192.0.2.1\r\n") + get("/who", "x-forwarded-FOR: 192.0.2.2\r\n"))
        try proxy.send(get("/who"))
        for client in ["192.0.2.1", "192.0.2.2", "127.0.0.1"] {
            #expect(try proxy.response().body == "service \(client)")
        }
    }
}
