import HTTPMessages

/// Why a connection is looked at.
enum Occasion {
    case ready(Interest)
    /// Its turn came again.
    case resumed
    case timer
    /// What it waits for can be written: the answer of this number.
    case answerIsReady(UInt64)
}

extension EventLoop {
    /// Serves the connection of a registration, if it is still that one's.
    mutating func serve(_ registration: Registration, _ occasion: Occasion) {
        serve(slot: Int(registration.slot), only: registration, occasion)
    }

    /// Serves the connection in a slot where it lies, if there is one, and closes it when it is at its end.
    ///
    /// - Parameter registration: the one that is meant; nil for any.
    mutating func serve(slot: Int, only registration: Registration? = nil, _ occasion: Occasion) {
        guard let place = unsafe connections.place(of: slot) else { return }
        // SAFETY: a connection stays where it is until it is taken out, which nobody does but this loop, which is here.
        if let registration, unsafe place.pointee.registration != registration { return }
        // SAFETY: as above; nothing reaches the connection through the table meanwhile.
        if unsafe goesOn(&place.pointee, occasion) { return }
        if let connection = connections.take(slot) { close(connection) }
    }

    /// Serves a connection. Returns false when it is to be closed.
    private mutating func goesOn(_ connection: inout Connection, _ occasion: Occasion) -> Bool {
        switch advance(&connection, occasion) {
        case .close:
            endAnswer(of: &connection)
            return false
        case .hasYielded: break
        case .yielded: yielded.append(connection.registration)
        case .waiting:
            var interest: Interest = connection.state.wantsToRead ? .read : []
            if connection.output != nil { interest.insert(.write) }
            interest = connection.awaitsHandshake ? [] : connection.socket.interest(for: interest)
            if interest != connection.interest {
                guard poll.modify(connection.socket.descriptor.raw, interest, connection.registration) else {
                    // Nothing would ever be reported of what it waits for.
                    connection.end = .system
                    endAnswer(of: &connection)
                    return false
                }
                connection.interest = interest
            }
            // What TLS has taken from the socket already is nothing that epoll would report.
            if connection.socket.holdsInput, connection.state.wantsToRead, !connection.awaitsTurn {
                connection.awaitsTurn = true
                yielded.append(connection.registration)
            }
        }
        tellActivity(of: &connection)
        timers.schedule(Int(connection.registration.slot), at: connection.deadline)
        return true
    }

    private func tellActivity(of connection: inout Connection) {
        if connection.isActive != connection.state.isAnswered || connection.isExcess { return }
        connection.isActive.toggle()
        observer.connectionActivityChanged(isActive: connection.isActive)
    }

    private enum Outcome {
        case waiting
        /// To be looked at again after the others.
        case yielded
        /// Yielded before, and its turn has not come.
        case hasYielded
        case close
    }

    private mutating func advance(_ connection: inout Connection, _ occasion: Occasion) -> Outcome {
        var firstAction: ConnectionAction?
        var reads = false
        if let outcome = begin(&connection, occasion, &firstAction, reads: &reads) { return outcome }
        var input = takeInput(&connection)
        var output = connection.output.take() ?? spareOutput.take() ?? ByteBuffer(capacity: policy.limits.readBytes)
        if reads {
            switch connection.socket.receive(into: &input, bytesMax: policy.limits.readBytes) {
            case .bytes: now = Clock.now()
            case .blocked: break
            case .end: connection.state.clientDidEnd()
            case .failed:
                connection.end = .reset
                return .close
            }
        }
        if !input.isEmpty, let refusal = connection.refusal.take() { firstAction = .refuse(refusal) }
        if case .answerIsReady = occasion { writeAwaited(&connection, input, &output) }
        var outcome = act(&connection, firstAction, &input, &output)
        if outcome != .close, !countBuffered(input, of: &connection) {
            let refusal = Refusal.tooManyBufferedBytes(retryAfterSeconds: policy.limits.retryAfterSeconds)
            outcome = act(&connection, .refuse(refusal), &input, &output)
            input.removeAll()
        }
        if outcome == .close {
            recycleInput(input)
            recycleOutput(output)
        } else {
            keepInput(input, &connection)
            if output.isEmpty { recycleOutput(output) } else { connection.output = consume output }
        }
        return outcome
    }

