import Glibc
import HTTPMessages
import HTTPServer
import Testing

/// Real sockets on the loopback interface; ports are the kernel's choice.
@Suite("HTTP server", .inTheClearAndOverTLS) struct HTTPServerTests {
    @Test("requests of one connection are answered in turn, and observed")
    func keepAlive() throws {
        let server = try TestServer()
        let client = try server.client()
        for number in 1...3 {
            try client.send(get("/\(number)"))
            let response = try client.response()
            #expect(response.status == 200 && response.body == "/\(number)")
            #expect(response.headers["connection"] == nil && response.headers["date"]?.hasSuffix(" GMT") == true)
        }
        try client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        let echo = try client.response()
        #expect(echo.body == "hello")
        #expect(server.observations.wait { $0.requests.count == 4 })
        let seen = server.observations.all
        #expect(seen.began == 4 && seen.opened == 1 && seen.closed == 0)
        let last = try #require(seen.requests.last)
        #expect(last.route == 1 && last.method == .post && last.status == 200)
        #expect(last.requestBytes == "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello".utf8.count)
        #expect(last.responseBytes > 100)
    }

    @Test("a pipelined burst is answered in order")
    func pipelining() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send((0..<500).map { get("/\($0)") }.joined())
        for number in 0..<500 { #expect(try client.response().body == "/\(number)") }
    }

    @Test("bytes that dribble in make the same requests")
    func dribble() throws {
        let server = try TestServer()
        let client = try server.client()
        let text =
            "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        for character in text { try client.send(String(character)) }
        #expect(try client.response().body == "abcde")
    }

