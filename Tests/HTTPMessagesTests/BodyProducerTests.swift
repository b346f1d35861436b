import HTTPMessages
import Testing

@Suite("Streamed answers, as bytes and as states") struct BodyProducerTests {
    private final class Nothing: BodyProducer {
        func producePiece(into body: inout ByteBuffer) -> Bool { false }
        func ended(wasWhole: Bool) {}
    }

    private func text(_ buffer: borrowing ByteBuffer) -> String {
        buffer.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
    }

    @Test(
        "a chunk says its size in hexadecimal and ends where it says",
        arguments: [(1, "00000001"), (15, "0000000F"), (16, "00000010"), (70_000, "00011170")])
    func chunk(size: Int, digits: String) {
        var buffer = ByteBuffer(capacity: 1)
        buffer.append("before")
        let more = buffer.appendChunk { body in
            for _ in 0..<size { body.append(UInt8(ascii: "x")) }
            return true
        }
        #expect(more)
        #expect(text(buffer) == "before\(digits)\r\n\(String(repeating: "x", count: size))\r\n")
    }

    @Test("an empty piece makes no chunk: it would end the body") func emptyChunk() {
        var buffer = ByteBuffer(capacity: 1)
        buffer.appendChunk { _ in }
        #expect(text(buffer) == "")
        buffer.appendLastChunk()
        #expect(text(buffer) == "0\r\n\r\n")
    }

    @Test(
        "the head has a transfer coding for HTTP/1.1, the end of the connection for HTTP/1.0, and never a length",
        arguments: [(1, Persistence.implicit), (0, .keepAlive)])
    func head(minorVersion: Int, persistence: Persistence) {
        var response = Response(
            into: ByteBuffer(capacity: 16), date: HTTPDate(unixSeconds: 0), persistence: persistence, omitsBody: false,
            minorVersion: minorVersion)
        response.begin(status: 200, contentType: "text/plain", streaming: Nothing())
        response.header("X-A", 1)
        let bytes = response.finish()
        #expect(response.producer != nil)
        #expect(response.persistenceOfStream == (minorVersion == 0 ? .close : .implicit))
        let head = text(response.takeOutput())
        #expect(head.utf8.count == bytes)
        #expect(head.hasSuffix("Content-Type: text/plain\r\nX-A: 1\r\n\r\n"))
        #expect(head.contains("Transfer-Encoding: chunked\r\n") == (minorVersion == 1))
        #expect(head.contains("Connection: close\r\n") == (minorVersion == 0))
        #expect(!head.contains("keep-alive"))
        #expect(!head.contains("Content-Length"))
    }

    @Test("beginning again, as after an error, forgets the producer; HEAD never has one") func producerForgotten() {
        var response = Response(
            into: ByteBuffer(capacity: 16), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false)
        response.begin(status: 200, contentType: "text/plain", streaming: Nothing())
        response.begin(status: 500)
        response.finish()
        #expect(response.producer == nil)
        #expect(text(response.takeOutput()).contains("Content-Length:          0\r\n"))
        var toHead = Response(
            into: ByteBuffer(capacity: 16), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: true)
        toHead.begin(status: 200, contentType: "text/plain", streaming: Nothing())
        #expect(toHead.producer == nil)
    }

    @Test("a stream asks for a piece only when nothing is unsent, and lets others have a turn between two") func turns()
        throws
    {
        let policy = ConnectionPolicy(Limits())
        let start = MonotonicTime(nanoseconds: 0)
        var state = ConnectionState(now: start, policy: policy)
        var input = ByteBuffer(capacity: 64)
        input.append("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        guard
            case .respond(_, let body, let persistence) = state.next(&input, outputBytes: 0, now: start, policy: policy)
        else {
            Issue.record("no request found")
            return
        }
        state.streamBegan(&input, body: body, persistence: persistence, now: start, policy: policy)
        #expect(!state.wantsToRead)
        #expect(!state.isAnswered)
        #expect(state.next(&input, outputBytes: 100, now: start, policy: policy) == .write)
        state.wrote(60, outputBytes: 40)
        state.looked(heldBytes: 60, now: start, policy: policy)
        #expect(state.next(&input, outputBytes: 40, now: start, policy: policy) == .write)
        let stall = policy.limits.writeStallTime.clampedNanoseconds
        #expect(state.deadline == start + stall / 4, "the first look at how far the client got")
        #expect(state.timerFired(now: start + stall) == .close)
        state.wrote(40, outputBytes: 0)
        #expect(state.deadline == .distantFuture, "a stream that is not stalled may take its time")
        #expect(state.next(&input, outputBytes: 0, now: start, policy: policy) == .produce)
        #expect(state.next(&input, outputBytes: 0, now: start, policy: policy) == .yield)
        #expect(state.next(&input, outputBytes: 0, now: start, policy: policy) == .produce)
        state.laterAnswerEnded(input, now: start, policy: policy)
        // The request behind it was left alone and is answered now.
        guard case .respond(let head, _, _) = state.next(&input, outputBytes: 5, now: start, policy: policy) else {
            Issue.record("the next request was lost")
            return
        }
        #expect(head.path.count == "/next".utf8.count)
    }

    @Test("a stalled stream is cut; one that closes its connection lingers only over unread bytes") func ends() {
        let policy = ConnectionPolicy(Limits())
        let start = MonotonicTime(nanoseconds: 0)
        for (rest, expected) in [("", ConnectionAction.close), ("more", .endOutput)] {
            var state = ConnectionState(now: start, policy: policy)
            var input = ByteBuffer(capacity: 64)
            input.append("GET / HTTP/1.0\r\n\r\n" + rest)
            guard
                case .respond(_, let body, let persistence) = state.next(
                    &input, outputBytes: 0, now: start, policy: policy)
            else {
                Issue.record("no request found")
                return
            }
            #expect(persistence == .close)
            state.streamBegan(&input, body: body, persistence: persistence, now: start, policy: policy)
            var stalled = state
            #expect(stalled.timerFired(now: start + policy.limits.writeStallTime.clampedNanoseconds) == .close)
            state.laterAnswerEnded(input, now: start, policy: policy)
            #expect(state.next(&input, outputBytes: 0, now: start, policy: policy) == expected)
        }
    }
}
