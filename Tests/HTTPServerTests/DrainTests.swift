import Glibc
import HTTPMessages
import HTTPServer
import Synchronization
import Testing

@Suite("Drain") struct DrainTests {
    /// Drains on another thread, as a signal handler's thread would.
    private func drain(_ server: TestServer, within time: Duration) async -> Bool {
        let server = server.server
        return await Task.detached { server.drain(within: time) }.value
    }

    @Test("an answer in flight is sent, with close; afterwards nobody listens")
    func inFlight() async throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send(get("/slow"))
        #expect(server.observations.wait { $0.began == 1 })
        #expect(await drain(server, within: .seconds(5)))
        // The handler had begun before the drain: its answer could not say close, but the connection ends after it.
        #expect(try client.response().body == "slow")
        #expect(try client.isAtEnd())
        #expect(throws: TestClient.Failed.self) { try server.client() }
        let seen = server.observations.all
        #expect(seen.opened == 1 && seen.closed == 1)
        #expect(await drain(server, within: .zero), "a second drain answers as the first")
    }

    @Test("connections that were never accepted are accepted and answered")
    func inQueue() async throws {
        let server = try TestServer()
        let busy = try server.client()
        try busy.send(get("/slow"))
        #expect(server.observations.wait { $0.began == 1 })
        // The only loop is busy: these wait in the kernel's queue.
        let clients = try (0..<20).map { _ in try server.client() }
        for client in clients { try client.send(get("/queued")) }
        #expect(await drain(server, within: .seconds(5)))
        for client in clients {
            let response = try client.response()
            #expect(response.body == "/queued" && response.headers["connection"] == "close")
        }
    }

    @Test("a request sent just after the drain began is answered, with close")
    func lateRequest() async throws {
        let server = try TestServer { $0.drainIdleTime = .seconds(5) }
        let client = try server.client()
        try client.send(get("/1"))
        #expect(try client.response().status == 200)
        async let drained = drain(server, within: .seconds(5))
        usleep(30_000)
        try client.send(get("/2"))
        #expect(try client.response().headers["connection"] == "close")
        #expect(try client.isAtEnd())
        client.endOutput()
        #expect(await drained)
    }

    @Test("idle connections do not hold a drain up")
    func idle() async throws {
        let server = try TestServer(loops: 2) { $0.drainIdleTime = .milliseconds(20) }
        let clients = try (0..<4).map { _ in try server.client() }
        #expect(server.observations.wait { $0.opened == 4 })
        let began = ContinuousClock.now
        #expect(await drain(server, within: .seconds(30)))
        #expect(ContinuousClock.now - began < .seconds(5))
        for client in clients { #expect(try client.isAtEnd()) }
    }

    @Test("what is not done in time is cut, and said so")
    func tooLate() async throws {
        let server = try TestServer()
        let client = try server.client()
        try client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        #expect(server.observations.wait { $0.opened == 1 })
        usleep(20_000)
        #expect(await !drain(server, within: .milliseconds(50)))
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
        #expect(try client.response().body == "/2")
    }

    @Test("no request fails while a server under load is drained")
    func underLoad() async throws {
        let server = try TestServer(loops: 2)
        let port = server.port
        let tally = Tally()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { tally.record { try Self.askUntilClosed(port: port) } }
            }
            group.addTask {
                usleep(100_000)
                tally.record {
                    if !server.server.drain(within: .seconds(5)) { throw TestClient.Failed(call: "drain", code: 0) }
                    return 0
                }
            }
        }
        #expect(tally.failures == [])
        #expect(tally.answered > 4)
    }

    /// A well-behaved client: told close, it stops using the connection. Returns the number of answers.
    private static func askUntilClosed(port: Int) throws -> Int {
        let client = try TestClient(port: port)
        var answered = 0
        while true {
            try client.send(get("/x"))
            let response = try client.response()
            answered += 1
            if response.headers["connection"] == "close" { return answered }
        }
    }
}

/// Answers and failures of several clients.
private final class Tally: Sendable {
    private let state = Mutex((answered: 0, failures: [String]()))

    var answered: Int { state.withLock { $0.answered } }
    var failures: [String] { state.withLock { $0.failures } }

    func record(_ work: () throws -> Int) {
        do {
            let count = try work()
            state.withLock { $0.answered += count }
        } catch {
            state.withLock { $0.failures.append("\(error)") }
        }
    }
}
