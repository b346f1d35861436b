import Glibc
import HTTPMessages
import HTTPServer
import Testing

/// The budget of memory for requests that are not whole, over all connections.
@Suite("Buffered bytes", .inTheClearAndOverTLS) struct BufferedBytesTests {
    /// What a connection keeps for the part that is sent here: the buffer of one read.
    private static let kept = 16_384

    private func server(budget: Int, loops: Int = 1) throws -> TestServer {
        try TestServer(loops: loops) { limits in
            limits.requestLineBytesMax = 256
            limits.headerBytesMax = 256
            limits.bodyBytesMax = 10_000
            limits.bufferedBytesMax = budget
            limits.retryAfterSeconds = 7
        }
    }

    private let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9000\r\n\r\n"

    /// Sends the head and 5,000 bytes of the body, more than is kept in a small block, and waits until `count` are held.
    private func begin(_ client: TestClient, _ server: TestServer, count: Int) throws {
        try client.send(head + String(repeating: "a", count: 5000))
        #expect(server.observations.wait { $0.activity.filter { $0 }.count == count })
    }

    private func end(_ client: TestClient) throws {
        try client.send(String(repeating: "b", count: 4000))
        let answer = try client.response()
        #expect(answer.status == 200 && answer.body.utf8.count == 9000)
    }

    @Test("at the bound all are kept and answered; one byte less, and the last is told 503", arguments: [1, 2])
    func bound(loops: Int) throws {
        for (budget, fits) in [(4 * Self.kept, true), (4 * Self.kept - 1, false)] {
            let server = try server(budget: budget, loops: loops)
            let held = try (0..<3).map { _ in try server.client() }
            for (index, client) in held.enumerated() { try begin(client, server, count: index + 1) }
            let last = try server.client()
            try last.send(head + String(repeating: "a", count: 5000))
            if fits {
                #expect(server.observations.wait { $0.activity.filter { $0 }.count == 4 })
                try end(last)
            } else {
                let refusal = try last.response()
                #expect(refusal.status == 503 && refusal.headers["retry-after"] == "7")
                #expect(refusal.headers["connection"] == "close")
                #expect(try last.isAtEnd())
                #expect(server.observations.all.requests.map(\.status) == [503])
            }
            for client in held { try end(client) }
        }
    }

    @Test("what a connection held is given back when it was answered, refused or lost")
    func givenBack() throws {
        // A buffer that an earlier round has made to grow may serve again, and counts double: five fit in any case, seven in none.
        let server = try server(budget: 6 * Self.kept)
        for round in 0..<3 {
            let before = server.observations.all
            let active = before.activity.count { $0 }
            do {
                let clients = try (0..<5).map { _ in try server.client() }
                for client in clients { try client.send(head + String(repeating: "a", count: 5000)) }
                #expect(server.observations.wait { $0.activity.count { $0 } == active + 5 }, "round \(round)")
                let more = try (0..<2).map { _ in try server.client() }
                for client in more { try client.send(head + String(repeating: "a", count: 5000)) }
                #expect(server.observations.wait { $0.requests.count > before.requests.count }, "none is refused")
                #expect(server.observations.all.requests.allSatisfy { $0.status == 503 })
                if round == 1 { for client in clients { client.resetAtClose() } }
                if round == 2 { for client in clients { try end(client) } }
            }
            #expect(server.observations.wait { $0.closed == before.closed + 7 })
        }
    }

    @Test("who sends whole requests, or little of one, needs none of it")
    func others() throws {
        let server = try server(budget: 4 * Self.kept)
        let held = try (0..<4).map { _ in try server.client() }
        for (index, client) in held.enumerated() { try begin(client, server, count: index + 1) }
        let whole = try server.client()
        try whole.send(head + String(repeating: "a", count: 9000))
        #expect(try whole.response().status == 200)
        let little = try server.client()
        try little.send(head + String(repeating: "a", count: 3000))
        #expect(server.observations.wait { $0.activity.last == true && $0.opened == 6 })
        for client in held { try end(client) }
        try little.send(String(repeating: "b", count: 6000))
        #expect(try little.response().status == 200)
    }
}
