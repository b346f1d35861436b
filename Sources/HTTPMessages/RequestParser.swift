/// Reads a request line and header lines (RFC 9112 sections 2 to 6), strictly, as far as the bytes go.
///
/// The parser looks at whole lines and remembers where it stopped, so that each byte is scanned for a line end once, and
/// the answer to bytes that come one by one is the answer to all of them at once. What RFC 9112 lets a recipient be
/// lenient about is refused here: two parsers that differ about where a request ends are how requests are smuggled.
package struct RequestParser: Sendable {
    private var head = RequestHead()
    /// Where the line that is being read starts; 0 is the request line.
    private var lineStart = 0
    /// Bytes that are known to hold no line feed from `lineStart` on.
    private var scanned = 0
    private var hasHost = false
    private var contentLength: Int?
    private var hasTransferEncoding = false
    private var saysClose = false
    private var saysKeepAlive = false

    package init() {}

    /// The method, once the request line was read.
    package var method: HTTPMethod { head.method }

    /// Reads on.
    ///
    /// - Parameter bytes: all bytes of the request so far: those of the last call and perhaps more.
    /// - Returns: the head when its last line is there, nil when more bytes are needed.
    package mutating func parse(_ bytes: Span<UInt8>, limits: Limits) throws(Refusal) -> RequestHead? {
        // Whatever is not HTTP, such as a TLS hello, shows in its first byte: no need to wait for a line end.
        if !bytes.isEmpty, !CharacterSet128.token.contains(bytes[0]) { throw .malformed(.requestLine) }
        while let lineFeed = nextLineFeed(bytes) {
            // RFC 9112 section 2.2 lets a recipient take a bare LF for a line end. We do not.
            let endsWithCRLF = lineFeed > lineStart && bytes[lineFeed - 1] == .carriageReturn
            let line = lineStart..<(endsWithCRLF ? lineFeed - 1 : lineFeed)
            let next = lineFeed + 1
            if lineStart == 0 {
                if lineFeed - 1 > limits.requestLineBytesMax { throw tooLong(bytes, limits) }
                if !endsWithCRLF { throw .malformed(.lineEnding) }
                try parseRequestLine(line, bytes)
                head.headers = next..<next
            } else {
                let isLast = line.isEmpty && endsWithCRLF
                if !isLast, next - head.headers.lowerBound > limits.headerBytesMax {
                    throw .headersTooLarge(bytesMax: limits.headerBytesMax)
                }
                if !endsWithCRLF { throw .malformed(.lineEnding) }
                if isLast { return try finish(byteCount: next, limits: limits) }
                if head.headerCount == limits.headerCountMax {
                    throw .tooManyHeaders(countMax: limits.headerCountMax)
                }
                head.headerCount += 1
                head.headers = head.headers.lowerBound..<next
                try interpret(try fieldLine(line, bytes), bytes)
            }
            lineStart = next
            scanned = next
        }
        // No line end yet: only its length can be judged. One byte more than the bound is the CR of the longest line.
        if lineStart == 0 {
            if bytes.count - 1 > limits.requestLineBytesMax { throw tooLong(bytes, limits) }
        } else if bytes.count - head.headers.lowerBound - 1 > limits.headerBytesMax {
            throw .headersTooLarge(bytesMax: limits.headerBytesMax)
        }
        return nil
    }

    private mutating func nextLineFeed(_ bytes: Span<UInt8>) -> Int? {
        while scanned < bytes.count {
            if bytes[scanned] == .lineFeed { return scanned }
            scanned += 1
        }
        return nil
    }

    // MARK: Request line

    /// A method longer than any there is: 501; a target longer than is read: 414 (RFC 9112 section 3).
    ///
    /// - Precondition: more bytes than the bound.
    private func tooLong(_ bytes: Span<UInt8>, _ limits: Limits) -> Refusal {
        for index in 0..<limits.requestLineBytesMax where bytes[index] == .space {
            return .requestLineTooLong(bytesMax: limits.requestLineBytesMax)
        }
        return .methodTooLong(bytesMax: limits.requestLineBytesMax)
    }

    /// `method SP request-target SP HTTP-version` (RFC 9112 section 3), single spaces.
    private mutating func parseRequestLine(_ line: Range<Int>, _ bytes: Span<UInt8>) throws(Refusal) {
        var methodEnd = line.lowerBound
        while methodEnd < line.upperBound, CharacterSet128.token.contains(bytes[methodEnd]) { methodEnd += 1 }
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound, bytes[methodEnd] == .space else {
            throw .malformed(.requestLine)
        }
        head.method = HTTPMethod(bytes.extracting(line.lowerBound..<methodEnd))

        let versionStart = line.upperBound - 8
        guard versionStart > methodEnd, bytes[versionStart - 1] == .space else { throw .malformed(.version) }
        head.minorVersion = try parseVersion(bytes.extracting(versionStart..<line.upperBound))
        guard versionStart - 1 > methodEnd + 1 else { throw .malformed(.requestLine) }
        try parseTarget((methodEnd + 1)..<(versionStart - 1), bytes)
    }

    /// `HTTP/1.1` and `HTTP/1.0`, in upper case (RFC 9112 section 2.3); any other pair of digits is 505 (RFC 9110 section
    /// 15.6.6). HTTP/1.2 would have to be taken for 1.1 (section 2.5), but does not exist: who says so tries something.
    private func parseVersion(_ version: Span<UInt8>) throws(Refusal) -> Int {
        guard version.matches("HTTP/", from: 0, to: 5, foldingCase: false), version[5].isDigit,
            version[6] == UInt8(ascii: "."), version[7].isDigit
        else { throw .malformed(.version) }
        guard version[5] == UInt8(ascii: "1"), version[7] <= UInt8(ascii: "1") else { throw .unsupportedVersion }
        return Int(version[7] - UInt8(ascii: "0"))
    }

    /// The four forms of RFC 9112 section 3.2: origin, absolute, authority (CONNECT only, refused) and asterisk.
    private mutating func parseTarget(_ target: Range<Int>, _ bytes: Span<UInt8>) throws(Refusal) {
        if head.method == .connect { throw .connectUnsupported }
        if bytes[target.lowerBound] == UInt8(ascii: "/") {
            try parsePathAndQuery(target, bytes)
        } else if target.count == 1, bytes[target.lowerBound] == UInt8(ascii: "*"), head.method == .options {
            // RFC 9112 section 3.2.4: the server as a whole.
            head.path = target
        } else {
            try parseAbsoluteForm(target, bytes)
        }
    }

    /// `http://authority/path?query`, which every server must accept (RFC 9112 section 3.2.2). The authority replaces what
    /// Host says; nothing here depends on either.
    private mutating func parseAbsoluteForm(_ target: Range<Int>, _ bytes: Span<UInt8>) throws(Refusal) {
        let start = target.lowerBound
        let authority: Int
        if target.count > 7, bytes.matches("http://", from: start, to: start + 7, foldingCase: true) {
            authority = start + 7
        } else if target.count > 8, bytes.matches("https://", from: start, to: start + 8, foldingCase: true) {
            authority = start + 8
        } else {
            throw malformedTarget(target, bytes)
        }
        var end = authority
        while end < target.upperBound, bytes[end] != UInt8(ascii: "/"), bytes[end] != UInt8(ascii: "?") { end += 1 }
        // An http URL has a host (RFC 9110 section 4.2.1). User information, which is how people are misled (section
        // 4.2.4), holds an @, which no authority of ours does.
        guard case .named = authorityKind(authority..<end, bytes) else { throw malformedTarget(target, bytes) }
        try parsePathAndQuery(end..<target.upperBound, bytes)
        if head.path.isEmpty {
            // An absent path is "/" (RFC 9110 section 4.2.3): the slash before the authority will do.
            head.path = (authority - 1)..<authority
        }
    }

    /// `path [ "?" query ]` (RFC 3986 section 3): the path strictly by its grammar, with whole escapes and none of them NUL; a
    /// query of any visible ASCII but `#`, because browsers send `|`, `^` and brackets as they are. Its escapes are the
    /// business of whoever decodes it. Neither is normalised: what stands for a path is compared byte for byte.
    private mutating func parsePathAndQuery(_ range: Range<Int>, _ bytes: Span<UInt8>) throws(Refusal) {
        var index = range.lowerBound
        while index < range.upperBound, bytes[index] != UInt8(ascii: "?") {
            guard CharacterSet128.path.contains(bytes[index]) else { throw malformedTarget(range, bytes) }
            if bytes[index] == UInt8(ascii: "%"), !bytes.isEscape(at: index, before: range.upperBound) {
                throw .malformed(.escape)
            }
            index += 1
        }
        head.path = range.lowerBound..<index
        if index == range.upperBound { return }
        let query = (index + 1)..<range.upperBound
        for index in query where bytes[index] < 0x21 || bytes[index] > 0x7E || bytes[index] == UInt8(ascii: "#") {
            throw malformedTarget(query, bytes)
        }
        head.query = query
    }

    /// A space within the target is a request line of too many parts (RFC 9112 section 3), the rest a target that is none.
    private func malformedTarget(_ target: Range<Int>, _ bytes: Span<UInt8>) -> Refusal {
        for index in target where bytes[index] == .space { return .malformed(.requestLine) }
        return .malformed(.target)
    }

    // MARK: Header lines

    /// Takes in the fields that decide where the request ends and what becomes of the connection.
    private mutating func interpret(_ field: FieldLine, _ bytes: Span<UInt8>) throws(Refusal) {
        let name = bytes.extracting(field.name)
        let value = field.value
        switch name.count {
        case 4 where name.equalsIgnoringCase("host"): try interpretHost(field, bytes)
        case 6 where name.equalsIgnoringCase("expect"):
            // RFC 9110 section 10.1.1; an HTTP/1.0 client's expectation is to be ignored.
            if head.minorVersion == 0 { break }
            guard bytes.extracting(value).equalsIgnoringCase("100-continue") else { throw .unknownExpectation }
            head.expectsContinue = true
        case 10 where name.equalsIgnoringCase("connection"):
            var (close, keepAlive) = (false, false)
            bytes.forEachListMember(in: value) { option in
                if bytes.extracting(option).equalsIgnoringCase("close") { close = true }
                if bytes.extracting(option).equalsIgnoringCase("keep-alive") { keepAlive = true }
            }
            saysClose = saysClose || close
            saysKeepAlive = saysKeepAlive || keepAlive
        case 14 where name.equalsIgnoringCase("content-length"):
            // RFC 9112 section 6.3 lets identical repeats pass; nobody sends them in good faith.
            guard contentLength == nil else { throw .malformed(.repeatedContentLength) }
            guard !hasTab(field, bytes) else { throw .malformed(.contentLength) }
            contentLength = try parseContentLength(value, bytes)
        // What the answer may be coded with: RFC 9110 section 12.5.3, a list that may be spread over lines (section 5.3).
        case 15 where name.equalsIgnoringCase("accept-encoding"): head.acceptedCodings.read(value, bytes)
        case 16 where name.equalsIgnoringCase("content-encoding"): head.contentCoding.add(value, bytes)
        case 17 where name.equalsIgnoringCase("transfer-encoding"):
            guard !hasTransferEncoding else { throw .malformed(.repeatedTransferEncoding) }
            hasTransferEncoding = true
            guard !hasTab(field, bytes) else { throw .malformed(.transferEncoding) }
            try checkTransferEncoding(value, bytes)
        default: break
        }
    }

    /// Tabs are white space around a value as spaces are (RFC 9110 section 5.6.3). Parsers that took them for a part of it
    /// made `Transfer-Encoding:<tab>chunked` an attack, so that no field which frames or routes a request may have one.
    private func hasTab(_ field: FieldLine, _ bytes: Span<UInt8>) -> Bool {
        for index in field.name.upperBound..<field.end where bytes[index] == .tab { return true }
        return false
    }

    /// Exactly one in HTTP/1.1, of the form `uri-host [ ":" port ]` (RFC 9112 section 3.2); it may be empty.
    private mutating func interpretHost(_ field: FieldLine, _ bytes: Span<UInt8>) throws(Refusal) {
        guard !hasHost else { throw .malformed(.repeatedHost) }
        hasHost = true
        guard !hasTab(field, bytes) else { throw .malformed(.host) }
        if case .malformed = authorityKind(field.value, bytes) { throw .malformed(.host) }
    }

    /// `1*DIGIT` and nothing else: no sign, no list (RFC 9110 section 8.6). Numbers beyond `Int` come out as `Int.max`.
    private func parseContentLength(_ value: Range<Int>, _ bytes: Span<UInt8>) throws(Refusal) -> Int {
        guard !value.isEmpty else { throw .malformed(.contentLength) }
        var length = 0
        for index in value {
            guard bytes[index].isDigit else { throw .malformed(.contentLength) }
            let (tens, overflow) = length.multipliedReportingOverflow(by: 10)
            let (sum, carried) = tens.addingReportingOverflow(Int(bytes[index] - UInt8(ascii: "0")))
            length = overflow || carried ? .max : sum
        }
        return length
    }

    /// `chunked` alone. Without it at the end the length is anybody's guess: 400 (RFC 9112 section 6.3); with other
    /// codings before it: 501 (section 6.1); twice: 400 (section 7.1).
    private func checkTransferEncoding(_ value: Range<Int>, _ bytes: Span<UInt8>) throws(Refusal) {
        var codings = 0
        var chunked = 0
        var endsChunked = false
        bytes.forEachListMember(in: value) { coding in
            endsChunked = bytes.extracting(coding).equalsIgnoringCase("chunked")
            codings += 1
            if endsChunked { chunked += 1 }
        }
        guard endsChunked, chunked == 1 else { throw .malformed(.transferEncoding) }
        guard codings == 1 else { throw .unsupportedTransferCoding }
        // A list with empty members, such as ", chunked", is more than one parser will agree about.
        guard value.count == 7 else { throw .malformed(.transferEncoding) }
    }

    // MARK: The whole head

    private mutating func finish(byteCount: Int, limits: Limits) throws(Refusal) -> RequestHead {
        head.byteCount = byteCount
        if head.minorVersion == 1, !hasHost { throw .malformed(.missingHost) }
        if hasTransferEncoding {
            // Both are the sign of an attack, or of an HTTP/1.0 relay that passes on what it does not understand:
            // RFC 9112 sections 6.1 and 6.3.
            if head.minorVersion == 0 { throw .malformed(.transferEncodingInHTTP10) }
            if contentLength != nil { throw .malformed(.lengthAndTransferEncoding) }
            head.bodyFraming = .chunked
        } else {
            // Without either there is no body (RFC 9112 section 6.3). Who wants one can answer 411: see `declaresBody`.
            let length = contentLength ?? 0
            if length > limits.bodyBytesMax { throw .bodyTooLarge(bytesMax: limits.bodyBytesMax) }
            head.bodyFraming = .length(length)
        }
        head.declaresBody = hasTransferEncoding || contentLength != nil
        // RFC 9110 section 15.5.16. Without content its coding is nobody's concern.
        if head.contentCoding == .unsupported, head.bodyFraming != .length(0) { throw .unsupportedContentCoding }
        // RFC 9110 sections 12.5.3 and 15.5.7: without a coding we have, and without none.
        if head.acceptedCodings.acceptsNothing { throw .noAcceptableCoding }
        // RFC 9112 section 9.3.
        head.keepAlive = !saysClose && (head.minorVersion == 1 || saysKeepAlive)
        return head
    }
}
