import Glibc
import HTTPMessages
import HTTPServer
import Synchronization
import TestSupport
import Testing

/// Real sockets, one loop: every path with a query is answered when the test says so, every other one at once.
@Suite("Postponed answers over sockets") struct PostponedAnswerTests {
    /// What the loop's thread did, for the test's thread to see; and the answers that wait.
    final class Stage: Sendable {
        struct Seen: Sendable {
            /// Path and query of what was begun, in order, with how to say that it is ready.
            var begun: [(target: String, ready: @Sendable () -> Void)] = []
            var abandoned: [String] = []
            var ended: [Int] = []
            var inProgress = 0
        }

        let seen = Mutex(Seen())
        /// Says at once, while the work is begun, that the answer can be written.
        let isImmediate: Bool

        init(isImmediate: Bool) { self.isImmediate = isImmediate }

        var begun: [String] { seen.withLock { $0.begun.map(\.target) } }
        func ready(_ place: Int) { seen.withLock { $0.begun[place].ready }() }
    }

    final class Later: PostponedAnswer {
        private let target: String
        private let stage: Stage

        init(_ target: String, _ stage: Stage) {
            self.target = target
            self.stage = stage
        }

        func begin(_ ready: @escaping @Sendable () -> Void) {
            stage.seen.withLock { $0.begun.append((target, ready)) }
            if stage.isImmediate { ready() }
        }

        func write(into response: inout Response) {
            response.begin(status: 201, contentType: "text/plain")
            response.append("later \(target)\n")
        }

        func abandoned() { stage.seen.withLock { $0.abandoned.append(target) } }
    }

    final class Loop: RequestHandler, ServerObserver {
        let stage: Stage
        init(_ stage: Stage) { self.stage = stage }

        func respond(
            to head: borrowing RequestHead, bytes: Span<UInt8>, body: Span<UInt8>, context: RequestContext,
            into response: inout Response
        ) -> Int {
            guard let query = head.query else {
                response.begin(status: 200, contentType: "text/plain")
                response.append("at once\n")
                return 0
            }
            response.postpone(Later(String(decoding: query.map { bytes[$0] }, as: UTF8.self), stage))
            return 1
        }

        func refuse(
            _ refusal: Refusal, head: RequestHead?, bytes: Span<UInt8>, context: RequestContext,
            into response: inout Response
        ) -> Int {
            response.begin(status: refusal.status, contentType: "text/plain")
            if let seconds = refusal.retryAfterSeconds { response.header("Retry-After", seconds) }
            response.append("refused ")
            if let head { for index in head.path { response.append(bytes[index]) } }
            response.append("\n")
            return refusalRoute
        }

        func requestBegan() { stage.seen.withLock { $0.inProgress += 1 } }
        func requestEnded(
            route: Int, method: HTTPMethod, status: Int, requestBytes: Int, responseBytes: Int, nanoseconds: UInt64
        ) {
            stage.seen.withLock { seen in
                seen.inProgress -= 1
                if route == 1 { seen.ended.append(status) }
            }
        }
        func connectionOpened() {}
        func connectionClosed(_ end: ConnectionEnd) {}
        func connectionRejected(_ reason: RejectionReason) {}
    }

    /// A server that is drained when the test is over.
    final class Running {
        let stage: Stage
        let server: HTTPServer

        init(limits: Limits = Limits(), isImmediate: Bool = false) throws {
            let stage = Stage(isImmediate: isImmediate)
            self.stage = stage
            server = HTTPServer(ServerConfiguration(port: 0, loops: 1, limits: limits)) { _ in
                let loop = Loop(stage)
                return (loop, loop)
            }
            try server.start()
        }

        deinit { _ = server.drain(within: .zero) }

        func connect() throws -> LoopbackConnection { try LoopbackConnection(port: server.port) }

