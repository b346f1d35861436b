import Foundation
import TestSupport
import Testing

@Suite("POST /recommend/bulk, through the built binary") struct BulkTests {
    let made: SampleRegistry.Made

    init() throws { made = try SampleRegistry.made.get() }

    private func request(_ body: String, version: String = "1.1") -> String {
        """
        POST /recommend/bulk HTTP/\(version)\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n\
        Content-Length: \(body.utf8.count)\r\n\r\n\(body)
        """
    }

    private struct Line: Decodable {
        struct Item: Decodable {
            let item_id: String
            let score: Float
        }
        let user_id: String?
        let items: [Item]?
        let line: Int?
        let status: Int?
    }

    private func lines(_ text: String) throws -> [Line] {
        try text.split(separator: "\n").map { try JSONDecoder().decode(Line.self, from: Data($0.utf8)) }
    }

    @Test("ten thousand lines are answered in order, each as GET answers it, with problems in their places")
    func tenThousand() throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let connection = try LoopbackConnection(port: server.port)
        let users = (0..<10_000).map { $0 % 7 == 3 ? "nobody-\($0)" : $0 % 2 == 0 ? made.guest : "\($0)" }
        let body = users.enumerated()
            .map { $0 % 1000 == 999 ? "{\"user\":1}\n" : "{\"user_id\":\"\($1)\",\"k\":2,\"offset\":\($0 % 5)}\n" }
            .joined()
        try connection.send(request(body))
        let answer = try connection.receive()
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/x-ndjson")
        #expect(answer.headers["transfer-encoding"] == "chunked")
        let lines = try lines(answer.text)
        try #require(lines.count == 10_000)
        for (number, line) in lines.enumerated() {
            if number % 1000 == 999 {
                #expect(line.status == 400)
                #expect(line.line == number + 1)
            } else {
                #expect(line.user_id == users[number])
            }
        }
        for number in stride(from: 0, to: 10_000, by: 997) {
            let single = try RecommendationAnswer(
                try connection.get("/recommend?user_id=\(users[number])&k=2&offset=\(number % 5)").text)
            #expect(lines[number].items?.map(\.item_id) == single.items.map(\.itemID))
            #expect(lines[number].items?.map(\.score) == single.items.map(\.score))
        }
    }

    @Test("one line more, or a body over the bound, is a 413") func tooLarge() throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let over = try LoopbackConnection(port: server.port)
        try over.send(request(String(repeating: "{\"user_id\":\"1\"}\n", count: 10_001)))
        let answer = try over.receive()
        #expect(answer.status == 413)
        #expect(answer.text.contains("too-many-lines"))
        let large = try LoopbackConnection(port: server.port)
        let body = String(repeating: "x", count: 1024 * 1024 + 1)
        try large.send(String(request(body).prefix(200)))
        #expect(try large.receive().status == 413)
    }

    @Test("a client that does not read costs little memory, and others are answered meanwhile") func backPressure()
        throws
    {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let other = try LoopbackConnection(port: server.port)
        func residentBytes() throws -> Double {
            let text = try other.get("/metrics").text
            let line = try #require(
                text.split(separator: "\n").first { $0.hasPrefix("process_resident_memory_bytes ") })
            return try #require(Double(line.split(separator: " ")[1]))
        }
        _ = try other.get("/recommend?user_id=\(made.guest)&k=1000")
        let before = try residentBytes()
        // Some hundred megabytes of answers to each.
        let body = String(repeating: "{\"user_id\":\"\(made.guest)\",\"k\":1000}\n", count: 10_000)
        let slow = try (0..<4).map { _ in try LoopbackConnection(port: server.port) }
        for connection in slow { try connection.send(request(body)) }
        for _ in 0..<50 {
            #expect(try other.get("/recommend?user_id=\(made.guest)&k=1").status == 200)
            usleep(10_000)
        }
        let grown = try residentBytes() - before
        #expect(grown < 32_000_000, "\(Int(grown)) bytes more for four clients that do not read")
        // All four are still under way, and count as such, with the scrape itself.
        #expect(try other.get("/metrics").text.contains("http_requests_inprogress 5.0\n"))
    }

    @Test("an HTTP/1.0 client gets the lines up to the end of the connection") func oldClient() throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let connection = try LoopbackConnection(port: server.port)
        try connection.send(request("{\"user_id\":\"1\",\"k\":1}\n{\"user_id\":\"2\",\"k\":1}", version: "1.0"))
        let all = try connection.receiveToEnd()
        let parts = all.split(separator: "\r\n\r\n", maxSplits: 1)
        try #require(parts.count == 2)
        #expect(!parts[0].contains("chunked"))
        #expect(try lines(String(parts[1])).map(\.user_id) == ["1", "2"])
    }

    @Test("SIGTERM in the middle of a bulk answer lets it finish") func drain() throws {
        let server = try RunningServer(made.options + ["--threads", "1", "--drain-seconds", "0.1"])
        let connection = try LoopbackConnection(port: server.port)
        try connection.send(request(String(repeating: "{\"user_id\":\"\(made.guest)\",\"k\":1000}\n", count: 3000)))
        server.send(SIGTERM)
        #expect(try lines(try connection.receive().text).count == 3000)
        #expect(server.exitCode(within: 10) == 0)
    }
}
