import HTTPMessages

/// What a connection makes of bytes: the requests it would answer, and how it ends.
package struct Framing: Equatable, Sendable {
    package struct Request: Equatable, Sendable {
        /// Of the request line, as they were sent.
        package var method: [UInt8]
        package var target: [UInt8]
        /// Decoded.
        package var body: [UInt8]
        /// The answer would say `Connection: close`.
        package var closes: Bool
    }

    package enum End: Equatable, Sendable {
        /// More bytes are wanted, or the next request.
        case waiting
        case closed
        case refused(status: Int)
    }

    package var requests: [Request] = []
    package var end = End.waiting
    /// Interim answers.
    package var continues = 0
}

/// What a connection with the default bounds makes of bytes that come all at once.
package func frame(_ bytes: [UInt8]) -> Framing { frame(bytes, cuts: [], limits: Limits()) }

/// Plays the event loop for one connection whose answers are taken at once.
///
/// - Parameter cuts: where one read ends and the next begins, ascending; none delivers all at once.
func frame(_ bytes: [UInt8], cuts: [Int] = [], limits: Limits) -> Framing {
    let policy = ConnectionPolicy(limits)
    let now = MonotonicTime(nanoseconds: 1)
    var state = ConnectionState(now: now, policy: policy)
    var input = ByteBuffer(capacity: 64)
    var framing = Framing()
    var delivered = 0
    for cut in cuts + [bytes.count] where framing.end == .waiting {
        input.append(bytes.span.extracting(delivered..<cut))
        delivered = cut
        var outputBytes = 0
        while true {
            let action = state.next(&input, outputBytes: outputBytes, now: now, policy: policy)
            switch action {
            case .respond(let head, let body, let persistence):
                framing.requests.append(input.withBytes { request(head, body, persistence, $0) })
                state.answered(&input, body: body, persistence: persistence, now: now, policy: policy)
                outputBytes += 1
                if persistence == .close { framing.end = .closed }
                continue
            case .sendContinue:
                framing.continues += 1
                continue
            case .refuse(let refusal):
                framing.end = .refused(status: refusal.status)
                state.refused(now: now, policy: policy)
                outputBytes += 1
                continue
            case .produce, .giveUp: preconditionFailure("BUG: no answer is streamed or put off here")
            case .read, .write, .yield, .endOutput, .close: break
            }
            state.wrote(outputBytes, outputBytes: 0)
            outputBytes = 0
            if action != .write, action != .yield { break }
        }
    }
    return framing
}

private func request(
    _ head: RequestHead, _ body: Range<Int>, _ persistence: Persistence, _ bytes: Span<UInt8>
) -> Framing.Request {
    // An accepted request line has two spaces and one CRLF.
    var spaces: [Int] = []
    var end = 0
    while bytes[end] != 0x0D {
        if bytes[end] == 0x20 { spaces.append(end) }
        end += 1
    }
    precondition(spaces.count == 2, "a request line with \(spaces.count) spaces was accepted")
    precondition(body.upperBound <= bytes.count && head.byteCount == body.lowerBound, "a body that is not there")
    var fieldCount = 0
    head.forEachHeader(in: bytes) { name, value in
        precondition(!name.isEmpty && value.upperBound <= head.byteCount, "a field outside the head")
        fieldCount += 1
    }
    precondition(fieldCount == head.headerCount, "\(fieldCount) fields, said to be \(head.headerCount)")
    return Framing.Request(
        method: (0..<spaces[0]).map { bytes[$0] }, target: ((spaces[0] + 1)..<spaces[1]).map { bytes[$0] },
        body: body.map { bytes[$0] }, closes: persistence == .close)
}
