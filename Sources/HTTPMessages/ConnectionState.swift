/// What a connection does next, as a value: told what happened, it answers with an action. It owns no socket, no clock and
/// no buffer; the event loop performs the actions.
///
/// ```
///             first byte         head complete            body complete
///   waiting ─────────────▶ head ───────────────▶ body ───────────────▶ respond ──▶ waiting
///      │                    │                     │                       │
///      │ idle too long      │ 400 408 414 431 …   │ 400 408 413           │ last answer
///      ▼                    ▼                     ▼                       ▼
///    close                closing ◀───────────────┴───────────────────────┘
///                           │ answer sent       (a streamed answer stays in `streaming` until its last piece,
///                           │                    one that was put off in `postponed` until it is written)
///                           ▼
///                        lingering ── the client ends, or time is up ──▶ close
/// ```
package struct ConnectionState: Sendable {
    private enum Phase {
        /// Between requests: no byte of the next one.
        case waiting
        case head
        case body
        /// An answer's head is out, its body is made piece by piece.
        case streaming
        /// The answer to a request is being prepared elsewhere.
        case postponed
        /// The last answer is in the output, or being sent.
        case closing
        /// Everything was sent and our side ended; what still comes is thrown away.
        case lingering
    }

    private var phase = Phase.waiting
    private var parser = RequestParser()
    private var body = ChunkedBody()
    /// Of the request that is being read, once it is whole and lies at the front of the input.
    package private(set) var head: RequestHead?
    private var answeredCount = 0
    private var answeredInTurn = 0
    private var skippedEmptyLine = false
    private var saidContinue = false
    private var clientEnded = false
    private var draining = false
    /// Whether the answer to the last request that was received says close.
    private var announcesEnd = false
    private var lingers = false
    /// Too much output: no reading, no answering, until it is sent.
    private var paused = false
    /// Requests may be in the buffer, or pieces of an answer to be made, that were put off to another turn.
    package private(set) var hasBacklog = false
    /// A piece of the streamed answer was made in this turn.
    private var producedInTurn = false
    /// Of an answer that is streamed or put off.
    private var closesAfterAnswer = false
    private var readDeadline: MonotonicTime
    /// When a client that took nothing since, or too little, is cut.
    private var writeDeadline = MonotonicTime.distantFuture
    /// The latest moment for ``writeDeadline``, moved on by each byte that the client takes: its rate. From when output was
    /// first left to the end of the answer; without an end else.
    private var rateDeadline = MonotonicTime.distantFuture
    /// When to ask how far the client got; without an end while no output is left.
    private var lookDeadline = MonotonicTime.distantFuture
    /// Given to the kernel, of all answers.
    private var sentBytes = 0
    /// Of these, what the client had taken when that was last asked. Below zero where the kernel counts its own memory.
    private var takenBytes = 0

    /// A connection that was just accepted.
    package init(now: MonotonicTime, policy: ConnectionPolicy) {
        readDeadline = now + policy.headTime
    }

    // MARK: What the loop asks

    /// When ``looked(heldBytes:now:policy:)``, while ``awaitsClient``, and ``timerFired(now:)`` want to be called.
    package var deadline: MonotonicTime { min(verdictDeadline, lookDeadline) }

    /// Whether output is left that the client has to make room for.
    package var awaitsClient: Bool { lookDeadline != .distantFuture }

    /// When something is over.
    private var verdictDeadline: MonotonicTime {
        switch phase {
        // A stream waits for nothing but the client taking what it was sent.
        case .closing, .streaming: writeDeadline
        case .lingering: readDeadline
        case .postponed: min(readDeadline, writeDeadline)
        // A client that has not taken its answers is not idle.
        case .waiting: writeDeadline == .distantFuture ? readDeadline : writeDeadline
        case .head, .body: paused ? writeDeadline : min(readDeadline, writeDeadline)
        }
    }

    /// Whether bytes from the client are welcome.
    package var wantsToRead: Bool {
        !paused && !hasBacklog && !clientEnded && phase != .closing && phase != .streaming && phase != .postponed
    }

    /// Whether cutting the connection now would lose nothing that was asked for: no request under way, no answer unsent.
    package var isAnswered: Bool {
        (phase == .waiting || phase == .lingering) && writeDeadline == .distantFuture && !hasBacklog
    }

    /// Whether a part of a request is here, and nothing of an answer to it.
    package var isReceiving: Bool { phase == .head || phase == .body }

    /// The method of the request that is being read, as far as it is known.
    package var method: HTTPMethod { parser.method }

    // MARK: What the loop does

    /// Answers with what to do about the bytes in `input`. To be called again after each action but ``ConnectionAction/read``,
    /// ``ConnectionAction/yield`` and ``ConnectionAction/close``.
    ///
    /// - Parameters:
    ///   - input: received and not yet used; starts at the first byte of a request. Chunked bodies are decoded in it.
    ///   - outputBytes: written and not yet taken by the socket.
    package mutating func next(
        _ input: inout ByteBuffer, outputBytes: Int, now: MonotonicTime, policy: ConnectionPolicy
    ) -> ConnectionAction {
        switch phase {
        case .closing:
            if outputBytes > 0 { return .write }
            if clientEnded || !lingers { return .close }
            phase = .lingering
            readDeadline = now + policy.lingerTime
            input.removeAll()
            return .endOutput
        case .lingering:
            input.removeAll()
            return clientEnded ? .close : .read
        case .streaming:
            // One piece at a time, and the other connections between two of them.
            hasBacklog = outputBytes == 0 && producedInTurn
            producedInTurn = outputBytes == 0 && !producedInTurn
            if outputBytes > 0 { return .write }
            return hasBacklog ? .yield : .produce
        // What was answered before it is sent meanwhile; nothing is read, and nothing behind it is looked at.
        case .postponed: return .read
        case .waiting, .head, .body: break
        }
        if paused || outputBytes > policy.limits.outputBytesMax {
            paused = outputBytes > 0
            if paused { return .write }
            // The time in which we did not read is not the client's fault.
            if phase != .waiting { readDeadline = now + (phase == .body ? policy.bodyTime : policy.headTime) }
        }
        hasBacklog = false
        if answeredInTurn >= policy.limits.pipelinedRequestsMax, !input.isEmpty {
            answeredInTurn = 0
            hasBacklog = true
            return .yield
        }
        do {
            let action = try readOn(&input, now: now, policy: policy)
            if let action { return action }
        } catch {
            return .refuse(error)
        }
        answeredInTurn = 0
        if clientEnded {
            // RFC 9112 section 8: an incomplete request of a client that went away needs no answer.
            phase = .closing
            lingers = false
            return outputBytes > 0 ? .write : .close
        }
        return .read
    }

    private mutating func readOn(
        _ input: inout ByteBuffer, now: MonotonicTime, policy: ConnectionPolicy
    ) throws(Refusal) -> ConnectionAction? {
        if phase == .waiting {
            if !skipEmptyLine(&input) { return nil }
            phase = .head
            readDeadline = now + policy.headTime
        }
        if phase == .head {
            head = try input.withBytes { bytes throws(Refusal) in try parser.parse(bytes, limits: policy.limits) }
            guard head != nil else { return nil }
            phase = .body
            readDeadline = now + policy.bodyTime
        }
        guard let head else { return nil }
        let bodyEnd: Int
        let complete: Bool
        switch head.bodyFraming {
        case .length(let length):
            bodyEnd = head.byteCount + length
            complete = input.count >= bodyEnd
        case .chunked:
            complete = try body.decode(&input, bodyStart: head.byteCount, limits: policy.limits)
            bodyEnd = head.byteCount + body.decodedCount
        }
        if !complete {
            // Needless once some of the body is here: RFC 9110 section 10.1.1.
            if head.expectsContinue, !saidContinue, input.count == head.byteCount {
                saidContinue = true
                return .sendContinue
            }
            return nil
        }
        return .respond(
            head, body: head.byteCount..<bodyEnd,
            persistence: persistence(head, isLastReceived: input.count == bodyEnd, policy: policy))
    }

    /// RFC 9112 section 2.2: an empty line before a request line is to be ignored. We ignore one.
    ///
    /// - Returns: whether the request line has begun.
    private mutating func skipEmptyLine(_ input: inout ByteBuffer) -> Bool {
        if skippedEmptyLine { return !input.isEmpty }
        let (isEmptyLine, isHalf) = input.withBytes { bytes in
            let startsWithCR = !bytes.isEmpty && bytes[0] == .carriageReturn
            return (startsWithCR && bytes.count > 1 && bytes[1] == .lineFeed, startsWithCR && bytes.count == 1)
        }
        if isEmptyLine {
            input.removeFirst(2)
            skippedEmptyLine = true
        }
        return !input.isEmpty && !isHalf
    }

    /// RFC 9112 section 9.3. While draining, the last request that was received is told; those before it are not, for
    /// a client may drop what follows an answer that says close.
    private func persistence(
        _ head: RequestHead, isLastReceived: Bool, policy: ConnectionPolicy
    ) -> Persistence {
        if !head.keepAlive || announcesEnd && isLastReceived { return .close }
        if let requestsMax = policy.limits.requestsPerConnectionMax, answeredCount + 1 >= requestsMax { return .close }
        return head.minorVersion == 0 ? .keepAlive : .implicit
    }

    // MARK: What happened

    /// The answer to ``ConnectionAction/respond(_:body:persistence:)`` is in the output. Takes the request from `input`.
    package mutating func answered(
        _ input: inout ByteBuffer, body: Range<Int>, persistence: Persistence, now: MonotonicTime,
        policy: ConnectionPolicy
    ) {
        input.removeFirst(body.upperBound)
        answeredCount += 1
        answeredInTurn += 1
        // Without unread bytes a plain close resets nothing. But a client that did not ask for the end may have sent more,
        // which is still with the kernel, or on its way; while draining, one that did ask may as well.
        lingers = draining || !input.isEmpty || head?.keepAlive != false
        parser = RequestParser()
        self.body = ChunkedBody()
        head = nil
        skippedEmptyLine = false
        saidContinue = false
        if persistence == .close {
            phase = .closing
            writeDeadline = now + policy.writeStallTime
        } else {
            phase = .waiting
            readDeadline = now + policy.idleTime
        }
    }

    /// The head of a streamed answer is in the output; the same as
    /// ``answered(_:body:persistence:now:policy:)`` until ``laterAnswerEnded(_:now:policy:)``.
    package mutating func streamBegan(
        _ input: inout ByteBuffer, body: Range<Int>, persistence: Persistence, now: MonotonicTime,
        policy: ConnectionPolicy
    ) {
        answered(&input, body: body, persistence: persistence, now: now, policy: policy)
        phase = .streaming
        closesAfterAnswer = persistence == .close
        producedInTurn = false
        writeDeadline = now + policy.writeStallTime
    }

    /// The answer is being prepared elsewhere, and nothing of it is in the output; the same as
    /// ``answered(_:body:persistence:now:policy:)`` until ``laterAnswerEnded(_:now:policy:)``. It may take as long as a client may to take
    /// an answer; then another one is written in its place, ``ConnectionAction/giveUp``.
    package mutating func postponedBegan(
        _ input: inout ByteBuffer, body: Range<Int>, persistence: Persistence, now: MonotonicTime,
        policy: ConnectionPolicy
    ) {
        // Of what was answered before: there is nothing of this answer that a client could take or leave.
        let writeDeadline = writeDeadline
        answered(&input, body: body, persistence: persistence, now: now, policy: policy)
        self.writeDeadline = writeDeadline
        phase = .postponed
        closesAfterAnswer = persistence == .close
        readDeadline = now + policy.writeStallTime
    }

    /// What the answer that was put off says of the connection, now that it is about to be written: it is told of an end that was announced
    /// since it was asked for, unless more was received behind it.
    ///
    /// - Parameters:
    ///   - persistence: what ``ConnectionAction/respond(_:body:persistence:)`` said.
    ///   - input: received behind the request.
    package mutating func postponedPersistence(
        _ persistence: Persistence, _ input: borrowing ByteBuffer
    ) -> Persistence {
        if announcesEnd, input.isEmpty { closesAfterAnswer = true }
        return closesAfterAnswer ? .close : persistence
    }

    /// The last piece of a streamed answer, or the answer that was put off, is in the output.
    package mutating func laterAnswerEnded(
        _ input: borrowing ByteBuffer, now: MonotonicTime, policy: ConnectionPolicy
    ) {
        if closesAfterAnswer {
            phase = .closing
            lingers = lingers || draining || !input.isEmpty
        } else {
            phase = .waiting
            readDeadline = now + (draining ? policy.drainIdleTime : policy.idleTime)
        }
        writeDeadline = now + policy.writeStallTime
    }

    /// A refusal is in the output. Nobody knows where the next request would start, so it is the last answer.
    package mutating func refused(now: MonotonicTime, policy: ConnectionPolicy) {
        phase = .closing
        lingers = true
        paused = false
        hasBacklog = false
        writeDeadline = now + policy.writeStallTime
    }

    /// What comes next is waited for no longer than this.
    package mutating func hurry(within nanoseconds: UInt64, now: MonotonicTime) {
        readDeadline = min(readDeadline, now + nanoseconds)
    }

    /// The client ended its side; it may still be waiting for answers (RFC 9112 section 9.6).
    package mutating func clientDidEnd() { clientEnded = true }

    /// Output was offered to the socket. When some is left, ``looked(heldBytes:now:policy:)`` is to follow.
    package mutating func wrote(_ byteCount: Int, outputBytes: Int) {
        sentBytes += byteCount
        if outputBytes > 0 { return }
        writeDeadline = .distantFuture
        lookDeadline = .distantFuture
        // A streamed answer is one answer, in however many pieces it is taken.
        if phase != .streaming { rateDeadline = .distantFuture }
    }

    /// While output is left: how far the client got.
    ///
    /// What the kernel takes says little of that: it holds megabytes, and reports room only when a third of them is free. So a
    /// client that stops is cut ``Limits/writeStallTime`` after the look that saw its last byte: up to a quarter of that later
    /// than it took it.
    ///
    /// - Parameter heldBytes: of what was sent, what the kernel holds because the client has not taken it.
    package mutating func looked(heldBytes: Int, now: MonotonicTime, policy: ConnectionPolicy) {
        let total = sentBytes - heldBytes
        let justTaken = max(0, total - takenBytes)
        if rateDeadline != .distantFuture {
            let (time, overflow) = UInt64(justTaken).multipliedReportingOverflow(by: policy.nanosecondsPerAnswerByte)
            rateDeadline = overflow ? .distantFuture : rateDeadline + time
        } else if policy.nanosecondsPerAnswerByte > 0 {
            rateDeadline = now + policy.writeStallTime
        }
        if justTaken > 0 || !awaitsClient {
            takenBytes = total
            writeDeadline = min(now + policy.writeStallTime, rateDeadline)
        }
        lookDeadline = now + policy.writeStallTime / 4
    }

    /// Time passed. ``ConnectionAction/read`` when it is not yet time for anything.
    package mutating func timerFired(now: MonotonicTime) -> ConnectionAction {
        if now < verdictDeadline { return .read }
        switch phase {
        case .waiting, .streaming, .closing, .lingering: return .close
        // A client that does not take what was answered before would not take this either.
        case .postponed: return now >= writeDeadline ? .close : .giveUp
        case .head, .body:
            if now >= writeDeadline { return .close }
            return .refuse(.timedOut(waitingForBody: phase == .body))
        }
    }

    /// The answer to the last request that was received says close from now on; nothing else changes.
    package mutating func closingBegan() { announcesEnd = true }

    /// No new requests, please: the next answer ends the connection, and so does a short silence. A connection that has not
    /// asked anything yet keeps the time it has for that: its client connected in order to ask.
    package mutating func drainBegan(now: MonotonicTime, policy: ConnectionPolicy) {
        draining = true
        announcesEnd = true
        if phase == .waiting, answeredCount > 0 { readDeadline = min(readDeadline, now + policy.drainIdleTime) }
    }
}

