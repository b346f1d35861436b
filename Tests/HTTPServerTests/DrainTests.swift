import Glibc
import HTTPMessages
import HTTPServer
import Synchronization
import Testing

@Suite("Drain", .inTheClearAndOverTLS) struct DrainTests {
    /// Drains on another thread, as the one that waits for signals would.
    private func drain(_ server: TestServer, within time: Duration) -> BackgroundThread<Bool> {
        let server = server.server
        return BackgroundThread { server.drain(within: time) }
    }

    @Test("an answer in flight is sent, with close; afterwards nobody listens")
    func inFlight() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(get("/slow"))
        #expect(server.observations.wait { $0.began == 1 })
        #expect(try drain(server, within: .seconds(5)).value())
        // The handler had begun before the drain: its answer could not say close, but the connection ends after it.
        #expect(try client.response().body == "slow")
        #expect(try client.isAtEnd())
        #expect(throws: TestClient.Failed.self) { try server.client() }
        let seen = server.observations.all
        #expect(seen.opened == 1 && seen.closed == 1)
        #expect(try drain(server, within: .zero).value(), "a second drain answers as the first")
    }

    @Test("connections that were never accepted are accepted and answered")
    func inQueue() throws {
        // Over TLS a client has spoken with the server before it sends its request.
        if Transport.current == .tls { return }
        let server = try TestServer()
        let busy = try server.client()
        try busy.send(get("/slow"))
        #expect(server.observations.wait { $0.began == 1 })
        // The only loop is busy: these wait in the kernel's queue.
        let clients = try (0..<20).map { _ in try server.client() }
        for client in clients { try client.send(get("/queued")) }
        #expect(try drain(server, within: .seconds(5)).value())
        for client in clients {
            let response = try client.response()
            #expect(response.body == "/queued" && response.headers["connection"] == "close")
        }
    }

    @Test("a request sent just after the drain began is answered, with close")
    func lateRequest() throws {
        let server = try TestServer { $0.drainIdleTime = .seconds(5) }
        let client = try server.client()
        try client.send(get("/1"))
        #expect(try client.response().status == 200)
        let drained = drain(server, within: .seconds(5))
        usleep(30_000)
        try client.send(get("/2"))
        #expect(try client.response().headers["connection"] == "close")
        #expect(try client.isAtEnd())
        client.endOutput()
        #expect(try drained.value())
    }

    @Test("before the drain everybody is served, who connects only now too, with close", arguments: [1, 2])
    func closing(loops: Int) throws {
        let server = try TestServer(loops: loops)
        let old = try server.client()
        try old.send(get("/1"))
        #expect(try old.response().headers["connection"] == nil)
        server.server.beginClosing()
        // Loops learn of it by their wakeup.
        usleep(50_000)
        for client in [old] + (try (0..<4).map { _ in try server.client() }) {
            try client.send(get("/2") + get("/3"))
            #expect(try client.response().body == "/2")
            let last = try client.response()
            #expect(last.body == "/3" && last.headers["connection"] == "close")
            #expect(try client.isAtEnd())
        }
        #expect(server.server.drain(within: .seconds(5)))
    }

    @Test("who has just connected when a drain begins gets its first request answered")
    func newConnection() throws {
        let server = try TestServer { $0.drainIdleTime = .milliseconds(20) }
        let client = try TestClient(port: server.port, tls: nil)
        #expect(server.observations.wait { $0.opened == 1 })
        let drained = drain(server, within: .seconds(5))
        usleep(200_000)
        if let options = Transport.current.clientOptions { try client.startTLS(options) }
        try client.send(get("/1"))
        let answer = try client.response()
        #expect(answer.body == "/1" && answer.headers["connection"] == "close")
        client.endOutput()
        #expect(try drained.value())
    }

    @Test("idle connections do not hold a drain up")
    func idle() throws {
        let server = try TestServer(loops: 2) { $0.drainIdleTime = .milliseconds(20) }
        let clients = try (0..<4).map { _ in try server.client() }
        for client in clients {
            try client.send(get("/1"))
            #expect(try client.response().status == 200)
        }
        let began = ContinuousClock.now
        #expect(try drain(server, within: .seconds(30)).value())
        #expect(ContinuousClock.now - began < .seconds(5))
        for client in clients { #expect(try client.isAtEnd()) }
    }

    @Test("what is not done in time is cut, and said so")
    func tooLate() throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        #expect(server.observations.wait { $0.opened == 1 })
        usleep(20_000)
        #expect(try !drain(server, within: .milliseconds(50)).value())
        #expect(server.observations.all.closed == 1)
    }

    @Test("with its listeners closed the server keeps its connections")
    func closeListeners() throws {
        let server = try TestServer(loops: 2)
        let client = try server.client()
        try client.send(get("/1"))
        #expect(try client.response().status == 200)
        server.server.closeListeners()
        var refused = false
        for _ in 0..<500 where !refused {
            do { _ = try server.client() } catch { refused = true }
            usleep(2000)
        }
        #expect(refused)
        try client.send(get("/2"))
        let last = try client.response()
        #expect(last.body == "/2" && last.headers["connection"] == "close")
    }

    @Test("no request fails while a server under load is drained")
    func underLoad() throws {
        let server = try TestServer(loops: 2)
        let port = server.port
        let warm = Warm()
        let transport = Transport.current
        let clients = (0..<4).map { _ in
            BackgroundThread {
                try Transport.$current.withValue(transport) { try Self.askUntilClosed(port: port, warm) }
            }
        }
        // All four have to be at it: on a busy machine one may get its first turn late.
        #expect(server.observations.wait { $0.requests.count > 100 && warm.count.load(ordering: .relaxed) == 4 })
        #expect(server.server.drain(within: .seconds(5)))
        for client in clients { #expect(try client.value() > 1) }
    }

    @Test("nobody who has connected is reset when listening ends", arguments: [1, 2])
    func noResets(loops: Int) throws {
        for _ in 0..<10 {
            let server = try TestServer(loops: loops) { $0.drainIdleTime = .milliseconds(20) }
            let port = server.port
            let clients = (0..<4).map { _ in BackgroundThread { try Self.connectUntilRefused(port: port) } }
            #expect(server.observations.wait { $0.requests.count > 20 })
            #expect(server.server.drain(within: .seconds(5)))
            for client in clients { #expect(try client.value() == ECONNREFUSED) }
        }
    }

    /// A connection for each request. Returns the errno that connecting ended with; throws when one that was established
    /// was not answered.
    private static func connectUntilRefused(port: Int) throws -> Int32 {
        while true {
            let client: TestClient
            do {
                client = try TestClient(port: port)
            } catch let failure as TestClient.Failed {
                return failure.code
            }
            try client.send(get("/x", "Connection: close\r\n"))
            _ = try client.response()
        }
    }

    /// Clients that have had two answers.
    private final class Warm: Sendable {
        let count = Atomic<Int>(0)
    }

    /// A well-behaved client: told close, it stops using the connection. Returns the number of answers.
    private static func askUntilClosed(port: Int, _ warm: Warm) throws -> Int {
        let client = try TestClient(port: port)
        var answered = 0
        while true {
            try client.send(get("/x"))
            let response = try client.response()
            answered += 1
            if answered == 2 { warm.count.add(1, ordering: .relaxed) }
            if response.headers["connection"] == "close" { return answered }
        }
    }
}
