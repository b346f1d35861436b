import HTTPMessages

/// Plays the event loop for a connection, without a socket and with a clock of its own.
///
/// Each answer is one byte of output, so that counts are easy to see.
struct ConnectionDriver: ~Copyable {
    var state: ConnectionState
    let policy: ConnectionPolicy
    var input = ByteBuffer(capacity: 16)
    var outputBytes = 0
    /// Of the output that was taken, what the kernel holds for the client.
    var heldBytes = 0
    var now = MonotonicTime(nanoseconds: 1_000_000_000)
    /// What happened, in words: `GET /path body`, `100`, `400`, `end output`, `close` ...
    var log: [String] = []

    init(_ limits: Limits = Limits()) {
        policy = ConnectionPolicy(limits)
        state = ConnectionState(now: now, policy: policy)
    }

    mutating func wait(_ duration: Duration) { now = now + duration.clampedNanoseconds }

    /// Delivers bytes and does what the state asks, taking the output at once if `drains`.
    mutating func receive(_ text: String, drains: Bool = true) {
        input.append(text)
        run(drains: drains)
    }

    mutating func receive(_ bytes: [UInt8]) {
        input.append(bytes.span)
        run()
    }

    mutating func clientEnds() {
        state.clientDidEnd()
        run()
    }

    mutating func drainOutput() {
        outputBytes = 0
        state.wrote(1, outputBytes: 0)
        run()
    }

    /// Offers the output that is left again, of which `byteCount` are taken.
    mutating func write(_ byteCount: Int) {
        outputBytes -= byteCount
        state.wrote(byteCount, outputBytes: outputBytes)
        if outputBytes > 0 { look() }
    }

    mutating func look() { state.looked(heldBytes: heldBytes, now: now, policy: policy) }

    mutating func fireTimer() {
        if state.awaitsClient { look() }
        run(state.timerFired(now: now))
    }

    mutating func run(_ first: ConnectionAction? = nil, drains: Bool = true) {
        var action = first ?? state.next(&input, outputBytes: outputBytes, now: now, policy: policy)
        if first == .read { return }
        while true {
            switch action {
            case .respond(let head, let body, let persistence):
                let (path, content) = input.withBytes { bytes in
                    (Self.text(bytes, head.path), Self.text(bytes, body))
                }
                let suffix = persistence == .close ? " close" : persistence == .keepAlive ? " keep-alive" : ""
                log.append("\(head.method.name) \(path)" + (content.isEmpty ? "" : " \(content)") + suffix)
                outputBytes += 1
                state.answered(&input, body: body, persistence: persistence, now: now, policy: policy)
            case .sendContinue:
                log.append("100")
                outputBytes += 1
            case .refuse(let refusal):
                log.append("\(refusal.status)")
                outputBytes += 1
                state.refused(now: now, policy: policy)
            case .read, .write, .yield:
                if outputBytes > 0 {
                    write(drains ? outputBytes : 0)
                }
                if action == .yield { log.append("yield") }
                if action != .write || outputBytes > 0 { return }
            case .produce, .giveUp:
                log.append("\(action)")
                return
            case .endOutput: log.append("end output")
            case .close:
                log.append("close")
                return
            }
            action = state.next(&input, outputBytes: outputBytes, now: now, policy: policy)
        }
    }

    private static func text(_ bytes: Span<UInt8>, _ range: Range<Int>) -> String {
        String(decoding: range.map { bytes[$0] }, as: UTF8.self)
    }
}
