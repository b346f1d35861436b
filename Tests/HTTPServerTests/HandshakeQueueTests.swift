import Glibc
import HTTPMessages
import TestSupport
import Testing

@testable import HTTPServer

@Suite("Handshakes that wait for their turn") struct HandshakeQueueTests {
    private func queue(perTurn: Int, waiting: Int) -> HandshakeQueue {
        var limits = Limits()
        limits.tlsHandshakesPerTurnMax = perTurn
        limits.tlsHandshakesWaitingMax = waiting
        var queue = HandshakeQueue(limits)
        queue.turnBegins()
        return queue
    }

    private func registration(_ number: Int) -> Registration { Registration(slot: UInt32(number), number: 1) }

    @Test("a turn has its steps, at the bound and not one past it")
    func steps() {
        var queue = queue(perTurn: 2, waiting: 0)
        for _ in 0..<3 {
            let taken = (0..<3).map { _ in queue.takeStep() }
            #expect(taken == [true, true, false])
            queue.turnBegins()
        }
    }

    @Test("the line is full at its bound")
    func full() {
        var queue = queue(perTurn: 1, waiting: 2)
        let waiting = (1...3).map { queue.wait(registration($0), as: .newcomer) }
        #expect(waiting == [true, true, false])
        queue.wentAway(.newcomer)
        let isIn = queue.wait(registration(4), as: .newcomer)
        #expect(isIn)
    }

    @Test("who waits longest is next, and nobody passes the line")
    func order() {
        var queue = queue(perTurn: 2, waiting: 10)
        for number in 0..<5 { _ = queue.wait(registration(number), as: .newcomer) }
        #expect(queue.waitingCount == 5)
        var seen: [UInt32] = []
        for _ in 0..<3 {
            queue.turnBegins()
            let passed = queue.takeStep()
            #expect(!passed, "others wait")
            while let next = queue.next() {
                seen.append(next.slot)
                queue.called(.newcomer)
            }
        }
        #expect(seen == [0, 1, 2, 3, 4] && queue.isEmpty && queue.waitingCount == 0)
        queue.turnBegins()
        let isFree = queue.takeStep()
        #expect(isFree)
    }

    @Test("those that went away cost no step")
    func stale() {
        var queue = queue(perTurn: 1, waiting: 3)
        for number in 0..<10_000 {
            _ = queue.wait(registration(number), as: .newcomer)
            queue.wentAway(.newcomer)
        }
        _ = queue.wait(registration(10_000), as: .newcomer)
        #expect(queue.waitingCount == 1)
        var passed = 0
        while let next = queue.next() {
            passed += 1
            if next.slot == 10_000 { queue.called(.newcomer) }
        }
        #expect(passed == 10_001 && queue.isEmpty && queue.waitingCount == 0)
    }

    @Test("who has begun always finds a place, and is called in turn with the newcomers")
    func ranks() {
        var queue = queue(perTurn: 1, waiting: 3)
        for number in 0..<3 { _ = queue.wait(registration(number), as: .newcomer) }
        let newcomer = queue.wait(registration(3), as: .newcomer)
        let begun = (10..<15).map { queue.wait(registration($0), as: .begun) }
        #expect(!newcomer && begun == [true, true, true, true, true] && queue.waitingCount == 8)
        // One that has gone is passed over, and costs its line no turn.
        queue.wentAway(.begun)
        var seen: [UInt32] = []
        while !queue.isEmpty {
            queue.turnBegins()
            while let next = queue.next() {
                if next.slot == 10 { continue }
                seen.append(next.slot)
                queue.called(next.slot < 10 ? .newcomer : .begun)
            }
        }
        #expect(seen == [11, 0, 12, 1, 13, 2, 14] && queue.waitingCount == 0)
    }

    // MARK: Through a server

    private func server(perTurn: Int, waiting: Int) throws -> TestServer {
        try TestServer(tls: tlsContext()) { limits in
            limits.tlsHandshakesPerTurnMax = perTurn
            limits.tlsHandshakesWaitingMax = waiting
        }
    }

    /// A server that speaks TLS on its first port and none on its second: who is established there keeps the only loop at work.
    /// It answers one request of a connection in a turn.
    private func serverOfTwo(_ change: (inout Limits) -> Void) throws -> (server: TestServer, clearPort: Int) {
        var configuration = ServerConfiguration(port: 0)
        configuration.listeners[0].tls = try tlsContext()
        configuration.listeners.append(ListenerConfiguration(.tcp(host: "127.0.0.1", port: 0)))
        configuration.limits.tlsHandshakesPerTurnMax = 1
        configuration.limits.pipelinedRequestsMax = 1
        change(&configuration.limits)
        let server = try TestServer(configuration)
        guard case .tcp(_, let clearPort) = server.server.boundAddresses[1] else { fatalError("no port") }
        return (server, clearPort)
    }

