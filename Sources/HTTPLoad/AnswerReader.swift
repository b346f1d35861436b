/// Reads HTTP/1.1 answers from the bytes of one connection, in pieces as they come.
///
/// Written apart from the server's own parser, so that a mistake there cannot hide itself here. It reads what a client has to
/// know (RFC 9112 section 6.3): status, framing, whether the connection goes on, and `X-Model-Version`.
struct AnswerReader {
    struct Answer: Equatable {
        var status: Int
        /// A place in the ``VersionList``.
        var version: Int
        /// The server will close, or the answer ended with the connection.
        var closes: Bool
    }

    struct Malformed: Error {}

    private enum State: Equatable {
        case head
        /// Bytes of a body of known length that are still to come.
        case body(Int)
        case chunkSize
        /// Bytes of a chunk and its line end that are still to come.
        case chunk(Int)
        case trailers
        case untilClose
    }

    private var state = State.head
    private var answer = Answer(status: 0, version: 0, closes: false)
    private let bodyless: Bool

    /// Bytes of a head, or of a chunk's size line.
    static let lineBytesMax = 64 * 1024

    /// - Parameter bodyless: answers to HEAD.
    init(bodyless: Bool) { self.bodyless = bodyless }

    /// Nothing of an answer was taken yet; what the caller keeps may still be the beginning of one.
    var isBetweenAnswers: Bool { state == .head }

    /// Takes bytes from `offset` on.
    ///
    /// - Returns: an answer when it is whole, with `offset` behind it; nil when more bytes are wanted: those from `offset` on are to
    ///   be given again, with more behind them.
    mutating func next(
        _ bytes: Span<UInt8>, _ offset: inout Int, _ versions: inout VersionList
    ) throws(Malformed) -> Answer? {
        while true {
            switch state {
            case .head:
                guard let end = try readHead(bytes, offset, &versions) else { return nil }
                offset = end
                if state == .head, answer.status >= 200 { return answer }
            case .body(let left):
                let taken = min(left, bytes.count - offset)
                offset += taken
                guard taken == left else {
                    state = .body(left - taken)
                    return nil
                }
                state = .head
                return answer
            case .chunkSize:
                guard let end = try lineEnd(bytes, offset) else { return nil }
                let size = try hexadecimal(bytes, offset)
                offset = end
                state = size == 0 ? .trailers : .chunk(size + 2)
            case .chunk(let left):
                let taken = min(left, bytes.count - offset)
                offset += taken
                guard taken == left else {
                    state = .chunk(left - taken)
                    return nil
                }
                state = .chunkSize
            case .trailers:
                guard let end = try lineEnd(bytes, offset) else { return nil }
                let isLast = end - offset <= 2
                offset = end
                if isLast {
                    state = .head
                    return answer
                }
            case .untilClose:
                offset = bytes.count
                return nil
            }
        }
    }

    /// The connection has ended: the answer that this completes, if it was one without a length.
    mutating func end() -> Answer? {
        guard state == .untilClose else { return nil }
        state = .head
        return answer
    }

    // MARK: The head

    /// Reads a head and sets the state for its body.
    ///
    /// - Returns: the place behind the head; nil when it is not all there.
    private mutating func readHead(
        _ bytes: Span<UInt8>, _ start: Int, _ versions: inout VersionList
    ) throws(Malformed) -> Int? {
        guard var line = try lineEnd(bytes, start) else { return nil }
        var found = Answer(status: try status(bytes, start..<line), version: 0, closes: bytes[start + 7] == 0x30)
        var length: Int?
        var chunked = false
        while true {
            guard let end = try lineEnd(bytes, line) else {
                if bytes.count - start > Self.lineBytesMax { throw Malformed() }
                return nil
            }
            if end - line <= 2 {
                line = end
                break
            }
            switch bytes[line] | 0x20 {
            case UInt8(ascii: "c"):
                if let value = value("content-length", bytes, line..<end) {
                    length = try decimal(bytes, value)
                } else if let value = value("connection", bytes, line..<end) {
                    if equals("close", bytes, value) { found.closes = true }
                }
            case UInt8(ascii: "t"):
                if let value = value("transfer-encoding", bytes, line..<end) {
                    guard equals("chunked", bytes, value) else { throw Malformed() }
                    chunked = true
                }
            case UInt8(ascii: "x"):
                if let value = value("x-model-version", bytes, line..<end) {
                    found.version = versions.place(of: bytes.extracting(value))
                }
            default: break
            }
            line = end
        }
        answer = found
        if found.status < 200 || found.status == 204 || found.status == 304 || bodyless {
            state = .head
        } else if chunked {
            state = .chunkSize
        } else if let length {
            state = length == 0 ? .head : .body(length)
        } else {
            answer.closes = true
            state = .untilClose
        }
        return line
    }

    /// The status of `HTTP/1.x NNN reason`.
    private func status(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(Malformed) -> Int {
        guard line.count >= 14, equals("http/1.", bytes, line.lowerBound..<line.lowerBound + 7) else {
            throw Malformed()
        }
        let status = try decimal(bytes, line.lowerBound + 9..<line.lowerBound + 12)
        guard (100...999).contains(status) else { throw Malformed() }
        return status
    }

    /// The place behind the LF that ends the line; nil when it is not there yet.
    private func lineEnd(_ bytes: Span<UInt8>, _ start: Int) throws(Malformed) -> Int? {
        var index = start
        while index < bytes.count {
            if bytes[index] == 10 { return index + 1 }
            index += 1
        }
        if index - start > Self.lineBytesMax { throw Malformed() }
        return nil
    }

    /// The value of a line when its name is `name`, without the blanks around it.
    private func value(_ name: StaticString, _ bytes: Span<UInt8>, _ line: Range<Int>) -> Range<Int>? {
        let colon = line.lowerBound + name.utf8CodeUnitCount
        guard colon < line.upperBound, bytes[colon] == UInt8(ascii: ":"),
            equals(name, bytes, line.lowerBound..<colon)
        else { return nil }
        var (first, last) = (colon + 1, line.upperBound)
        while first < last, bytes[first] <= 32 { first += 1 }
        while last > first, bytes[last - 1] <= 32 { last -= 1 }
        return first..<last
    }

    /// - Parameter text: in lower case.
    private func equals(_ text: StaticString, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<range.count {
            let byte = bytes[range.lowerBound + index]
            let lower = 65...90 ~= byte ? byte | 0x20 : byte
            // SAFETY: the index is below the literal's count.
            if unsafe text.utf8Start[index] != lower { return false }
        }
        return true
    }

    private func decimal(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(Malformed) -> Int {
        guard (1...15).contains(range.count) else { throw Malformed() }
        var value = 0
        for index in range {
            guard 48...57 ~= bytes[index] else { throw Malformed() }
            value = value * 10 + Int(bytes[index] - 48)
        }
        return value
    }

    /// The chunk size that a line begins with; an extension may follow.
    private func hexadecimal(_ bytes: Span<UInt8>, _ start: Int) throws(Malformed) -> Int {
        var (value, index) = (0, start)
        while index < bytes.count {
            switch bytes[index] {
            case 48...57: value = value << 4 | Int(bytes[index] - 48)
            case 65...70: value = value << 4 | Int(bytes[index] - 55)
            case 97...102: value = value << 4 | Int(bytes[index] - 87)
            case 13, 10, UInt8(ascii: ";"), 32:
                guard index > start else { throw Malformed() }
                return value
            default: throw Malformed()
            }
            index += 1
            guard index - start <= 10 else { throw Malformed() }
        }
        throw Malformed()
    }
}