    /// What an occasion means before anything is read: steps of the handshake, time that is over, the PROXY header.
    ///
    /// - Parameters:
    ///   - firstAction: set to what has to be done whatever the state says.
    ///   - reads: set to whether the socket may have something that is welcome.
    /// - Returns: how the turn ends if there is nothing more to do in it.
    private mutating func begin(
        _ connection: inout Connection, _ occasion: Occasion, _ firstAction: inout ConnectionAction?, reads: inout Bool
    ) -> Outcome? {
        if connection.socket.isHandshaking {
            switch shakeHands(&connection, occasion) {
            case .waiting: return .waiting
            case .close: return .close
            case .established:
                reads = connection.socket.holdsInput
                if connection.refusal != nil { hurry(&connection) }
            case .failed(let refusal):
                // Of two refusals the one that the client can read.
                connection.refusal = nil
                if let refusal {
                    firstAction = .refuse(refusal)
                } else {
                    connection.state.refused(now: now, policy: policy)
                }
            }
        } else if let outcome = look(at: &connection, occasion, &firstAction, reads: &reads) {
            return outcome
        }
        guard reads, connection.origin.awaitsProxyHeader else { return nil }
        switch takeProxyHeader(&connection) {
        case .taken: return nil
        case .incomplete: return .waiting
        case .refused(let refusal):
            connection.refusal = refusal
            hurry(&connection)
        case .failed: return .close
        }
        return nil
    }

    /// The same of a connection that speaks HTTP.
    private mutating func look(
        at connection: inout Connection, _ occasion: Occasion, _ firstAction: inout ConnectionAction?, reads: inout Bool
    ) -> Outcome? {
        switch occasion {
        case .ready(let interest):
            reads = connection.state.wantsToRead && connection.socket.canRead(after: interest)
            // Nothing can be sent to it any more, and nothing is to be read.
            if interest.contains(.broken), !reads {
                connection.end = .reset
                return .close
            }
            // It is not read before its turn, whatever epoll says; epoll need not be told for so short a time.
            if connection.state.hasBacklog || connection.awaitsTurn { return .hasYielded }
        case .resumed:
            connection.awaitsTurn = false
            reads = connection.state.wantsToRead && connection.socket.holdsInput
        case .timer:
            if connection.state.awaitsClient { look(at: &connection) }
            let action = connection.state.timerFired(now: now)
            if case .close = action {
                if connection.state.isAnswered {
                    connection.socket.endTLS()
                    if connection.end == .client { connection.end = isDraining ? .drain : .idleTimeout }
                } else {
                    connection.end = .writeTimeout
                }
                return .close
            }
            if case .read = action { return .waiting }
            firstAction = action
        case .answerIsReady(let number):
            guard let awaited = connection.awaited, awaited.number == number else { return .hasYielded }
        }
        return nil
    }

