import Glibc
import Testing

@testable import HTTPMessages
@testable import HTTPServer

@Suite("Overload") struct OverloadTests {
    private static let millisecond: UInt64 = 1_000_000

    /// A loop with `waiting` requests in every turn, each of which takes `cost` ms when it is served; target 100 ms. Returns how many of
    /// each turn were shed.
    private func shed(_ turns: [Int], cost: UInt64) -> [Int] {
        var now = MonotonicTime(nanoseconds: 1_000 * Self.millisecond)
        var overload = Overload(target: 100 * Self.millisecond, now: now)
        return turns.map { waiting in
            var shed = 0
            overload.turnBegins(now: now)
            for _ in 0..<waiting {
                if overload.sheds(now: now) { shed += 1 } else { now = now + cost * Self.millisecond }
            }
            overload.turnEnded(now: now)
            now = now + Self.millisecond
            return shed
        }
    }

    @Test("a burst is served whole, however long")
    func burst() { #expect(shed([1000, 1, 1], cost: 10) == [0, 0, 0]) }

    @Test("a queue at the target stands for ever and nobody is turned away")
    func atTheTarget() { #expect(shed(Array(repeating: 10, count: 50), cost: 10).allSatisfy { $0 == 0 }) }

    @Test("a queue above it is shed from the second turn on, down to the target")
    func above() {
        let shed = shed([30, 30, 30, 30, 5, 30], cost: 10)
        // Eleven are served: the eleventh has waited for exactly the target.
        #expect(shed[0] == 0 && shed[1] == 19 && shed[2] == 19 && shed[3] == 19)
        #expect(shed[4] == 0, "a short turn is served")
        #expect(shed[5] == 0, "and after it the queue has to stand anew")
    }

    @Test("the first request of a turn is served even when each takes longer than the target")
    func heavy() { #expect(shed([1, 1, 1, 1], cost: 500) == [0, 0, 0, 0]) }

    @Test("served requests wait little longer than the target, others get 503 and their connection stays")
    func server() throws {
        let server = try TestServer { limits in
            limits.queueTimeMax = .milliseconds(100)
            limits.retryAfterSeconds = 7
        }
        // Each takes 150 ms of the only loop: a turn of eight is far above the target.
        let clients = try (0..<8).map { _ in try TestClient(port: server.port, seconds: 30) }
        let essential = try server.client()
        var shed = 0
        var served = 0
        for round in 0..<4 {
            for client in clients { try client.send(get("/slow")) }
            try essential.send(get("/essential"))
            for client in clients {
                let response = try client.response()
                if response.status == 503 {
                    shed += 1
                    #expect(response.headers["retry-after"] == "7")
                    #expect(response.headers["connection"] == nil)
                } else {
                    served += 1
                    #expect(response.body == "slow")
                }
            }
            #expect(try essential.response().body == "/essential", "round \(round)")
        }
        #expect(shed > 0 && served > 0, "\(shed) shed, \(served) served")
        for client in clients {
            try client.send(get("/1"))
            #expect(try client.response().body == "/1")
        }
        #expect(server.observations.all.requests.filter { $0.status == 503 }.allSatisfy { $0.route == refusalRoute })
    }
}
