import HTTPMessages
import HTTPServer
import Testing

/// What the observer is told of connections beside their requests.
@Suite("How connections end") struct ConnectionEndTests {
    private func end(
        _ change: (inout Limits) -> Void = { _ in }, _ body: (TestServer) throws -> Void
    ) throws -> [ConnectionEnd] {
        let server = try TestServer(loops: 1, tls: nil, change)
        try body(server)
        #expect(server.observations.wait { $0.closed == 1 })
        return server.observations.all.ends
    }

    @Test("by the client: at once, between requests, in the middle of one")
    func client() throws {
        #expect(try end { _ = try $0.client() } == [.client])
        #expect(
            try end { server in
                let client = try server.client()
                try client.send(get("/"))
                _ = try client.response()
            } == [.client])
        #expect(try end { try $0.client().send("GET /") } == [.client])
    }

    @Test("by us behind an answer: as asked, behind a refusal, behind the last of its requests")
    func answered() throws {
        #expect(
            try end { server in
                let client = try server.client()
                try client.send(get("/", "Connection: close\r\n"))
                _ = try client.receiveAll()
            } == [.answered])
        #expect(
            try end { server in
                let client = try server.client()
                try client.send("GET / HTTP/1.1\r\n\r\n")
                _ = try client.receiveAll()
            } == [.answered])
        #expect(
            try end({ $0.requestsPerConnectionMax = 1 }) { server in
                let client = try server.client()
                try client.send(get("/"))
                _ = try client.receiveAll()
            } == [.answered])
    }

    @Test("idle for too long, with and without a request before")
    func idle() throws {
        #expect(
            try end({ $0.headTime = .milliseconds(50) }) { server in
                let client = try server.client()
                _ = try client.receiveAll()
            } == [.idleTimeout])
        #expect(
            try end({ $0.idleTime = .milliseconds(50) }) { server in
                let client = try server.client()
                try client.send(get("/"))
                _ = try client.response()
                _ = try client.receiveAll()
            } == [.idleTimeout])
    }

    @Test("a request that stays unfinished is refused with 408, and counts as that")
    func slowHead() throws {
        let ends = try end({ $0.headTime = .milliseconds(50) }) { server in
            let client = try server.client()
            try client.send("GET / HT")
            #expect(try client.response().status == 408)
            _ = try client.receiveAll()
        }
        #expect(ends == [.answered])
    }

    @Test("an answer that is not taken in time")
    func writeStall() throws {
        let limits: (inout Limits) -> Void = { $0.writeStallTime = .milliseconds(100) }
        let server = try TestServer(loops: 1, tls: nil, limits)
        let client = try TestClient(port: server.port, receiveBufferBytes: 4096)
        // More than the kernel holds for a client that does not read.
        try client.send(String(repeating: get("/large"), count: 16))
        #expect(server.observations.wait { $0.closed == 1 })
        #expect(server.observations.all.ends == [.writeTimeout])
        #expect(server.observations.all.activity == [true, false])
        _ = client
    }

    @Test("reset by the client")
    func reset() throws {
        #expect(
            try end { server in
                let client = try server.client()
                try client.send(get("/"))
                _ = try client.response()
                client.resetAtClose()
            } == [.reset])
    }

    @Test("idle in a shutdown")
    func drain() throws {
        let ends = try end { server in
            let client = try server.client()
            try client.send(get("/"))
            _ = try client.response()
            #expect(server.server.drain(within: .seconds(5)))
        }
        #expect(ends == [.drain])
    }

    @Test("a connection is active while a part of a request is here; one that is answered in a turn never was")
    func activity() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(get("/"))
        _ = try client.response()
        #expect(server.observations.all.activity.isEmpty)
        try client.send("GET /half")
        #expect(server.observations.wait { $0.activity == [true] })
        try client.send(" HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = try client.response()
        #expect(server.observations.wait { $0.activity == [true, false] })
    }
}
