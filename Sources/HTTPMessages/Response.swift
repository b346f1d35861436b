/// One answer, written straight behind the earlier ones in a connection's output.
///
/// ```swift
/// response.begin(status: 200, contentType: "application/json")
/// response.header("X-Model-Version", 7)
/// response.append("{\"items\":[]}")
/// ```
///
/// `Content-Length` is written as a slot of spaces and patched when the body is known: leading white space is no part of
/// a field value (RFC 9112 section 5.1). `Date`, `Connection` and the framing are the server's; the application
/// writes the rest. Beginning again drops everything that this answer had written.
package struct Response: ~Copyable {
    private var output: ByteBuffer
    private let start: Int
    private let date: HTTPDate
    private let persistence: Persistence
    private let omitsBody: Bool
    private let minorVersion: Int
    private var lengthSlot: Int?
    private var bodyStart: Int?
    /// The body is made after the head, or would be but for a HEAD.
    private var isStreamed = false

    /// Makes the body after the head was sent; nil when the body is written here, and after a HEAD.
    package private(set) var producer: (any BodyProducer)?

    /// Writes the answer later; nil when it is written here.
    package private(set) var postponed: (any PostponedAnswer)?

    /// The status begun last, 0 before the first ``begin(status:contentType:)``.
    package private(set) var status = 0

    /// Digits of the `Content-Length` slot: bodies up to ten gigabytes.
    private static var lengthDigits: Int { 10 }

    /// - Parameters:
    ///   - output: where the answer goes, behind what is there; ``takeOutput()`` gives it back.
    ///   - omitsBody: the request was HEAD: the body is counted and dropped.
    ///   - minorVersion: of the request; an HTTP/1.0 client does not know chunks.
    package init(
        into output: consuming ByteBuffer, date: HTTPDate, persistence: Persistence, omitsBody: Bool,
        minorVersion: Int = 1
    ) {
        start = output.count
        self.minorVersion = minorVersion
        self.output = output
        self.date = date
        self.persistence = persistence
        self.omitsBody = omitsBody
    }

    // MARK: Head

    /// Writes the status line and the fields every answer has.
    ///
    /// - Precondition: `status` is 200 to 599.
    package mutating func begin(status: Int, contentType: StaticString) {
        begin(status: status)
        output.append("Content-Type: ")
        output.append(contentType)
        output.append("\r\n")
    }

    /// The same for an answer without content.
    package mutating func begin(status: Int) {
        beginHead(status, persistence)
        if Self.hasContent(status) {
            output.append("Content-Length: ")
            lengthSlot = output.count
            output.append("          \r\n")
        }
    }

    /// Writes the same for an answer whose body `producer` makes once the handler has returned: in chunks, or up to the end
    /// of the connection for an HTTP/1.0 client (RFC 9112 section 6.3).
    ///
    /// - Precondition: `status` has content. Headers may follow, body bytes may not.
    package mutating func begin(status: Int, contentType: StaticString, streaming producer: any BodyProducer) {
        precondition(Self.hasContent(status), "BUG: a body for a status without content")
        beginHead(status, persistenceOfStream)
        if minorVersion > 0 { output.append("Transfer-Encoding: chunked\r\n") }
        output.append("Content-Type: ")
        output.append(contentType)
        output.append("\r\n")
        isStreamed = true
        self.producer = omitsBody ? nil : producer
    }

    /// Has `answer` written later in place of anything that is written here.
    ///
    /// - Precondition: nothing was begun.
    package mutating func postpone(_ answer: any PostponedAnswer) {
        precondition(status == 0 && postponed == nil, "BUG: an answer was begun before it was put off")
        postponed = answer
    }

    /// What becomes of the connection: a body that ends with the connection ends it.
    package var persistenceOfStream: Persistence { minorVersion > 0 ? persistence : .close }

    private mutating func beginHead(_ status: Int, _ persistence: Persistence) {
        precondition((200...599).contains(status), "BUG: not a final status")
        precondition(postponed == nil, "BUG: an answer that is written later was begun")
        output.truncate(to: start)
        self.status = status
        bodyStart = nil
        lengthSlot = nil
        producer = nil
        isStreamed = false
        output.appendStatusLine(status)
        output.append("Date: ")
        date.withBytes { output.append($0) }
        switch persistence {
        case .implicit: output.append("\r\n")
        case .keepAlive: output.append("\r\nConnection: keep-alive\r\n")
        case .close: output.append("\r\nConnection: close\r\n")
        }
    }

    /// Adds a field. Returns false, and writes nothing, when the value holds CR, LF, NUL or another control character.
    ///
    /// - Precondition: the body has not begun; `name` is a token and none of the server's own fields.
    @discardableResult
    package mutating func header(_ name: StaticString, _ value: Span<UInt8>) -> Bool {
        for index in value.indices where !value[index].isFieldContent { return false }
        beginHeader(name)
        output.append(value)
        output.append("\r\n")
        return true
    }

    /// - Precondition: `value` is visible ASCII.
    package mutating func header(_ name: StaticString, _ value: StaticString) {
        beginHeader(name)
        output.append(value)
        output.append("\r\n")
    }

    @discardableResult
    package mutating func header(_ name: StaticString, _ value: String) -> Bool {
        header(name, value.utf8.span)
    }

    package mutating func header(_ name: StaticString, _ value: Int) {
        beginHeader(name)
        output.appendDecimal(value)
        output.append("\r\n")
    }

    private mutating func beginHeader(_ name: StaticString) {
        precondition(status != 0 && bodyStart == nil, "BUG: a header outside the head")
        output.append(name)
        output.append(": ")
    }

    // MARK: Body

    package mutating func append(_ byte: UInt8) {
        endHead()
        output.append(byte)
    }

    package mutating func append(_ bytes: Span<UInt8>) {
        endHead()
        output.append(bytes)
    }

    package mutating func append(_ text: StaticString) {
        endHead()
        output.append(text)
    }

    package mutating func append(_ text: String) {
        endHead()
        output.append(text.utf8.span)
    }

    package mutating func appendDecimal(_ value: Int) {
        endHead()
        output.appendDecimal(value)
    }

    /// Body bytes written so far.
    package var bodyByteCount: Int { bodyStart.map { output.count - $0 } ?? 0 }

    private mutating func endHead() {
        if bodyStart != nil { return }
        precondition(status != 0, "BUG: a body before begin(status:)")
        output.append("\r\n")
        bodyStart = output.count
    }

    // MARK: The end

    /// Compresses the body if it is to be, patches the length and drops a body that must not be sent; a response never
    /// begun becomes a 500. Once, by the server.
    ///
    /// - Parameters:
    ///   - coder: nil leaves every body as it is.
    ///   - accepted: by the client.
    /// - Returns: bytes of the answer, head and body, as they will be sent.
    @discardableResult
    package mutating func finish(_ coder: ContentCoder? = nil, for accepted: AcceptedCodings = AcceptedCodings()) -> Int
    {
        if status == 0 { begin(status: 500) }
        if let coder, Self.hasContent(status), coder.codes(isStreamed ? nil : bodyByteCount, for: accepted) {
            if isStreamed { codeStream(coder, accepted) } else { codeBody(coder, accepted) }
        }
        endHead()
        let bodyByteCount = self.bodyByteCount
        precondition(producer == nil || bodyByteCount == 0, "BUG: body bytes before the producer's")
        if let lengthSlot { patchLength(bodyByteCount, at: lengthSlot) }
        if omitsBody || !Self.hasContent(status) { output.truncate(to: output.count - bodyByteCount) }
        return output.count - start
    }

    /// The same for a HEAD, which must not differ in what it says (RFC 9110 section 9.3.2).
    private mutating func codeStream(_ coder: ContentCoder, _ accepted: AcceptedCodings) {
        endHead()
        insertField("Vary: Accept-Encoding\r\n")
        guard accepted.prefersGzip else { return }
        insertField("Content-Encoding: gzip\r\n")
        if let producer { self.producer = GzipProducer(producer, coder) }
    }

    /// What could have come out otherwise says so, compressed or not: RFC 9110 section 12.5.5.
    private mutating func codeBody(_ coder: ContentCoder, _ accepted: AcceptedCodings) {
        if accepted.prefersGzip, let bodyStart {
            output.withBytes { coder.compress($0.extracting(bodyStart..<$0.count)) }
            output.truncate(to: bodyStart)
            insertField("Content-Encoding: gzip\r\n")
            coder.takeCompressed { output.append($0) }
        }
        insertField("Vary: Accept-Encoding\r\n")
    }

    /// Adds a line to a head that has ended.
    private mutating func insertField(_ line: StaticString) {
        guard let bodyStart else { preconditionFailure("BUG: the head has not ended") }
        output.insert(line, at: bodyStart - 2)
        self.bodyStart = bodyStart + line.utf8CodeUnitCount
    }

    /// Gives the output back to the connection.
    package consuming func takeOutput() -> ByteBuffer { output }

    private mutating func patchLength(_ length: Int, at slot: Int) {
        var digits = InlineArray<10, UInt8>(repeating: .space)
        var rest = length
        for place in stride(from: Self.lengthDigits - 1, through: 0, by: -1) {
            digits[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            if rest == 0 { break }
        }
        precondition(rest == 0, "BUG: a body of ten gigabytes")
        output.overwrite(at: slot, with: digits.span)
    }

    /// 204 and 304 end with their head (RFC 9110 sections 15.3.5 and 15.4.5).
    private static func hasContent(_ status: Int) -> Bool { status != 204 && status != 304 }
}

/// What becomes of the connection after an answer, as its `Connection` field says.
package enum Persistence: Sendable, Equatable {
    /// HTTP/1.1 keeps the connection unless told otherwise: no field.
    case implicit
    /// HTTP/1.0 wants to be told.
    case keepAlive
    case close
}