/// What the event loop is to do.
package enum ConnectionAction: Sendable, Equatable {
    /// Send what there is to send, and come back with more bytes.
    case read
    /// Append `100 Continue`.
    case sendContinue
    /// Append the application's answer, then call ``ConnectionState/answered(_:body:persistence:now:policy:)``, or one of
    /// ``ConnectionState/streamBegan(_:body:persistence:now:policy:)`` and
    /// ``ConnectionState/postponedBegan(_:body:persistence:now:policy:)``.
    case respond(RequestHead, body: Range<Int>, persistence: Persistence)
    /// Append the next piece of the streamed answer; after the last call ``ConnectionState/laterAnswerEnded(_:now:policy:)``.
    case produce
    /// Let go of the answer that was put off and append the wording of ``Refusal/answerNotReady(retryAfterSeconds:)`` in its place, then call
    /// ``ConnectionState/laterAnswerEnded(_:now:policy:)``.
    case giveUp
    /// Append the wording of a refusal, then call ``ConnectionState/refused(now:policy:)``.
    case refuse(Refusal)
    /// Send, and come back when all is sent.
    case write
    /// Send, and come back when the other connections had their turn.
    case yield
    /// End our side of the connection and read on.
    case endOutput
    case close
}

extension ByteBuffer {
    /// The interim answer to `Expect: 100-continue` (RFC 9110 section 15.2.1).
    package mutating func appendContinue() { append("HTTP/1.1 100 Continue\r\n\r\n") }
}