    @Test("HEAD has the length and no body")
    func head() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("HEAD /abc HTTP/1.1\r\nHost: h\r\n\r\n" + get("/next"))
        let response = try client.response(hasBody: false)
        #expect(response.headers["content-length"] == "4")
        #expect(try client.response().body == "/next")
    }

    @Test("close closes, and so does HTTP/1.0")
    func close() throws {
        let server = try TestServer()
        for request in [get("/1", "Connection: close\r\n"), "GET /1 HTTP/1.0\r\n\r\n"] {
            let client = try server.client()
            try client.send(request)
            #expect(try client.response().headers["connection"] == "close")
            #expect(try client.isAtEnd())
        }
        #expect(server.observations.wait { $0.closed == 2 })
    }

    @Test("a client that ends its side gets its answers, then the end")
    func halfClose() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(get("/1") + get("/large") + get("/3"))
        client.endOutput()
        #expect(try client.response().body == "/1")
        #expect(try client.response().body.utf8.count == 1_048_576)
        #expect(try client.response().body == "/3")
        #expect(try client.isAtEnd())
    }

    @Test("a client that leaves in the middle leaves nothing behind")
    func clientLeaves() throws {
        let server = try TestServer()
        for request in [
            "", "GET / HT", get("/large"), get("/1"), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
        ] {
            try server.client().send(request)
        }
        #expect(server.observations.wait { $0.opened == 5 && $0.closed == 5 })
    }

    @Test("100 Continue is said before the body is sent")
    func expectContinue() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        #expect(String(decoding: try client.receive(), as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
        try client.send("ab")
        #expect(try client.response().body == "ab")
    }

    // MARK: Refusals

    @Test(
        "what is too large or broken is refused, and the answer arrives although more was sent",
        arguments: [
            ("GET /" + String(repeating: "a", count: 9000) + " HTTP/1.1\r\n", 414),
            ("GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 20_000), 431),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n"
                    + String(repeating: "a", count: 300_000), 413
            ),
            ("GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505), ("\u{16}\u{3}\u{1}", 400),
            ("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ])
    func refusals(request: String, status: Int) throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(request)
        let response = try client.response()
        #expect(response.status == status)
        #expect(response.headers["connection"] == "close")
        #expect(try client.isAtEnd())
        let seen = server.observations.all
        #expect(seen.requests.map(\.route) == [refusalRoute] && seen.requests.map(\.status) == [status])
    }

    // MARK: Time

    @Test("a slow head gets 408, a slow body too")
    func slowRequests() throws {
        let server = try TestServer { limits in
            limits.headTime = .milliseconds(50)
            limits.bodyTime = .milliseconds(50)
        }
        for request in ["GET / HTTP/1.1\r\nHo", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"] {
            let client = try server.client()
            try client.send(request)
            #expect(try client.response().status == 408)
            #expect(try client.isAtEnd())
        }
    }

    @Test("an idle connection is closed without a word, before and after a request")
    func idle() throws {
        let server = try TestServer { limits in
            limits.headTime = .milliseconds(50)
            limits.idleTime = .milliseconds(50)
        }
        #expect(try server.client().isAtEnd())
        let client = try server.client()
        try client.send(get("/1"))
        #expect(try client.response().status == 200)
        #expect(try client.isAtEnd())
        #expect(server.observations.wait { $0.closed == 2 })
        #expect(server.observations.all.requests.count == 1)
    }

    @Test("a client that does not read is held back, then cut")
    func writeStall() throws {
        let server = try TestServer { limits in
            limits.writeStallTime = .milliseconds(100)
            limits.outputBytesMax = 64 * 1024
        }
        let client = try TestClient(port: server.port, receiveBufferBytes: 4096)
        try client.send((0..<64).map { _ in get("/large") }.joined())
        #expect(server.observations.wait { $0.closed == 1 })
        #expect(server.observations.all.requests.count < 64, "answers were made for a client that took none")
    }

    @Test("a client that reads slowly gets everything")
    func slowReader() throws {
        let server = try TestServer { $0.outputBytesMax = 64 * 1024 }
        let client = try TestClient(port: server.port, receiveBufferBytes: 4096)
        try client.send((0..<8).map { _ in get("/large") }.joined() + get("/last", "Connection: close\r\n"))
        #expect(try client.receiveAll().utf8.count > 8 * 1_048_576)
    }

    // MARK: Many

    @Test("two hundred connections at once on two loops, shared evenly")
    func manyConnections() throws {
        let server = try TestServer(loops: 2)
        let clients = try (0..<200).map { _ in try server.client() }
        for (number, client) in clients.enumerated() { try client.send(get("/\(number)")) }
        for (number, client) in clients.enumerated() { #expect(try client.response().body == "/\(number)") }
        let opened = server.observations.all.openedByLoop
        #expect(opened.values.reduce(0, +) == 200)
        #expect((opened[0] ?? 0) >= 90 && (opened[1] ?? 0) >= 90, "\(opened)")
    }

    @Test("few connections are spread over the loops too")
    func balance() throws {
        let server = try TestServer(loops: 4)
        // One after the other, so that each loop has counted its connections when the next comes.
        var clients: [TestClient] = []
        for number in 1...8 {
            clients.append(try server.client())
            try clients[number - 1].send(get("/"))
            #expect(try clients[number - 1].response().status == 200)
        }
        #expect(server.observations.all.openedByLoop == [0: 2, 1: 2, 2: 2, 3: 2])
    }

    @Test(
        "a connection over the limit that never asks is closed without a word, and its place is free again",
        .timeLimit(.minutes(1)))
    func silentExcess() throws {
        let server = try TestServer { limits in
            limits.connectionsMax = 1
            limits.refusedConnectionsMax = 1
        }
        let held = try server.client()
        #expect(server.observations.wait { $0.opened == 1 })
        #expect(try server.client().isAtEnd())
        let next = try server.client()
        try next.send(get("/1"))
        #expect(try next.response().status == 503)
        #expect(server.observations.all.rejected == [.connectionLimit, .connectionLimit])
        try held.send(get("/1"))
        #expect(try held.response().status == 200)
    }

    @Test("connections over the limit hear 503 and when to come back; the others go on")
    func connectionLimit() throws {
        let server = try TestServer { limits in
            limits.connectionsMax = 2
            limits.refusedConnectionsMax = 1
            limits.lingerTime = .seconds(5)
        }
        let clients = try (0..<2).map { _ in try server.client() }
        #expect(server.observations.wait { $0.opened == 2 })
        let third = try server.client()
        usleep(50_000)
        // TLS has told its tickets.
        #expect(
            Transport.current == .tls || third.hasNothing,
            "a proxy that is answered before it asks does not know whose answer that is")
        try third.send("G")
        let refused = try third.response()
        #expect(refused.status == 503 && refused.headers["retry-after"] == "1")
        // The fourth is closed at once, over TLS before the handshake.
        if Transport.current == .tls {
            #expect(throws: TestClient.Failed.self) { try server.client() }
        } else {
            #expect(try server.client().isAtEnd())
        }
        #expect(server.observations.all.rejected == [.connectionLimit, .refusalLimit])
        for client in clients {
            try client.send(get("/1"))
            #expect(try client.response().status == 200)
        }
        #expect(server.observations.all.opened == 2)
    }

    @Test("requests of one turn are answered each on its own connection, whoever pipelines, reads late or is gone")
    func oneTurn() throws {
        let server = try TestServer()
        let slow = try server.client()
        let clients = try (0..<30).map { _ in try server.client() }
        var gone = try (0..<5).map { _ in try server.client() }
        // While the only loop is busy with this one, the requests of the others arrive: more than are sent together.
        try slow.send(get("/slow"))
        for (number, client) in clients.enumerated() {
            try client.send(number % 7 == 3 ? get("/large") : get("/\(number)"))
            if number % 5 == 0 { try client.send(get("/\(number)/second") + "GET /half") }
        }
        for client in gone {
            client.resetAtClose()
            try client.send(get("/gone"))
        }
        gone.removeAll()
        #expect(try slow.response().body == "slow")
        // The last first: who does not read does not keep the others waiting.
        for (number, client) in clients.enumerated().reversed() {
            let body = try client.response().body
            #expect(number % 7 == 3 ? body.utf8.count == 1 << 20 : body == "/\(number)")
            guard number % 5 == 0 else { continue }
            #expect(try client.response().body == "/\(number)/second")
            try client.send(" HTTP/1.1\r\nHost: h\r\n\r\n")
            #expect(try client.response().body == "/half")
        }
    }
}
