import HTTPMessages
import Testing

@Suite("Answers that are put off") struct PostponedAnswerTests {
    private let policy = ConnectionPolicy(Limits())
    private let start = MonotonicTime(nanoseconds: 1)

    private final class Nothing: PostponedAnswer {
        func begin(_ ready: @escaping @Sendable () -> Void) {}
        func write(into response: inout Response) {}
        func abandoned() {}
    }

    /// A connection that waits for the answer to the first request of `text`.
    private func waiting(_ text: StaticString, _ input: inout ByteBuffer) throws -> ConnectionState {
        var state = ConnectionState(now: start, policy: policy)
        input.append(text)
        guard
            case .respond(_, let body, let persistence) = state.next(&input, outputBytes: 0, now: start, policy: policy)
        else { throw NoRequest() }
        state.postponedBegan(&input, body: body, persistence: persistence, now: start, policy: policy)
        return state
    }

    private struct NoRequest: Error {}

    private var stall: MonotonicTime { start + policy.limits.writeStallTime.clampedNanoseconds }

    @Test("nothing is read or looked at before it is written; what was answered before is sent meanwhile")
    func waits() throws {
        var input = ByteBuffer(capacity: 64)
        var state = try waiting("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n", &input)
        #expect(!state.wantsToRead)
        #expect(!state.isAnswered)
        #expect(!state.hasBacklog)
        #expect(state.next(&input, outputBytes: 100, now: start, policy: policy) == .read)
        state.wrote(100, outputBytes: 0)
        #expect(state.next(&input, outputBytes: 0, now: start, policy: policy) == .read)
        state.laterAnswerEnded(input, now: start, policy: policy)
        guard case .respond(let head, _, _) = state.next(&input, outputBytes: 5, now: start, policy: policy) else {
            Issue.record("the next request was lost")
            return
        }
        #expect(head.path.count == "/next".utf8.count)
    }

    @Test("it has as long as a client may stall, whether output waits or not") func deadline() throws {
        var input = ByteBuffer(capacity: 64)
        var state = try waiting("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &input)
        #expect(state.deadline == stall)
        state.wrote(1, outputBytes: 0)
        #expect(state.deadline == stall, "a client that takes what it is sent gives no answer more time")
        let early = MonotonicTime(nanoseconds: stall.nanoseconds - 1)
        #expect(state.timerFired(now: early) == .read)
        #expect(state.timerFired(now: stall) == .giveUp)
        // Another answer stands in its place, and the connection goes on.
        state.laterAnswerEnded(input, now: stall, policy: policy)
        state.wrote(10, outputBytes: 0)
        #expect(state.deadline == stall + policy.limits.idleTime.clampedNanoseconds)
    }

    @Test("one that is the last of its connection has as long, and something stands in its place too")
    func lastDeadline() throws {
        var input = ByteBuffer(capacity: 64)
        var state = try waiting("GET / HTTP/1.0\r\n\r\n", &input)
        #expect(state.deadline == stall)
        #expect(state.timerFired(now: stall) == .giveUp)
        state.laterAnswerEnded(input, now: stall, policy: policy)
        #expect(state.next(&input, outputBytes: 10, now: stall, policy: policy) == .write)
    }

    @Test("a client that does not take what was answered before it is cut, not answered") func stalled() throws {
        var input = ByteBuffer(capacity: 64)
        var state = try waiting("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &input)
        state.wrote(0, outputBytes: 5)
        state.looked(heldBytes: 0, now: start, policy: policy)
        #expect(state.timerFired(now: stall) == .close)
    }

    @Test("an end that is announced meanwhile is what the answer says, and the connection ends behind it")
    func announced() throws {
        for announce in [
            { (state: inout ConnectionState) in state.closingBegan() },
            { (state: inout ConnectionState) in state.drainBegan(now: start, policy: policy) },
        ] {
            var input = ByteBuffer(capacity: 64)
            var state = try waiting("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &input)
            announce(&state)
            #expect(state.deadline == stall, "the answer is waited for")
            let persistence = state.postponedPersistence(.implicit, input)
            #expect(persistence == .close)
            state.laterAnswerEnded(input, now: start, policy: policy)
            #expect(state.next(&input, outputBytes: 10, now: start, policy: policy) == .write)
            state.wrote(10, outputBytes: 0)
            let last = state.next(&input, outputBytes: 0, now: start, policy: policy)
            #expect(last == .endOutput, "the client may be sending")
        }
        var input = ByteBuffer(capacity: 64)
        var state = try waiting("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &input)
        let persistence = state.postponedPersistence(.implicit, input)
        #expect(persistence == .implicit, "nothing was announced")
    }

    @Test("while draining, more that was received behind it is answered, and that answer says the end")
    func drainWithMore() throws {
        var input = ByteBuffer(capacity: 64)
        var state = try waiting("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n", &input)
        state.drainBegan(now: start, policy: policy)
        let persistence = state.postponedPersistence(.implicit, input)
        #expect(persistence == .implicit)
        state.laterAnswerEnded(input, now: start, policy: policy)
        guard case .respond(_, _, let next) = state.next(&input, outputBytes: 5, now: start, policy: policy) else {
            Issue.record("the next request was lost")
            return
        }
        #expect(next == .close)
    }

    @Test("a client that half closed is answered") func halfClosed() throws {
        var ended = ByteBuffer(capacity: 64)
        var half = try waiting("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &ended)
        half.clientDidEnd()
        #expect(half.next(&ended, outputBytes: 0, now: start, policy: policy) == .read)
        half.laterAnswerEnded(ended, now: start, policy: policy)
        #expect(half.next(&ended, outputBytes: 10, now: start, policy: policy) == .write)
        half.wrote(10, outputBytes: 0)
        #expect(half.next(&ended, outputBytes: 0, now: start, policy: policy) == .close)
    }

    @Test("one that ends its connection lingers only over unread bytes") func ends() throws {
        for (text, expected) in [
            ("GET / HTTP/1.0\r\n\r\n", ConnectionAction.close), ("GET / HTTP/1.0\r\n\r\nmore", .endOutput),
        ] as [(StaticString, ConnectionAction)] {
            var input = ByteBuffer(capacity: 64)
            var state = try waiting(text, &input)
            #expect(state.next(&input, outputBytes: 0, now: start, policy: policy) == .read)
            state.laterAnswerEnded(input, now: start, policy: policy)
            #expect(state.next(&input, outputBytes: 0, now: start, policy: policy) == expected)
        }
    }

    @Test("a response that is postponed holds nothing") func response() {
        var response = Response(
            into: ByteBuffer(capacity: 16), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false)
        let answer = Nothing()
        response.postpone(answer)
        #expect(response.postponed === answer)
        #expect(response.status == 0)
        let written = response.takeOutput().count
        #expect(written == 0)
    }
}
