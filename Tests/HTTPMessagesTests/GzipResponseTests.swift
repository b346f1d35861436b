import HTTPMessages
import Testing

@Suite("Compressed answers") struct GzipResponseTests {
    private let coder = ContentCoder(GzipSettings(bytesMin: 100))

    private func accepted(_ value: String?) throws -> AcceptedCodings {
        let line = value.map { "Accept-Encoding: \($0)\r\n" } ?? ""
        guard case .head(let head) = parse("GET / HTTP/1.1\r\nHost: h\r\n\(line)\r\n") else { throw NoHead() }
        return head.acceptedCodings
    }

    private struct NoHead: Error {}

    private struct Answer {
        let head: String
        let body: [UInt8]
    }

    private func answer(
        _ text: String, accepting value: String?, coder: ContentCoder? = nil, status: Int = 200, isHead: Bool = false
    ) throws -> Answer {
        var output = buffer("before")
        var response = Response(
            into: consume output, date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: isHead)
        response.begin(status: status, contentType: "text/plain")
        response.header("X-Own", "kept" as StaticString)
        response.append(text)
        let byteCount = try response.finish(coder ?? self.coder, for: accepted(value))
        output = response.takeOutput()
        #expect(byteCount == output.count - 6)
        let bytes = output.array.dropFirst(6)
        let end = (bytes.startIndex..<bytes.endIndex).first { bytes[$0...].starts(with: Array("\r\n\r\n".utf8)) } ?? 0
        return Answer(head: String(decoding: bytes[..<end], as: UTF8.self), body: Array(bytes[(end + 4)...]))
    }

    private func inflated(_ bytes: [UInt8]) throws -> String {
        try coder.inflate(bytes.span, bytesMax: 1 << 20)
        return coder.withInflated { text in String(decoding: text.indices.map { text[$0] }, as: UTF8.self) }
    }

    private let long = String(repeating: "{\"item_id\":\"310\"},", count: 50)

    @Test("a large answer is compressed for who accepts it, and says so") func compressed() throws {
        let answer = try answer(long, accepting: "gzip")
        #expect(answer.head.contains("\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding"))
        #expect(answer.head.contains("X-Own: kept"))
        #expect(answer.body.count < long.utf8.count / 5)
        #expect(answer.head.contains("\(answer.body.count)\r\n"), "the length is that of what is sent")
        #expect(try inflated(answer.body) == long)
    }

    @Test(
        "others get it as it is, and a cache is told that it depends", arguments: [nil, "br", "gzip;q=0", "identity"])
    func plain(value: String?) throws {
        let answer = try answer(long, accepting: value)
        #expect(answer.head.hasSuffix("\r\nVary: Accept-Encoding"))
        #expect(!answer.head.contains("Content-Encoding"))
        #expect(String(decoding: answer.body, as: UTF8.self) == long)
        #expect(answer.head.contains("\(long.utf8.count)\r\n"))
    }

    @Test("the bound: one byte less is sent as it is to everybody, without Vary") func bound() throws {
        let below = try answer(String(repeating: "a", count: 99), accepting: "gzip")
        #expect(!below.head.contains("Vary") && !below.head.contains("Content-Encoding") && below.body.count == 99)
        let at = try answer(String(repeating: "a", count: 100), accepting: "gzip")
        #expect(at.head.contains("Content-Encoding: gzip"))
    }

    @Test("where gzip is off, only who refuses identity gets it") func off() throws {
        let off = ContentCoder(GzipSettings(bytesMin: nil))
        for value in [nil, "gzip", "gzip, identity;q=0.5"] {
            let answer = try answer(long, accepting: value, coder: off)
            #expect(!answer.head.contains("Content-Encoding") && !answer.head.contains("Vary"))
            #expect(String(decoding: answer.body, as: UTF8.self) == long)
        }
        for value in ["gzip, identity;q=0", "gzip, *;q=0"] {
            let answer = try answer("a", accepting: value, coder: off)
            #expect(answer.head.contains("\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding"))
            #expect(try inflated(answer.body) == "a")
        }
    }

    @Test("who refuses identity gets gzip however little it is; nothing is never compressed") func refusedIdentity()
        throws
    {
        let small = try answer("a", accepting: "gzip, identity;q=0")
        #expect(small.head.contains("Content-Encoding: gzip"))
        #expect(try inflated(small.body) == "a")
        let empty = try answer("", accepting: "gzip, identity;q=0")
        #expect(!empty.head.contains("Content-Encoding") && empty.body.isEmpty)
    }

    @Test("HEAD says what GET would, and sends nothing") func head() throws {
        for value in ["gzip", "br"] {
            let whole = try answer(long, accepting: value)
            let head = try answer(long, accepting: value, isHead: true)
            #expect(head.head == whole.head && head.body.isEmpty)
        }
    }