    /// Performs one action after the other, until there is something to wait for.
    private mutating func act(
        _ connection: inout Connection, _ firstAction: ConnectionAction?, _ input: inout ByteBuffer,
        _ output: inout ByteBuffer
    ) -> Outcome {
        var action =
            firstAction
            ?? connection.state.next(&input, outputBytes: output.count, now: now, policy: policy)
        while true {
            switch action {
            case .respond(let head, let body, let persistence):
                if connection.origin.role == .service, overload.sheds(now: now), !isEssential(head, input) {
                    refuse(
                        .tooBusy(retryAfterSeconds: policy.limits.retryAfterSeconds), persistence, head.method,
                        head: head, requestBytes: body.upperBound, connection.origin, input, &output)
                    if persistence == .close { connection.end = .answered }
                    connection.state.answered(&input, body: body, persistence: persistence, now: now, policy: policy)
                    break
                }
                let later: LaterAnswer?
                do throws(Refusal) {
                    later = try respond(to: head, body: body, persistence, connection.origin, &input, &output)
                } catch {
                    refuse(
                        error, .close, head.method, head: head, requestBytes: body.upperBound, connection.origin, input,
                        &output)
                    connection.end = .answered
                    connection.state.refused(now: now, policy: policy)
                    break
                }
                if (later?.persistence ?? persistence) == .close { connection.end = .answered }
                switch later {
                case nil:
                    connection.state.answered(&input, body: body, persistence: persistence, now: now, policy: policy)
                case .streamed(let stream):
                    connection.stream = stream
                    connection.state.streamBegan(
                        &input, body: body, persistence: stream.persistence, now: now, policy: policy)
                case .awaited(let awaited):
                    connection.awaited = awaited
                    connection.state.postponedBegan(
                        &input, body: body, persistence: persistence, now: now, policy: policy)
                    begin(awaited, for: connection.registration)
                }
            case .produce: producePiece(of: &connection, input, &output)
            case .giveUp: refuseAwaited(&connection, input, &output)
            case .sendContinue: output.appendContinue()
            case .refuse(let refusal):
                refuse(
                    refusal, .close, connection.state.method, head: connection.state.head, requestBytes: input.count,
                    connection.origin, input, &output)
                connection.end = .answered
                connection.state.refused(now: now, policy: policy)
            case .read, .write, .yield:
                if !output.isEmpty {
                    let sent = connection.socket.send(&output)
                    switch sent {
                    case .bytes(let count):
                        connection.state.wrote(count, outputBytes: output.count)
                    case .blocked, .end:
                        connection.state.wrote(0, outputBytes: output.count)
                    case .failed:
                        connection.end = .reset
                        return .close
                    }
                    if !output.isEmpty { look(at: &connection) }
                }
                // Patterns, not ==, which copies both.
                if case .yield = action { return .yielded }
                if case .read = action { return .waiting }
                if !output.isEmpty { return .waiting }
            case .endOutput: connection.socket.endOutput()
            case .close:
                connection.socket.endTLS()
                return .close
            }
            action = connection.state.next(&input, outputBytes: output.count, now: now, policy: policy)
        }
    }

    /// Tells the state how far the client got with what was sent to it.
    private func look(at connection: inout Connection) {
        connection.state.looked(heldBytes: connection.socket.heldBytes, now: now, policy: policy)
    }

    // MARK: Answers

    /// What is left to do of an answer when the handler has returned.
    private enum LaterAnswer {
        case streamed(StreamedAnswer)
        case awaited(AwaitedAnswer)

        var persistence: Persistence {
            switch self {
            case .streamed(let stream): stream.persistence
            case .awaited(let awaited): awaited.persistence
            }
        }
    }

    /// Has one request answered. Returns what is left to do when the answer is streamed or put off.
    ///
    /// - Throws: without anything done, when the body is not coded as the head says.
    private mutating func respond(
        to head: RequestHead, body: Range<Int>, _ persistence: Persistence, _ origin: Origin,
        _ input: inout ByteBuffer, _ output: inout ByteBuffer
    ) throws(Refusal) -> LaterAnswer? {
        if head.contentCoding == .gzip, !body.isEmpty {
            try input.withBytes { bytes throws(Refusal) in
                try coder.inflate(bytes.extracting(body), bytesMax: policy.limits.bodyBytesMax)
            }
        }
        observer.requestBegan()
        let began = now
        var response = Response(
            into: output, date: date, persistence: persistence, omitsBody: head.method == .head,
            minorVersion: head.minorVersion)
        let route = input.withBytes { bytes in
            let headBytes = bytes.extracting(0..<head.byteCount)
            let context = context(of: head, headBytes, origin)
            guard head.contentCoding == .gzip, !body.isEmpty else {
                return handler.respond(
                    to: head, bytes: headBytes, body: bytes.extracting(body), context: context, into: &response)
            }
            return coder.withInflated {
                handler.respond(to: head, bytes: headBytes, body: $0, context: context, into: &response)
            }
        }
        if let answer = response.postponed {
            output = response.takeOutput()
            lastAwaitedNumber += 1
            return .awaited(
                input.withBytes { bytes in
                    AwaitedAnswer(
                        answer, number: lastAwaitedNumber, to: head, bytes.extracting(0..<head.byteCount), persistence,
                        route: route, began: began, requestBytes: body.upperBound)
                })
        }
        let responseBytes = response.finish(coder, for: head.acceptedCodings)
        let status = response.status
        if let producer = response.producer {
            let persistence = response.persistenceOfStream
            output = response.takeOutput()
            return .streamed(
                StreamedAnswer(
                    producer: producer, persistence: persistence, isChunked: head.minorVersion > 0, route: route,
                    method: head.method, status: status, began: began, requestBytes: body.upperBound,
                    responseBytes: responseBytes))
        }
        output = response.takeOutput()
        // The end of this request is the beginning of the next one in the buffer: one reading of the clock each.
        now = Clock.now()
        observer.requestEnded(
            route: route, method: head.method, status: status, requestBytes: body.upperBound,
            responseBytes: responseBytes, nanoseconds: now.nanoseconds - began.nanoseconds)
        return nil
    }