        /// Waits, at most ten seconds, for the loop to do something.
        func waits(for condition: (Stage.Seen) -> Bool) -> Bool {
            for _ in 0..<10_000 {
                if condition(stage.seen.withLock { $0 }) { return true }
                usleep(1000)
            }
            return false
        }
    }

    private func get(_ target: String, _ more: String = "") -> String {
        "GET \(target) HTTP/1.1\r\nHost: a\r\n\(more)\r\n"
    }

    @Test("others are answered meanwhile, and what the client sent behind it after it") func meanwhile() throws {
        let running = try Running()
        let patient = try running.connect()
        try patient.send(get("/a") + get("/b?1") + get("/c?2") + get("/d"))
        #expect(try patient.receive().text == "at once\n", "what came before it is sent")
        #expect(running.waits { $0.begun.count == 1 })
        let other = try running.connect()
        for _ in 0..<20 { #expect(try other.get("/now").text == "at once\n") }
        #expect(running.stage.begun == ["1"], "the next is not even looked at")
        running.stage.ready(0)
        let first = try patient.receive()
        #expect(first.status == 201 && first.text == "later 1\n")
        #expect(running.waits { $0.begun.count == 2 })
        running.stage.ready(1)
        #expect(try patient.receive().text == "later 2\n")
        #expect(try patient.receive().text == "at once\n")
        #expect(running.waits { $0.ended == [201, 201] && $0.inProgress == 0 && $0.abandoned.isEmpty })
    }

    @Test("many wait at once and are answered as they become ready") func many() throws {
        let running = try Running()
        let connections = try (0..<50).map { number in
            let connection = try running.connect()
            try connection.send(get("/?\(number)"))
            return connection
        }
        #expect(running.waits { $0.begun.count == 50 })
        let targets = running.stage.begun
        for place in (0..<50).reversed() { running.stage.ready(place) }
        for place in 0..<50 {
            let number = try #require(Int(targets[place]))
            #expect(try connections[number].receive().text == "later \(number)\n")
        }
    }

    @Test("ready while it is begun, and said again: answered once, and never in place of the next") func immediate()
        throws
    {
        let running = try Running(isImmediate: true)
        let connection = try running.connect()
        for number in 0..<20 {
            #expect(try connection.get("/?\(number)").text == "later \(number)\n")
            running.stage.ready(number)
        }
        let slow = try Running()
        let other = try slow.connect()
        try other.send(get("/?1"))
        #expect(slow.waits { $0.begun.count == 1 })
        slow.stage.ready(0)
        #expect(try other.receive().text == "later 1\n")
        try other.send(get("/?2"))
        #expect(slow.waits { $0.begun.count == 2 })
        // The first one's word does not count for the second.
        slow.stage.ready(0)
        let third = try slow.connect()
        #expect(try third.get("/now").text == "at once\n")
        #expect(slow.stage.seen.withLock { $0.ended } == [201])
        slow.stage.ready(1)
        #expect(try other.receive().text == "later 2\n")
    }

    @Test("a client that goes away is abandoned once, and its word does nothing to who comes after") func gone() throws
    {
        let running = try Running()
        do {
            let client = try running.connect()
            try client.send(get("/?1"))
            #expect(running.waits { $0.begun.count == 1 })
            client.resetAtClose()
        }
        #expect(running.waits { $0.abandoned == ["1"] && $0.ended == [499] && $0.inProgress == 0 })
        // Probably in the same place of the loop's table.
        let next = try running.connect()
        try next.send(get("/?2"))
        #expect(running.waits { $0.begun.count == 2 })
        running.stage.ready(0)
        let other = try running.connect()
        #expect(try other.get("/now").text == "at once\n")
        #expect(running.stage.seen.withLock { $0.ended } == [499])
        running.stage.ready(1)
        #expect(try next.receive().text == "later 2\n")
    }

    @Test("a client that ended its side, wants the end, or speaks HTTP/1.0 gets its answer and then the end")
    func ends() throws {
        let running = try Running(isImmediate: true)
        let half = try running.connect()
        try half.send(get("/?1"))
        half.finishSending()
        #expect(try half.receiveToEnd().hasSuffix("\r\n\r\nlater 1\n"))
        let closing = try running.connect()
        try closing.send(get("/?2", "Connection: close\r\n"))
        let answer = try closing.receiveToEnd()
        #expect(answer.contains("Connection: close\r\n") && answer.hasSuffix("later 2\n"))
        let old = try running.connect()
        try old.send("GET /?3 HTTP/1.0\r\n\r\n")
        #expect(try old.receiveToEnd().hasSuffix("later 3\n"))
        let head = try running.connect()
        try head.send("HEAD /?4 HTTP/1.1\r\nHost: a\r\n\r\n" + get("/now"))
        #expect(try head.receive(bodyless: true).headers["content-length"] == "8")
        #expect(try head.receive().text == "at once\n")
    }

    @Test(
        "one that is not ready in the write stall time: 503 in its place, counted as that, and the connection goes on")
    func late() throws {
        var limits = Limits()
        limits.writeStallTime = .milliseconds(200)
        limits.retryAfterSeconds = 7
        let running = try Running(limits: limits)
        let connection = try running.connect()
        try connection.send(get("/?1") + get("/now"))
        let answer = try connection.receive()
        #expect(answer.status == 503)
        #expect(answer.text == "refused /\n", "the handler words it, with the head of the request")
        #expect(answer.headers["retry-after"] == "7")
        #expect(answer.headers["connection"] == nil)
        #expect(running.waits { $0.abandoned == ["1"] && $0.ended == [503] })
        #expect(try connection.receive().text == "at once\n", "what was sent behind it")
        // Its own word, too late, is not for the next one.
        try connection.send(get("/?2"))
        #expect(running.waits { $0.begun.count == 2 })
        running.stage.ready(0)
        #expect(try running.connect().get("/now").text == "at once\n")
        running.stage.ready(1)
        #expect(try connection.receive().text == "later 2\n")
        #expect(running.waits { $0.abandoned == ["1"] && $0.ended == [503, 201] && $0.inProgress == 0 })
    }

    @Test("not ready in time for one that wants the end: 503, and the end") func lateAndLast() throws {
        var limits = Limits()
        limits.writeStallTime = .milliseconds(200)
        let running = try Running(limits: limits)
        let connection = try running.connect()
        try connection.send(get("/?1", "Connection: close\r\n"))
        let answer = try connection.receiveToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("Connection: close\r\n"))
        #expect(running.waits { $0.abandoned == ["1"] && $0.ended == [503] && $0.inProgress == 0 })
    }

