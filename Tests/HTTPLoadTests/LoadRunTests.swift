import Foundation
import TestSupport
import Testing

@testable import HTTPLoad

/// Every count is exact, for the server's script decides them. No test asserts an upper bound on a time: others load the machine.
@Suite("Load run", .timeLimit(.minutes(2))) struct LoadRunTests {
    func plan(
        _ server: ScriptedServer, requests: Int?, targets: [String] = ["/"], method: String = "GET", body: String? = nil
    ) throws -> LoadPlan {
        var plan = LoadPlan(
            host: "127.0.0.1", port: server.port,
            script: try RequestScript(
                targets: targets, method: method, host: "test", body: body.map { Array($0.utf8) }))
        plan.connections = 1
        plan.duration = .seconds(60)
        plan.requestsMax = requests
        return plan
    }

    @Test("every request is sent once, each target in turn", arguments: [(1, 1, 1), (4, 2, 1), (3, 1, 7), (5, 2, 16)])
    func closedLoop(connections: Int, threads: Int, pipeline: Int) throws {
        let server = try ScriptedServer { seen in
            .answer(answer(seen.line.contains("/b") ? 404 : 200, version: seen.place % 2 + 1))
        }
        defer { server.stop() }
        var plan = try plan(server, requests: 600, targets: ["/a", "/b", "/c"])
        (plan.connections, plan.threads, plan.pipeline) = (connections, threads, pipeline)
        let total = try plan.run().total
        #expect(total.requests == 600 && total.answers == 600)
        #expect(total.statuses[200] == 400 && total.statuses[404] == 200)
        #expect(total.latency.count == 600)
        #expect((total.versions["1"] ?? 0) + (total.versions["2"] ?? 0) == 600)
        #expect(total.unanswered.allSatisfy { $0 == 0 })
        #expect(total.connectFailures + total.reconnections + total.closedIdle + total.closedAnnounced == 0)
        #expect(server.seen.count == 600)
        #expect(server.seen.count { $0.line.hasPrefix("GET /c ") } == 200)
        #expect(Set(server.seen.map(\.connection)).count == connections)
    }

    @Test("a kept connection closed under a POST loses that one request, and it is not sent again")
    func closedUnderPost() throws {
        // The first three on a connection are answered, the fourth meets a close.
        let server = try ScriptedServer { $0.place < 3 ? .answer(answer(200)) : .close(after: "") }
        defer { server.stop() }
        let total = try plan(server, requests: 40, method: "POST", body: "{\"k\":1}").run().total
        #expect(total.requests == 40 && total.statuses[200] == 30)
        #expect(total.unanswered[Unanswered.closed.rawValue] == 10 && total.unansweredOnReused == 10)
        #expect(total.reconnections == 9)
        #expect(server.seen.count == 40)
        #expect(server.seen.allSatisfy { $0.body == "{\"k\":1}" && $0.line.hasPrefix("POST / ") })
    }

    @Test("a reset, half an answer and what is not HTTP each count by their cause")
    func causes() throws {
        let server = try ScriptedServer { seen in
            switch seen.connection % 4 {
            case 0: .reset
            case 1: .close(after: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            case 2: .close(after: "SSH-2.0-OpenSSH\r\n")
            default: .close(after: answer(200, closes: true))
            }
        }
        defer { server.stop() }
        let total = try plan(server, requests: 20).run().total
        #expect(total.requests == 20)
        #expect(total.statuses[200] == 5 && total.closedAnnounced == 5)
        #expect(total.unanswered[Unanswered.reset.rawValue] == 5)
        #expect(total.unanswered[Unanswered.closed.rawValue] == 5)
        #expect(total.unanswered[Unanswered.malformed.rawValue] == 5)
        #expect(total.unansweredOnReused == 0)
    }

    @Test("an announced close loses nothing")
    func announced() throws {
        let server = try ScriptedServer {
            $0.place == 4 ? .close(after: answer(200, closes: true)) : .answer(answer(200))
        }
        defer { server.stop() }
        let total = try plan(server, requests: 50).run().total
        #expect(total.answers == 50 && total.requests == 50)
        #expect(total.closedAnnounced == 10 && total.closedIdle == 0)
    }

    @Test("silence is a timeout, on a connection of its own each time")
    func timeout() throws {
        let server = try ScriptedServer { _ in .silence }
        defer { server.stop() }
        var plan = try plan(server, requests: 3)
        plan.timeout = .milliseconds(200)
        let total = try plan.run().total
        #expect(total.requests == 3 && total.unanswered[Unanswered.timedOut.rawValue] == 3)
        #expect(server.seen.map(\.connection) == [0, 1, 2])
    }

    /// Request 50 of one connection is due 98 ms after the start and answered at least 400 ms later. Requests 51 to 150 are due by
    /// 300 ms, so each of the 100 is answered at least 198 ms late, however fast the answers follow then. A client that
    /// counted from the time of sending would see one slow request.
    @Test("in an open loop a stall makes every request late that fell due in it")
    func openLoopCountsTheQueue() throws {
        let server = try ScriptedServer {
            $0.place == 49 ? .late(seconds: 0.4, answer(200)) : .answer(answer(200))
        }
        defer { server.stop() }
        var plan = try plan(server, requests: 300)
        plan.requestsPerSecond = 500
        let total = try plan.run().total
        #expect(total.answers == 300)
        #expect(total.latency.quantile(200.0 / 300) >= 198_000_000)
    }

    @Test("an open loop sends on all its connections, and as many requests as fall due")
    func openLoopRate() throws {
        let server = try ScriptedServer { _ in .answer(answer(200)) }
        defer { server.stop() }
        var plan = try plan(server, requests: nil)
        (plan.connections, plan.threads) = (5, 2)
        plan.duration = .milliseconds(500)
        plan.requestsPerSecond = 400
        let result = try plan.run()
        #expect(result.total.answers == 200)
        #expect(Set(server.seen.map(\.connection)).count == 5)
    }

    @Test("what falls due while no connection is free is counted as unsent")
    func unsent() throws {
        let server = try ScriptedServer { _ in .silence }
        defer { server.stop() }
        var plan = try plan(server, requests: 100)
        plan.requestsPerSecond = 1000
        plan.timeout = .milliseconds(300)
        let total = try plan.run().total
        #expect(total.requests == 100 && total.answers == 0)
        let (late, unsent) = (Unanswered.timedOut.rawValue, Unanswered.unsent.rawValue)
        #expect(total.unanswered[late] >= 1 && total.unanswered[unsent] >= 1)
        #expect(total.unanswered[late] + total.unanswered[unsent] == 100)
    }

    @Test("the timeline's intervals add up to the total")
    func timeline() throws {
        let server = try ScriptedServer { _ in .answer(answer(200, version: 3)) }
        defer { server.stop() }
        var plan = try plan(server, requests: 100)
        plan.requestsPerSecond = 200
        plan.interval = .milliseconds(100)
        let result = try plan.run()
        #expect(result.timeline.count >= 5)
        #expect(result.timeline.map(\.answers).reduce(0, +) == 100)
        #expect(result.timeline.compactMap { $0.versions["3"] }.reduce(0, +) == 100)
        #expect(result.total.versions == ["3": 100])
    }

    @Test("once nobody listens, failures to connect are counted and what fell due is unsent")
    func goesAway() throws {
        let server = try ScriptedServer {
            $0.place == 4 ? .stop(after: answer(200, closes: true)) : .answer(answer(200))
        }
        var plan = try plan(server, requests: 10)
        plan.requestsPerSecond = 100
        plan.timeout = .milliseconds(300)
        let total = try plan.run().total
        #expect(total.requests == 10 && total.answers == 5)
        #expect(total.unanswered[Unanswered.unsent.rawValue] == 5)
        #expect(total.connectFailures > 0 && total.reconnections == 0)
    }

    @Test("a run that cannot connect at the start says so")
    func nobodyListens() throws {
        let server = try ScriptedServer { _ in .silence }
        server.stop()
        let plan = try plan(server, requests: 1)
        #expect(throws: LoadError.self) { try plan.run() }
    }
}