    @Test("switched off, nothing is compressed and nothing depends") func switchedOff() throws {
        let answer = try answer(long, accepting: "gzip", coder: ContentCoder(GzipSettings(bytesMin: nil)))
        #expect(!answer.head.contains("Vary") && !answer.head.contains("Content-Encoding"))
    }

    @Test("a status without content has no coding") func noContent() throws {
        var response = Response(
            into: ByteBuffer(capacity: 64), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false)
        response.begin(status: 204)
        response.append(long)
        _ = try response.finish(coder, for: accepted("gzip"))
        let text = response.takeOutput().text
        #expect(!text.contains("Vary") && text.hasSuffix("\r\n\r\n"))
    }

    @Test("compressors are reused, and an answer does not depend on those before it") func reused() throws {
        let first = try answer(long, accepting: "gzip").body
        _ = try answer(String(repeating: "something else ", count: 90), accepting: "gzip")
        #expect(try answer(long, accepting: "gzip").body == first)
    }

    // MARK: Streams

    private final class Lines: BodyProducer {
        var left: [String]
        var wasWhole: Bool?
        init(_ lines: [String]) { left = lines }

        func producePiece(into body: inout ByteBuffer) -> Bool {
            if !left.isEmpty { body.append(left.removeFirst()) }
            return !left.isEmpty
        }

        func ended(wasWhole: Bool) { self.wasWhole = wasWhole }
    }

    @Test("each piece of a stream can be inflated when it arrives") func flushed() throws {
        let lines = Lines(["{\"a\":1}\n", "", "{\"b\":2}\n", "{\"c\":3}\n"])
        var response = Response(
            into: ByteBuffer(capacity: 64), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false)
        response.begin(status: 200, contentType: "application/x-ndjson", streaming: lines)
        response.append([UInt8]().span)  // As a handler does that appends whatever it has, here nothing.
        _ = try response.finish(coder, for: accepted("gzip"))
        let stream = response.producer
        let head = response.takeOutput().text
        let producer = try #require(stream)
        #expect(head.hasSuffix("Vary: Accept-Encoding\r\nContent-Encoding: gzip\r\n\r\n"))
        var sent: [UInt8] = []
        var wanted = ""
        for line in ["{\"a\":1}\n", "", "{\"b\":2}\n", "{\"c\":3}\n"] {
            var piece = ByteBuffer(capacity: 16)
            let hasMore = producer.producePiece(into: &piece)
            wanted += line
            #expect(hasMore == (line != "{\"c\":3}\n"))
            #expect(piece.isEmpty == line.isEmpty, "an empty piece is flushed for nothing")
            sent += piece.array
            // What has come so far, closed with an empty last block as nobody sends it, to be read by itself.
            #expect(try hasMore ? prefix(of: sent) == wanted : inflated(sent) == wanted)
        }
        producer.ended(wasWhole: true)
        #expect(lines.wasWhole == true)
    }

    /// What an unfinished gzip stream says so far. Ours only takes whole ones: it is finished by hand, with a final empty
    /// stored block and the check sums of what is expected, which it must match.
    private func prefix(of bytes: [UInt8]) throws -> String {
        let finished = bytes + [0x01, 0x00, 0x00, 0xFF, 0xFF]
        for text in ["{\"a\":1}\n", "{\"a\":1}\n{\"b\":2}\n"] {
            let length = UInt32(text.utf8.count)
            let trailer = [crc32(text), length].flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
            }
            if let whole = try? inflated(finished + trailer) { return whole }
        }
        return "not inflated"
    }

    /// The sum that ends a gzip member (RFC 1952 section 8).
    private func crc32(_ text: String) -> UInt32 {
        var crc = UInt32.max
        for byte in text.utf8 {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
        }
        return ~crc
    }

    @Test("a stream that nobody wants compressed says that it depends") func plainStream() throws {
        var response = Response(
            into: ByteBuffer(capacity: 64), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false)
        let lines = Lines(["a"])
        response.begin(status: 200, contentType: "application/x-ndjson", streaming: lines)
        _ = try response.finish(coder, for: accepted(nil))
        let stream = response.producer
        #expect(stream === lines)
        #expect(response.takeOutput().text.hasSuffix("Vary: Accept-Encoding\r\n\r\n"))
    }

    @Test("settings outside what makes sense are named") func settings() {
        #expect(throws: Never.self) { try GzipSettings().check() }
        #expect(throws: Never.self) { try GzipSettings(bytesMin: 1, level: 9).check() }
        #expect(throws: InvalidLimit.self) { try GzipSettings(bytesMin: 0).check() }
        #expect(throws: InvalidLimit.self) { try GzipSettings(level: 0).check() }
        #expect(throws: InvalidLimit.self) { try GzipSettings(level: 10).check() }
    }
}
