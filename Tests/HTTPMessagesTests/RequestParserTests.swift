import HTTPMessages
import TestSupport
import Testing

@Suite("Request parser") struct RequestParserTests {
    private func head(_ text: String) throws -> RequestHead {
        guard case .head(let head) = parse(text) else {
            Issue.record("not a head: \(parse(text))")
            throw Refusal.malformed(.requestLine)
        }
        return head
    }

    private func slice(_ text: String, _ range: Range<Int>?) -> String? {
        range.map { String(decoding: Array(text.utf8)[$0], as: UTF8.self) }
    }

    @Test("a plain GET is taken apart")
    func plainGet() throws {
        let text = "GET /recommend?user_id=7&k=10 HTTP/1.1\r\nHost: localhost:8080\r\nX-Request-ID: \t a-1 \t\r\n\r\n"
        let head = try head(text)
        #expect(head.method == .get)
        #expect(head.minorVersion == 1)
        #expect(slice(text, head.path) == "/recommend")
        #expect(slice(text, head.query) == "user_id=7&k=10")
        #expect(head.keepAlive)
        #expect(head.headerCount == 2)
        #expect(head.byteCount == text.utf8.count)
        #expect(head.bodyFraming == .length(0))
        let bytes = Array(text.utf8)
        #expect(slice(text, head.header("x-request-id", in: bytes.span)) == "a-1")
        #expect(slice(text, head.header("host", in: bytes.span)) == "localhost:8080")
        #expect(head.header("x-request-i", in: bytes.span) == nil)
    }

    @Test(
        "every form of target that has a path gives path and query",
        arguments: [
            ("GET / HTTP/1.1", "/", nil), ("GET /? HTTP/1.1", "/", ""), ("GET /a?b?c HTTP/1.1", "/a", "b?c"),
            ("OPTIONS * HTTP/1.1", "*", nil), ("GET http://h HTTP/1.1", "/", nil),
            ("GET HTTP://h:80/p?q HTTP/1.1", "/p", "q"), ("GET https://[::1]?q HTTP/1.1", "/", "q"),
            ("GET //a HTTP/1.1", "//a", nil),
        ] as [(String, String, String?)])
    func targets(line: String, path: String, query: String?) throws {
        let text = line + "\r\nHost: h\r\n\r\n"
        let head = try head(text)
        #expect(slice(text, head.path) == path)
        #expect(slice(text, head.query) == query)
    }

    @Test(
        "methods are told apart by case, and unknown ones are other",
        arguments: [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("DELETE", .delete), ("PATCH", .patch),
            ("OPTIONS", .options), ("TRACE", .trace), ("get", .other), ("BREW", .other), ("!#$%&'*+-.^_`|~09", .other),
        ] as [(String, HTTPMethod)])
    func methods(token: String, method: HTTPMethod) throws {
        #expect(try head("\(token) / HTTP/1.1\r\nHost: h\r\n\r\n").method == method)
    }

