/// The request line and what the server needs of the header section: numbers and offsets, no copies.
///
/// Offsets count from the first byte of the request line, and belong to the bytes the head was parsed from. Header
/// lines are not indexed: ``header(_:in:)`` scans them again, which for the one or two fields that a handler asks for is
/// cheaper than a table that every request has to fill.
package struct RequestHead: Sendable, Equatable {
    package internal(set) var method: HTTPMethod = .other
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    package internal(set) var minorVersion: Int {
        get { Int(minor) }
        set { minor = UInt8(newValue) }
    }
    /// The path as it was sent, percent-encoded, without the query. Starts with `/`, or is `*` for `OPTIONS *`.
    package internal(set) var path: Range<Int> {
        get { pathPlaces.range }
        set { pathPlaces = Places(newValue) }
    }
    /// What follows `?`, nil when there is no `?`.
    package internal(set) var query: Range<Int>? {
        get { hasQuery ? queryPlaces.range : nil }
        set {
            hasQuery = newValue != nil
            queryPlaces = Places(newValue ?? 0..<0)
        }
    }
    /// Whether the client allows another request on this connection (RFC 9112 section 9.3).
    package internal(set) var keepAlive = true
    /// `Expect: 100-continue` from an HTTP/1.1 client.
    package internal(set) var expectsContinue = false
    package internal(set) var headerCount: Int {
        get { Int(headerLines) }
        set { headerLines = UInt32(newValue) }
    }
    /// The header lines with their CRLFs, without the empty line that ends them.
    package internal(set) var headers: Range<Int> {
        get { headerPlaces.range }
        set { headerPlaces = Places(newValue) }
    }
    /// Bytes of the whole head, with the empty line that ends it: where the body starts.
    package internal(set) var byteCount: Int {
        get { Int(bytes) }
        set { bytes = UInt32(newValue) }
    }
    package internal(set) var bodyFraming = BodyFraming.length(0)
    /// Whether the request says how its body is framed, be it empty. Without it a body that is wanted is 411 (RFC 9110
    /// section 15.5.12).
    package internal(set) var declaresBody = false
    /// What the body is coded with, as it comes.
    package internal(set) var contentCoding = ContentCoding.identity
    /// What the answer may be coded with.
    package internal(set) var acceptedCodings = AcceptedCodings()

    // A head is handed on some twenty times a request. In 32 bits a number it is small enough to be moved in registers, not by calls
    // of memcpy; ``Limits`` keeps a head to a few megabytes.
    private var minor: UInt8 = 1
    private var hasQuery = false
    private var pathPlaces = Places(0..<0)
    private var queryPlaces = Places(0..<0)
    private var headerPlaces = Places(0..<0)
    private var headerLines: UInt32 = 0
    private var bytes: UInt32 = 0

    init() {}

    /// Where something lies in a head.
    private struct Places: Sendable, Equatable {
        private let start: UInt32
        private let end: UInt32

        init(_ range: Range<Int>) {
            start = UInt32(range.lowerBound)
            end = UInt32(range.upperBound)
        }

        var range: Range<Int> { Int(start)..<Int(end) }
    }
}

/// How the end of a request's body is found (RFC 9112 section 6.3).
package enum BodyFraming: Sendable, Equatable {
    case length(Int)
    case chunked
}

extension RequestHead {
    /// The value of the first field called `lowercaseName`, white space at both ends removed; nil when there is none.
    ///
    /// - Complexity: O(bytes of the header section).
    package func header(_ lowercaseName: StaticString, in bytes: Span<UInt8>) -> Range<Int>? {
        var lineStart = headers.lowerBound
        while lineStart < headers.upperBound {
            // The parser has seen every line: a name, a colon, a value, CRLF.
            var nameEnd = lineStart
            while bytes[nameEnd] != .colon { nameEnd += 1 }
            var lineEnd = nameEnd + 1
            while bytes[lineEnd] != .carriageReturn { lineEnd += 1 }
            if bytes.matches(lowercaseName, from: lineStart, to: nameEnd, foldingCase: true) {
                return bytes.trimmingWhiteSpace((nameEnd + 1)..<lineEnd)
            }
            lineStart = lineEnd + 2
        }
        return nil
    }

    /// Calls `body` with the name, as it was sent, and the trimmed value of every field in order.
    package func forEachHeader(in bytes: Span<UInt8>, _ body: (_ name: Range<Int>, _ value: Range<Int>) -> Void) {
        var lineStart = headers.lowerBound
        while lineStart < headers.upperBound {
            var nameEnd = lineStart
            while bytes[nameEnd] != .colon { nameEnd += 1 }
            var lineEnd = nameEnd + 1
            while bytes[lineEnd] != .carriageReturn { lineEnd += 1 }
            body(lineStart..<nameEnd, bytes.trimmingWhiteSpace((nameEnd + 1)..<lineEnd))
            lineStart = lineEnd + 2
        }
    }
}