    @Test("a drain waits for it, up to its deadline") func drain() throws {
        let running = try Running()
        let connection = try running.connect()
        try connection.send(get("/?1"))
        #expect(running.waits { $0.begun.count == 1 })
        let witness = try running.connect()
        #expect(try witness.get("/now").headers["connection"] == nil)
        let server = running.server
        let drained = BackgroundThread { server.drain(within: .seconds(10)) }
        // The loop tells all its connections of a drain in one turn.
        for _ in 0..<1000 {
            if try witness.get("/now").headers["connection"] == "close" { break }
            usleep(1000)
        }
        running.stage.ready(0)
        let last = try connection.receive()
        #expect(last.text == "later 1\n")
        #expect(last.headers["connection"] == "close", "put off before the drain, and the last one all the same")
        #expect(try connection.isClosedByPeer())
        #expect(try drained.value())

        let cut = try Running()
        let other = try cut.connect()
        try other.send(get("/?1"))
        #expect(cut.waits { $0.begun.count == 1 })
        #expect(!cut.server.drain(within: .milliseconds(50)), "it was cut")
        #expect(
            cut.waits { $0.abandoned == ["1"] && $0.ended == [503] && $0.inProgress == 0 },
            "by the server, not the client")
        // The loop is gone; its mailbox takes no word any more.
        cut.stage.ready(0)
    }
}
