/// One of the connections of a loop: its socket while it has one, and what was asked on it.
final class LoadConnection {
    enum State {
        case closed
        case connecting
        case open
    }

    var state = State.closed
    private(set) var socket: ClientSocket?
    var reader: AnswerReader
    /// Bytes received that are not a whole head yet.
    var held: [UInt8] = []
    /// Ranges of the script's bytes still to be sent.
    private var unsentRanges: [Range<Int>] = []
    /// When the requests that wait for answers were due, oldest first: a ring.
    private var due: [UInt64]
    private var first = 0
    private(set) var waiting = 0
    /// Answers on this socket.
    var answered = 0
    /// The last answer said that the server closes; no request may follow.
    var isClosing = false
    /// The kernel took no more bytes; epoll tells when it does.
    var isAwaitingRoom = false
    var connectingSince: UInt64 = 0
    /// Stands in the loop's queue of connections with room for a request.
    var isListed = false

    init(pipeline: Int, bodyless: Bool) {
        due = [UInt64](repeating: 0, count: pipeline)
        reader = AnswerReader(bodyless: bodyless)
    }

    /// How many requests may be sent now.
    var room: Int { state == .open && !isClosing ? due.count - waiting : 0 }

    var descriptor: Int32 { socket?.descriptor ?? -1 }

    var oldestDue: UInt64? { waiting > 0 ? due[first] : nil }

    func start(_ socket: consuming ClientSocket, bodyless: Bool) {
        self.socket = consume socket
        reader = AnswerReader(bodyless: bodyless)
        held.removeAll(keepingCapacity: true)
        unsentRanges.removeAll(keepingCapacity: true)
        (answered, isClosing, isAwaitingRoom) = (0, false, false)
    }

    /// Closes the socket and forgets what was asked.
    ///
    /// - Returns: how many requests had no answer.
    func close() -> Int {
        socket = nil
        state = .closed
        defer { (first, waiting) = (0, 0) }
        return waiting
    }

    func checkConnected() throws(ClientSocket.Failure) { try socket?.connected() }

    func ask(due time: UInt64) {
        precondition(waiting < due.count, "BUG: more requests than the pipeline takes")
        due[(first + waiting) % due.count] = time
        waiting += 1
    }

    /// - Returns: when the request was due that an answer just came for; nil when nothing was asked.
    func takeDue() -> UInt64? {
        guard waiting > 0 else { return nil }
        defer { first = (first + 1) % due.count }
        waiting -= 1
        answered += 1
        return due[first]
    }

    // MARK: Sending

    func enqueue(_ range: Range<Int>) {
        if let last = unsentRanges.last, last.upperBound == range.lowerBound {
            unsentRanges[unsentRanges.count - 1] = last.lowerBound..<range.upperBound
        } else {
            unsentRanges.append(range)
        }
    }

    /// Sends what is enqueued, as far as the kernel takes it.
    ///
    /// - Returns: whether all of it went; an error is thrown as it was met.
    func flush(_ script: [UInt8]) throws(ClientSocket.Failure) -> Bool {
        while let range = unsentRanges.first {
            switch socket?.send(script.span.extracting(range)) {
            case .bytes(let count):
                if count == range.count {
                    unsentRanges.removeFirst()
                } else {
                    unsentRanges[0] = range.lowerBound + count..<range.upperBound
                }
            case .failed(let code): throw ClientSocket.Failure(code: code)
            case .blocked, .end, nil: return false
            }
        }
        return true
    }

    func receive(into buffer: inout [UInt8], at place: Int, bytesMax: Int) -> ClientSocket.Transfer {
        socket?.receive(into: &buffer, at: place, bytesMax: bytesMax) ?? .end
    }
}