    @Test(
        "broken heads are refused, each by its own rule",
        arguments: [
            (" GET / HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.requestLine)),
            ("GET  / HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.requestLine)),
            ("GET /  HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.requestLine)),
            ("GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.requestLine)),
            ("GET HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.requestLine)),
            ("GET\r\n\r\n", .malformed(.requestLine)),
            ("G(T / HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.requestLine)),
            ("GET /\r\n\r\n", .malformed(.version)),
            ("GET / http/1.1\r\nHost: h\r\n\r\n", .malformed(.version)),
            ("GET / HTTP/11\r\nHost: h\r\n\r\n", .malformed(.version)),
            ("GET / HTTP/1.1 \r\nHost: h\r\n\r\n", .malformed(.version)),
            ("GET / HTTP/2.0\r\nHost: h\r\n\r\n", .unsupportedVersion),
            ("GET / HTTP/1.2\r\nHost: h\r\n\r\n", .unsupportedVersion),
            ("GET / HTTP/0.9\r\nHost: h\r\n\r\n", .unsupportedVersion),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
            ("GET * HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.target)),
            ("GET a HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.target)),
            ("GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.target)),
            ("GET /\u{7f} HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.target)),
            ("GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.target)),
            ("GET /\r/ HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.target)),
            ("GET http:// HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.target)),
            ("GET http://u:p@h/ HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.target)),
            ("GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", .malformed(.target)),
            ("CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", .connectUnsupported),
            ("GET / HTTP/1.1\nHost: h\r\n\r\n", .malformed(.lineEnding)),
            ("GET / HTTP/1.1\r\nHost: h\n\r\n", .malformed(.lineEnding)),
            ("GET / HTTP/1.1\r\nHost: h\r\n\n", .malformed(.lineEnding)),
            ("GET / HTTP/1.1\r\nHost: h\rX: y\r\n\r\n", .malformed(.fieldValue)),
            ("GET / HTTP/1.1\r\nHost : h\r\n\r\n", .malformed(.fieldName)),
            ("GET / HTTP/1.1\r\nHost\r\n\r\n", .malformed(.fieldName)),
            ("GET / HTTP/1.1\r\n: h\r\n\r\n", .malformed(.fieldName)),
            ("GET / HTTP/1.1\r\nHost: h\r\nA\u{0}: h\r\n\r\n", .malformed(.fieldName)),
            ("GET / HTTP/1.1\r\n Host: h\r\n\r\n", .malformed(.foldedField)),
            ("GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n\tc\r\n\r\n", .malformed(.foldedField)),
            ("GET / HTTP/1.1\r\nHost: h\r\nA: \u{0}\r\n\r\n", .malformed(.fieldValue)),
            ("GET / HTTP/1.1\r\nHost: h\r\nA: \u{1}\r\n\r\n", .malformed(.fieldValue)),
            ("GET / HTTP/1.1\r\nHost: h\r\nA: \u{7f}\r\n\r\n", .malformed(.fieldValue)),
            ("GET / HTTP/1.1\r\n\r\n", .malformed(.missingHost)),
            ("GET http://h/ HTTP/1.1\r\n\r\n", .malformed(.missingHost)),
            ("GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", .malformed(.repeatedHost)),
            ("GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", .malformed(.repeatedHost)),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .malformed(.host)),
            ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .malformed(.host)),
            ("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", .malformed(.host)),
            ("GET / HTTP/1.1\r\nHost: h\r\nExpect: cookies\r\n\r\n", .unknownExpectation),
            ("\u{16}\u{3}\u{1}\u{2}", .malformed(.requestLine)),
            ("{\"user_id\"", .malformed(.requestLine)),
        ] as [(String, Refusal)])
    func brokenHeads(text: String, refusal: Refusal) {
        #expect(parse(text) == .refused(refusal))
    }

    @Test(
        "what could hide a second request is refused",
        arguments: [
            ("Content-Length: 5\r\nContent-Length: 5\r\n", .malformed(.repeatedContentLength)),
            ("Content-Length: 5\r\nContent-Length: 6\r\n", .malformed(.repeatedContentLength)),
            ("Content-Length: 5, 5\r\n", .malformed(.contentLength)),
            ("Content-Length: +5\r\n", .malformed(.contentLength)),
            ("Content-Length: -5\r\n", .malformed(.contentLength)),
            ("Content-Length: 0x5\r\n", .malformed(.contentLength)),
            ("Content-Length: 5 5\r\n", .malformed(.contentLength)),
            ("Content-Length: \r\n", .malformed(.contentLength)),
            ("Content-Length: \u{665}\r\n", .malformed(.contentLength)),
            ("Content-Length : 5\r\n", .malformed(.fieldName)),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", .malformed(.lengthAndTransferEncoding)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", .malformed(.lengthAndTransferEncoding)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", .malformed(.repeatedTransferEncoding)),
            ("Transfer-Encoding: chunked, chunked\r\n", .malformed(.transferEncoding)),
            ("Transfer-Encoding: chunked, identity\r\n", .malformed(.transferEncoding)),
            ("Transfer-Encoding: xchunked\r\n", .malformed(.transferEncoding)),
            ("Transfer-Encoding: \"chunked\"\r\n", .malformed(.transferEncoding)),
            ("Transfer-Encoding: , chunked\r\n", .malformed(.transferEncoding)),
            ("Transfer-Encoding: chunked;q=1\r\n", .malformed(.transferEncoding)),
            ("Transfer-Encoding: \u{b}chunked\r\n", .malformed(.fieldValue)),
            ("Transfer-Encoding:\r\n", .malformed(.transferEncoding)),
            ("Transfer-Encoding\t: chunked\r\n", .malformed(.fieldName)),
            ("X: y\r\n Transfer-Encoding: chunked\r\n", .malformed(.foldedField)),
            ("Transfer-Encoding: gzip, chunked\r\n", .unsupportedTransferCoding),
        ] as [(String, Refusal)])
    func smuggling(headers: String, refusal: Refusal) {
        #expect(parse("POST / HTTP/1.1\r\nHost: h\r\n\(headers)\r\nhello") == .refused(refusal))
    }

    @Test("HTTP/1.0 wants no Host, closes by default and has no transfer coding")
    func http10() throws {
        #expect(try !head("GET / HTTP/1.0\r\n\r\n").keepAlive)
        #expect(try head("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").keepAlive)
        #expect(try !head("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n").keepAlive)
        #expect(try !head("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").expectsContinue)
        #expect(
            parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")
                == .refused(.malformed(.transferEncodingInHTTP10)))
    }

    @Test("the Connection field is a list, and may be repeated")
    func connectionField() throws {
        let start = "GET / HTTP/1.1\r\nHost: h\r\n"
        #expect(try !head(start + "Connection: close\r\n\r\n").keepAlive)
        #expect(try !head(start + "Connection: te ,\tCLOSE,\r\n\r\n").keepAlive)
        #expect(try !head(start + "Connection: te\r\nConnection: close\r\n\r\n").keepAlive)
        #expect(try head(start + "Connection: closed\r\n\r\n").keepAlive)
    }

    @Test("framing: a length, chunks, or nothing")
    func framing() throws {
        let start = "POST / HTTP/1.1\r\nHost: h\r\n"
        #expect(try head(start + "\r\n").bodyFraming == .length(0))
        #expect(try head(start + "content-length: 007\r\n\r\n").bodyFraming == .length(7))
        #expect(try head(start + "TRANSFER-ENCODING: Chunked\r\n\r\n").bodyFraming == .chunked)
        #expect(try head(start + "Expect: 100-Continue\r\n\r\n").expectsContinue)
    }

    @Test("each bound is accepted, and one more is refused")
    func bounds() {
        var limits = Limits()
        limits.requestLineBytesMax = 40
        limits.headerBytesMax = 64
        limits.headerCountMax = 3
        limits.bodyBytesMax = 10
        func line(_ count: Int) -> String {
            "GET /" + String(repeating: "a", count: count - 14) + " HTTP/1.1\r\nHost: h\r\n\r\n"
        }
        #expect(parse(line(40), limits: limits).isHead)
        #expect(parse(line(41), limits: limits) == .refused(.requestLineTooLong(bytesMax: 40)))

        func headers(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: h\r\nX: " + String(repeating: "a", count: count - 14) + "\r\n\r\n"
        }
        #expect(parse(headers(64), limits: limits).isHead)
        #expect(parse(headers(65), limits: limits) == .refused(.headersTooLarge(bytesMax: 64)))

        func fields(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: h\r\n" + String(repeating: "X: y\r\n", count: count - 1) + "\r\n"
        }
        #expect(parse(fields(3), limits: limits).isHead)
        #expect(parse(fields(4), limits: limits) == .refused(.tooManyHeaders(countMax: 3)))

        func body(_ length: String) -> String { "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \(length)\r\n\r\n" }
        #expect(parse(body("10"), limits: limits).isHead)
        for length in ["11", "9223372036854775807", "9223372036854775808", "99999999999999999999999"] {
            #expect(parse(body(length), limits: limits) == .refused(.bodyTooLarge(bytesMax: 10)), "\(length)")
        }
    }

    @Test("an endless line is refused when its bound is passed, not when it ends")
    func endlessLines() {
        var limits = Limits()
        limits.requestLineBytesMax = 40
        limits.headerBytesMax = 64
        let line = "a " + String(repeating: "a", count: 39)
        #expect(parse(line, limits: limits) == .incomplete)
        #expect(parse(line + "a", limits: limits) == .refused(.requestLineTooLong(bytesMax: 40)))
        let method = String(repeating: "a", count: 41)
        #expect(parse(method, limits: limits) == .incomplete)
        #expect(parse(method + "a", limits: limits) == .refused(.methodTooLong(bytesMax: 40)))
        #expect(parse(method + " / HTTP/1.1\r\n", limits: limits) == .refused(.methodTooLong(bytesMax: 40)))
        let start = "GET / HTTP/1.1\r\n"
        let field = String(repeating: "a", count: 65)
        #expect(parse(start + field, limits: limits) == .incomplete)
        #expect(parse(start + field + "a", limits: limits) == .refused(.headersTooLarge(bytesMax: 64)))
    }

    static let corpus = [
        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /p?q=%20 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabcGET",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n", "GET /\r\n\r\n", "\r\nGET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\n\r\n",
        "GET / HTTP/1.1\r\n: h\r\n\r\n", "GET / HTTP/3.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n",
        "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h\r\nA: a\r\nB: b\r\nC: c\r\nD: d\r\nE: e\r\n\r\n",
    ]

    /// Small, so that the corpus and its mutations pass them.
    static var tightLimits: Limits {
        var limits = Limits()
        limits.requestLineBytesMax = 48
        limits.headerBytesMax = 80
        limits.headerCountMax = 5
        limits.bodyBytesMax = 64
        return limits
    }

    @Test("bytes in pieces give the answer of all at once", arguments: corpus, [1, 2, 3, 7, 16])
    func piecesEqualWhole(text: String, size: Int) {
        let bytes = Array(text.utf8)
        #expect(parseInPieces(bytes, of: size) == parse(bytes))
        #expect(
            parseInPieces(bytes, of: size, limits: Self.tightLimits) == parse(bytes, limits: Self.tightLimits))
    }

    @Test("mutated requests never trap, and pieces still equal the whole", arguments: [1, 2, 3] as [UInt64])
    func mutations(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        let spice: [UInt8] = [0, 9, 10, 13, 32, 58, 44, 0x7F, 0x80, 0xFF, 43, 45, 48, 57, 35, 63, 47, 42]
        for _ in 0..<3000 {
            var bytes = Array(Self.corpus[Int(rng.next() % UInt64(Self.corpus.count))].utf8)
            for _ in 0..<(1 + rng.next() % 4) {
                let place = Int(rng.next() % UInt64(bytes.count))
                switch rng.next() % 4 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: rng.next())
                case 1: bytes[place] = spice[Int(rng.next() % UInt64(spice.count))]
                case 2: bytes.insert(spice[Int(rng.next() % UInt64(spice.count))], at: place)
                default: if bytes.count > 1 { bytes.remove(at: place) }
                }
            }
            let whole = parse(bytes, limits: Self.tightLimits)
            #expect(parseInPieces(bytes, of: 1, limits: Self.tightLimits) == whole, "seed \(seed): \(bytes)")
            if case .head(let head) = whole {
                // What the parser accepted can be walked.
                var count = 0
                head.forEachHeader(in: bytes.span) { _, _ in count += 1 }
                #expect(count == head.headerCount)
                #expect(head.header("absent", in: bytes.span) == nil)
            }
        }
    }

    @Test("headers are listed in order with trimmed values")
    func listing() throws {
        let text = "GET / HTTP/1.1\r\nHost: h\r\nA:\r\nb:  x y\t\r\n\r\n"
        let head = try head(text)
        var seen: [String] = []
        head.forEachHeader(in: Array(text.utf8).span) { name, value in
            seen.append("\(slice(text, name) ?? "")=\(slice(text, value) ?? "")")
        }
        #expect(seen == ["Host=h", "A=", "b=x y"])
    }
}

extension Parsed {
    var isHead: Bool { if case .head = self { true } else { false } }
}
