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
        let waiting = (1...3).map { queue.wait(registration($0)) }
        #expect(waiting == [true, true, false])
        queue.wentAway()
        let isIn = queue.wait(registration(4))
        #expect(isIn)
    }

    @Test("who waits longest is next, and nobody passes the line")
    func order() {
        var queue = queue(perTurn: 2, waiting: 10)
        for number in 0..<5 { _ = queue.wait(registration(number)) }
        #expect(queue.waitingCount == 5)
        var seen: [UInt32] = []
        for _ in 0..<3 {
            queue.turnBegins()
            let passed = queue.takeStep()
            #expect(!passed, "others wait")
            while let next = queue.next() {
                seen.append(next.slot)
                queue.called()
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
            _ = queue.wait(registration(number))
            queue.wentAway()
        }
        _ = queue.wait(registration(10_000))
        #expect(queue.waitingCount == 1)
        var passed = 0
        while let next = queue.next() {
            passed += 1
            if next.slot == 10_000 { queue.called() }
        }
        #expect(passed == 10_001 && queue.isEmpty && queue.waitingCount == 0)
    }

    // MARK: Through a server

    private func server(perTurn: Int, waiting: Int) throws -> TestServer {
        try TestServer(tls: tlsContext()) { limits in
            limits.tlsHandshakesPerTurnMax = perTurn
            limits.tlsHandshakesWaitingMax = waiting
        }
    }

    @Test("with one step a turn everybody gets in, and requests are answered meanwhile")
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

    @Test("a client that leaves the line is forgotten, one that waits too long is closed")
    func leaving() throws {
        let server = try TestServer(tls: tlsContext()) { limits in
            limits.tlsHandshakesPerTurnMax = 1
            limits.tlsHandshakesWaitingMax = 100
        }
        let busy = try TestClient(port: server.port, tls: .init())
        for round in 1...3 {
            try busy.send(get("/slow"))
            #expect(server.observations.wait { $0.began == round })
            for _ in 0..<20 {
                let client = try TestClient(port: server.port, tls: nil)
                let session = try TLSClientSession(.init())
                _ = try session.shakeHands()
                try client.sendRaw(session.takeOutgoing())
                client.resetAtClose()
            }
            #expect(try busy.response().body == "slow")
        }
        #expect(server.observations.wait { $0.closed == 60 })
        let after = try TestClient(port: server.port, tls: .init())
        try after.send(get("/1"))
        #expect(try after.response().status == 200)
    }
}