    func context(
        of head: RequestHead, _ bytes: Span<UInt8>, _ origin: Origin
    ) -> RequestContext {
        guard origin.isTrustedProxy, let client = forwardedClient(head, bytes, proxies: shared.trustedProxies) else {
            return origin.context
        }
        return RequestContext(role: origin.role, client: client, isEncrypted: origin.isEncrypted)
    }

    private func isEssential(_ head: RequestHead, _ input: borrowing ByteBuffer) -> Bool {
        input.withBytes { handler.isEssential(head, bytes: $0.extracting(0..<head.byteCount)) }
    }

    /// - Parameter head: of the request in `input`, when that much was understood.
    private mutating func refuse(
        _ refusal: Refusal, _ persistence: Persistence, _ method: HTTPMethod, head: RequestHead? = nil,
        requestBytes: Int, _ origin: Origin, _ input: borrowing ByteBuffer, _ output: inout ByteBuffer
    ) {
        observer.requestBegan()
        let began = now
        var response = Response(
            into: output, date: date, persistence: persistence, omitsBody: method == .head,
            minorVersion: head?.minorVersion ?? 1)
        let route = input.withBytes { bytes in
            let headBytes = bytes.extracting(0..<(head?.byteCount ?? 0))
            var context = origin.context
            if let head { context = self.context(of: head, headBytes, origin) }
            return handler.refuse(refusal, head: head, bytes: headBytes, context: context, into: &response)
        }
        let responseBytes = response.finish()
        let status = response.status
        output = response.takeOutput()
        now = Clock.now()
        observer.requestEnded(
            route: route, method: method, status: status, requestBytes: requestBytes,
            responseBytes: responseBytes, nanoseconds: now.nanoseconds - began.nanoseconds)
    }

    // MARK: Buffers

    /// Up to this much of a request is kept in a block of its own size while the rest is awaited, so that slow clients do
    /// not hold read buffers. More stays where it is: copying a large body at each read would be quadratic.
    static var smallPartBytes: Int { 4096 }

    /// A buffer to read into, with what is left of the reads before.
    mutating func takeInput(_ connection: inout Connection) -> ByteBuffer {
        guard let part = connection.input.take() else {
            return spareInput.take() ?? ByteBuffer(capacity: policy.limits.readBytes)
        }
        if part.count > Self.smallPartBytes { return part }
        var buffer = spareInput.take() ?? ByteBuffer(capacity: policy.limits.readBytes)
        part.withBytes { buffer.append($0) }
        return buffer
    }

    mutating func keepInput(_ input: consuming ByteBuffer, _ connection: inout Connection) {
        if input.count > Self.smallPartBytes {
            connection.input = consume input
            return
        }
        if !input.isEmpty {
            var part = ByteBuffer(capacity: input.count)
            input.withBytes { part.append($0) }
            connection.input = consume part
        }
        recycleInput(input)
    }

    mutating func recycleInput(_ buffer: consuming ByteBuffer) {
        if buffer.allocatedBytes > policy.limits.outputBytesMax { return }
        buffer.removeAll()
        spareInput = consume buffer
    }

    private mutating func recycleOutput(_ buffer: consuming ByteBuffer) {
        if buffer.allocatedBytes > policy.limits.outputBytesMax { return }
        buffer.removeAll()
        spareOutput = consume buffer
    }
}