    /// Has the only loop look at nobody for 300 ms: it answers the first request when it comes, and the second in the same turn.
    private func occupy(_ server: TestServer, _ busy: TestClient, _ rest: String = "") throws {
        let before = server.observations.all.began
        try busy.send(get("/slow") + get("/slow") + rest)
        try #require(server.observations.wait { $0.began > before })
    }

    /// Connects and says nothing; when this returns, the loop has them all.
    private func connect(_ count: Int, to server: TestServer) throws -> [TestClient] {
        let before = server.observations.all.opened
        let clients = try (0..<count).map { _ in try TestClient(port: server.port, tls: nil) }
        try #require(server.observations.wait { $0.opened >= before + count })
        return clients
    }

    private func hello(_ session: TLSClientSession) throws -> [UInt8] {
        _ = try session.shakeHands()
        return session.takeOutgoing()
    }

    private func sayHello(_ client: TestClient) throws { try client.sendRaw(hello(TLSClientSession(.init()))) }

    @Test("with one step a turn everybody gets in")
    func crowd() throws {
        let server = try server(perTurn: 1, waiting: 100)
        let port = server.port
        let clients = (0..<16).map { _ in
            BackgroundThread {
                let client = try TestClient(port: port, seconds: 30, tls: .init())
                try client.send(get("/1"))
                return try client.response().status
            }
        }
        for client in clients { #expect(try client.value() == 200) }
        #expect(server.observations.all.handshakes == Array(repeating: .full, count: 16))
        #expect(server.observations.all.rejected == [])
    }

    @Test("between two answers of a client there are a turn's steps at most")
    func turns() throws {
        let (server, clearPort) = try serverOfTwo { _ in }
        let busy = try TestClient(port: clearPort, tls: nil)
        let strangers = try connect(16, to: server)
        try occupy(server, busy, String(repeating: get("/1"), count: 40))
        // A record that is none ends its handshake in one step: every step shows.
        for stranger in strangers { try stranger.sendRaw([0x16, 3, 1, 0, 4, 99, 0, 0, 0]) }
        for _ in 0..<42 { #expect(try busy.response().status == 200) }
        let all = server.observations.all
        #expect(all.handshakes == Array(repeating: .protocolError, count: 16))
        let steps = zip(all.handshakesAtAnswers.dropFirst(), all.handshakesAtAnswers).map { $0 - $1 }
        #expect(steps.allSatisfy { $0 <= 1 } && steps.reduce(0, +) == 16, "\(steps)")
    }

    @Test("with the line full, who has begun still gets through")
    func begun() throws {
        let (server, clearPort) = try serverOfTwo { $0.tlsHandshakesWaitingMax = 2 }
        let busy = try TestClient(port: clearPort, tls: nil)
        // Signed for, and its Finished still to come.
        let halfDone = try TestClient(port: server.port, tls: nil)
        let session = try TLSClientSession(.init())
        try halfDone.sendRaw(hello(session))
        var isDone = false
        while !isDone {
            let bytes = try halfDone.receiveRaw()
            try #require(!bytes.isEmpty)
            session.putIncoming(bytes)
            isDone = try session.shakeHands()
        }
        let newcomers = try connect(4, to: server)
        try occupy(server, busy)
        for newcomer in newcomers { try sayHello(newcomer) }
        try session.write(Array(get("/1").utf8))
        try halfDone.sendRaw(session.takeOutgoing())
        for _ in 0..<2 { #expect(try busy.response().body == "slow") }
        // The first takes the step, two wait, and for the last there is no place.
        try #require(server.observations.wait { $0.rejected == [.handshakeLimit] })
        #expect(server.observations.wait { $0.requests.count == 3 && $0.handshakes == [.full] })
    }

    @Test("at the bound of the line all wait, one past it is closed and counted", arguments: [5, 4])
    func bound(waiting: Int) throws {
        let server = try server(perTurn: 1, waiting: waiting)
        let busy = try TestClient(port: server.port, tls: .init())
        try busy.send(get("/slow"))
        #expect(server.observations.wait { $0.began == 1 })
        // The only loop is busy: these six say hello, and are looked at in one turn.
        let clients = try (0..<6).map { _ in try TestClient(port: server.port, tls: nil) }
        let sessions = try clients.map { client in
            let session = try TLSClientSession(.init())
            _ = try session.shakeHands()
            try client.sendRaw(session.takeOutgoing())
            return session
        }
        #expect(try busy.response().body == "slow")
        let answered = try zip(clients, sessions).filter { client, _ in
            // Closed with its hello unread, it is reset.
            do { return try !client.receiveRaw().isEmpty } catch let error as TestClient.Failed {
                #expect(error.code == ECONNRESET)
                return false
            }
        }
        #expect(answered.count == waiting + 1)
        let rejected = server.observations.all.rejected
        #expect(rejected == Array(repeating: .handshakeLimit, count: 5 - waiting))
    }

    @Test("a client that leaves the line is forgotten")
    func leaving() throws {
        let (server, clearPort) = try serverOfTwo { $0.tlsHandshakesWaitingMax = 20 }
        let busy = try TestClient(port: clearPort, tls: nil)
        for round in 0..<3 {
            var clients = try connect(21, to: server)
            try busy.send(String(repeating: get("/slow"), count: 3))
            try #require(server.observations.wait { $0.began >= 3 * round + 1 })
            for client in clients {
                try sayHello(client)
                client.resetAtClose()
            }
            // The second request is answered in the turn of the first. With the third the loop has looked at all of them, and
            // stands still: one has taken a step, 20 are in line.
            try #require(server.observations.wait { $0.began == 3 * round + 3 })
            clients = []
            for _ in 0..<3 { #expect(try busy.response().body == "slow") }
            #expect(server.observations.wait { $0.closed == 21 * (round + 1) })
        }
        #expect(server.observations.all.rejected == [])
        #expect(server.observations.all.handshakes == Array(repeating: .closed, count: 63))
        let after = try TestClient(port: server.port, tls: .init())
        try after.send(get("/1"))
        #expect(try after.response().status == 200)
    }

    @Test(
        "a client that waits too long is closed, and its handshake counted as timed out; without a byte it has not begun"
    )
    func waitingTooLong() throws {
        let (server, clearPort) = try serverOfTwo { $0.tlsHandshakeTime = .milliseconds(200) }
        let busy = try TestClient(port: clearPort, tls: nil)
        try busy.send(String(repeating: get("/slow"), count: 4))
        try #require(server.observations.wait { $0.began == 1 })
        // Accepted before the third of the slow requests, looked at before the fourth, in line during it.
        let clients = try (0..<5).map { _ in try TestClient(port: server.port, tls: nil) }
        for client in clients { try sayHello(client) }
        let silent = try TestClient(port: server.port, tls: nil)
        for _ in 0..<4 { #expect(try busy.response().body == "slow") }
        try #require(server.observations.wait { $0.closed == 6 })
        let all = server.observations.all
        #expect(all.handshakes == Array(repeating: .timeout, count: 5))
        #expect(all.ends.count { $0 == .tlsHandshake } == 5 && all.ends.count { $0 == .idleTimeout } == 1)
        _ = silent
    }

    @Test("a client that was gone before it was looked at takes neither a step nor a place in line")
    func goneBeforeTheFirstLook() throws {
        let (server, clearPort) = try serverOfTwo { $0.tlsHandshakesWaitingMax = 0 }
        let busy = try TestClient(port: clearPort, tls: nil)
        var clients = try connect(4, to: server)
        try occupy(server, busy)
        for client in clients {
            try sayHello(client)
            client.resetAtClose()
        }
        clients = []
        for _ in 0..<2 { #expect(try busy.response().body == "slow") }
        try #require(server.observations.wait { $0.closed == 4 })
        #expect(server.observations.all.handshakes == Array(repeating: .closed, count: 4))
        #expect(server.observations.all.rejected == [], "no place was asked for")
    }

    @Test("a probe without a byte takes no place in line, and ends no handshake", arguments: [false, true])
    func probe(resets: Bool) throws {
        let (server, clearPort) = try serverOfTwo { $0.tlsHandshakesWaitingMax = 0 }
        let busy = try TestClient(port: clearPort, tls: nil)
        var clients = try connect(4, to: server)
        try occupy(server, busy)
        if resets { for client in clients { client.resetAtClose() } }
        clients = []
        for _ in 0..<2 { #expect(try busy.response().body == "slow") }
        try #require(server.observations.wait { $0.closed == 4 })
        #expect(server.observations.all.handshakes == [] && server.observations.all.rejected == [])
        #expect(server.observations.all.ends == Array(repeating: .client, count: 4))
    }

    @Test("one over the limit of connections is counted as that alone, though there is no place in line")
    func excess() throws {
        let (server, clearPort) = try serverOfTwo {
            $0.tlsHandshakesWaitingMax = 0
            $0.connectionsMax = 1
        }
        let busy = try TestClient(port: clearPort, tls: nil)
        try busy.send(get("/1"))
        #expect(try busy.response().status == 200)
        let clients = try (0..<4).map { _ in try TestClient(port: server.port, tls: nil) }
        try #require(server.observations.wait { $0.rejected.count == 4 })
        try occupy(server, busy)
        for client in clients { try sayHello(client) }
        for _ in 0..<2 { #expect(try busy.response().body == "slow") }
        // The first is led on, the others are closed.
        for client in clients.dropFirst() {
            do { #expect(try client.receiveRaw().isEmpty) } catch let error as TestClient.Failed {
                #expect(error.code == ECONNRESET)
            }
        }
        #expect(server.observations.all.rejected == Array(repeating: .connectionLimit, count: 4))
    }
}
