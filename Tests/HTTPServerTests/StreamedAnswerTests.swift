import Glibc
import HTTPMessages
import HTTPServer
import Synchronization
import TestSupport
import Testing

/// Real sockets, one loop: `/stream?N` answers N pieces of 64 KiB, every other path a line at once.
@Suite("Streamed answers over sockets") struct StreamedAnswerTests {
    static let pieceBytes = 64 * 1024

    /// What the loop's thread did, for the test's thread to see.
    final class Counts: Sendable {
        let produced = Atomic<Int>(0)
        let whole = Atomic<Int>(0)
        let lost = Atomic<Int>(0)
        let inProgress = Atomic<Int>(0)
        let lastResponseBytes = Atomic<Int>(0)
    }

    final class Pieces: BodyProducer {
        private var left: Int
        private let counts: Counts

        init(_ count: Int, _ counts: Counts) {
            left = count
            self.counts = counts
        }

        func producePiece(into body: inout ByteBuffer) -> Bool {
            if left == 0 { return false }
            for _ in 0..<StreamedAnswerTests.pieceBytes { body.append(UInt8(ascii: "a") + UInt8(left % 26)) }
            left -= 1
            counts.produced.add(1, ordering: .relaxed)
            return left > 0
        }

        func ended(wasWhole: Bool) {
            if wasWhole { counts.whole.add(1, ordering: .relaxed) } else { counts.lost.add(1, ordering: .relaxed) }
        }
    }

    final class Loop: RequestHandler, ServerObserver {
        let counts: Counts
        init(_ counts: Counts) { self.counts = counts }

        func respond(
            to head: borrowing RequestHead, bytes: Span<UInt8>, body: Span<UInt8>, context: RequestContext,
            into response: inout Response
        ) -> Int {
            guard let query = head.query else {
                response.begin(status: 200, contentType: "text/plain")
                response.append("at once\n")
                return 0
            }
            let count = query.reduce(0) { $0 * 10 + Int(bytes[$1] - UInt8(ascii: "0")) }
            response.begin(status: 200, contentType: "text/plain", streaming: Pieces(count, counts))
            return 1
        }

        func refuse(
            _ refusal: Refusal, head: RequestHead?, bytes: Span<UInt8>, context: RequestContext,
            into response: inout Response
        ) -> Int {
            response.begin(status: refusal.status)
            return refusalRoute
        }

        func requestBegan() { counts.inProgress.add(1, ordering: .relaxed) }
        func requestEnded(
            route: Int, method: HTTPMethod, status: Int, requestBytes: Int, responseBytes: Int, nanoseconds: UInt64
        ) {
            counts.inProgress.subtract(1, ordering: .relaxed)
            counts.lastResponseBytes.store(responseBytes, ordering: .relaxed)
        }
        func connectionOpened() {}
        func connectionClosed(_ end: ConnectionEnd) {}
        func connectionRejected(_ reason: RejectionReason) {}
    }

    /// A server that is drained when the test is over.
    final class Running {
        let counts = Counts()
        let server: HTTPServer

        init(limits: Limits = Limits()) throws {
            let counts = self.counts
            server = HTTPServer(ServerConfiguration(port: 0, loops: 1, limits: limits)) { _ in
                let loop = Loop(counts)
                return (loop, loop)
            }
            try server.start()
        }

        deinit { _ = server.drain(within: .seconds(5)) }

        /// Waits, at most ten seconds, for the loop to do something.
        func waits(for condition: () -> Bool) -> Bool {
            let clock = ContinuousClock()
            let deadline = clock.now + .seconds(10)
            while clock.now < deadline {
                if condition() { return true }
                usleep(1000)
            }
            return condition()
        }
    }

    private func expectedBytes(_ count: Int) -> [UInt8] {
        (0..<count).flatMap { piece in
            [UInt8](repeating: UInt8(ascii: "a") + UInt8((count - piece) % 26), count: Self.pieceBytes)
        }
    }

    @Test("all pieces arrive in order, and the next request of the connection is answered after them") func inOrder()
        throws
    {
        let running = try Running()
        let connection = try LoopbackConnection(port: running.server.port)
        try connection.send("GET /stream?40 HTTP/1.1\r\nHost: a\r\n\r\nGET /now HTTP/1.1\r\nHost: a\r\n\r\n")
        let streamed = try connection.receive()
        #expect(streamed.headers["transfer-encoding"] == "chunked")
        #expect(streamed.headers["content-length"] == nil)
        #expect(streamed.body == expectedBytes(40))
        #expect(try connection.receive().text == "at once\n")
        #expect(running.counts.whole.load(ordering: .relaxed) == 1)
        #expect(running.waits { running.counts.inProgress.load(ordering: .relaxed) == 0 })
    }

    @Test("an answer without a single piece is an empty body") func empty() throws {
        let running = try Running()
        let connection = try LoopbackConnection(port: running.server.port)
        #expect(try connection.get("/stream?0").body.isEmpty)
        #expect(try connection.get("/now").text == "at once\n")
    }

    @Test("a client that does not read stops the producer, and other connections are answered meanwhile")
    func backPressure() throws {
        let running = try Running()
        let slow = try LoopbackConnection(port: running.server.port)
        let pieces = 2000  // 128 MB: far more than socket buffers hold.
        try slow.send("GET /stream?\(pieces) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(running.waits { running.counts.produced.load(ordering: .relaxed) > 0 })
        let other = try LoopbackConnection(port: running.server.port)
        for _ in 0..<20 { #expect(try other.get("/now").text == "at once\n") }
        usleep(200_000)
        let stopped = running.counts.produced.load(ordering: .relaxed)
        #expect(stopped < 400, "\(stopped) pieces were made for a client that took none")
        usleep(100_000)
        #expect(running.counts.produced.load(ordering: .relaxed) == stopped)
        #expect(try slow.receive().body.count == pieces * Self.pieceBytes)
    }

    @Test("a client that goes away ends the stream, and it is no longer in progress") func clientGone() throws {
        let running = try Running()
        do {
            let gone = try LoopbackConnection(port: running.server.port)
            try gone.send("GET /stream?2000 HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(running.waits { running.counts.produced.load(ordering: .relaxed) > 0 })
        }
        #expect(running.waits { running.counts.lost.load(ordering: .relaxed) == 1 })
        #expect(running.waits { running.counts.inProgress.load(ordering: .relaxed) == 0 })
    }

    @Test("a client that takes nothing is cut after the write stall time") func stalled() throws {
        var limits = Limits()
        limits.writeStallTime = .milliseconds(200)
        let running = try Running(limits: limits)
        let slow = try LoopbackConnection(port: running.server.port)
        try slow.send("GET /stream?2000 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(running.waits { running.counts.lost.load(ordering: .relaxed) == 1 })
    }

    @Test("an HTTP/1.0 client gets plain bytes up to the end of the connection, kept-alive or not") func oldClient()
        throws
    {
        let running = try Running()
        let connection = try LoopbackConnection(port: running.server.port)
        try connection.send("GET /stream?3 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let all = try connection.receiveToEnd()
        #expect(all.contains("Connection: close\r\n"))
        #expect(Array(all.utf8.suffix(3 * Self.pieceBytes)) == expectedBytes(3))
        #expect(all.utf8.count == running.counts.lastResponseBytes.load(ordering: .relaxed))
    }

    @Test("HEAD gets the head alone") func head() throws {
        let running = try Running()
        let connection = try LoopbackConnection(port: running.server.port)
        try connection.send("HEAD /stream?3 HTTP/1.1\r\nHost: a\r\n\r\nGET /now HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try connection.receive(bodyless: true).headers["transfer-encoding"] == "chunked")
        #expect(try connection.receive().text == "at once\n")
        #expect(running.counts.produced.load(ordering: .relaxed) == 0)
    }

    @Test("a client that sends on while it is being streamed to gets no extra turns, and its requests are answered")
    func sendsWhileStreamed() throws {
        let running = try Running()
        let connection = try LoopbackConnection(port: running.server.port)
        try connection.send("GET /stream?200 HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in 0..<50 { try connection.send("GET /now HTTP/1.1\r\nHost: a\r\n\r\n") }
        #expect(try connection.receive().body.count == 200 * Self.pieceBytes)
        for _ in 0..<50 { #expect(try connection.receive().text == "at once\n") }
    }

    @Test("a drain lets a stream finish") func drain() throws {
        let running = try Running()
        let connection = try LoopbackConnection(port: running.server.port)
        try connection.send("GET /stream?500 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(running.waits { running.counts.produced.load(ordering: .relaxed) > 0 })
        let server = running.server
        let drained = BackgroundThread { server.drain(within: .seconds(10)) }
        #expect(try connection.receive().body.count == 500 * Self.pieceBytes)
        #expect(try connection.isClosedByPeer())
        #expect(try drained.value())
    }
}
