/// A request that the server answers itself, because it cannot or will not hand it to the application.
///
/// Every refusal but ``tooBusy(retryAfterSeconds:)`` and ``answerNotReady(retryAfterSeconds:)`` ends its connection: either nobody knows
/// where the next request would start, or the client is too slow or too many. `detail` is plain English, says what was wanted, and repeats
/// no byte that a client sent.
package enum Refusal: Error, Sendable, Equatable {
    case malformed(Malformation)
    /// The head, or the body, did not arrive in time.
    case timedOut(waitingForBody: Bool)
    case bodyTooLarge(bytesMax: Int)
    case requestLineTooLong(bytesMax: Int)
    /// The body as it came, and what it may be inflated.
    case inflatedBodyTooLarge(codedBytes: Int, bytesMax: Int)
    case unsupportedContentCoding
    case noAcceptableCoding
    case unknownExpectation
    case headersTooLarge(bytesMax: Int)
    case tooManyHeaders(countMax: Int)
    case unsupportedTransferCoding
    case connectUnsupported
    /// HTTP in the clear where TLS is spoken.
    case notTLS
    case methodTooLong(bytesMax: Int)
    /// More connections than the limit: come back later.
    case overloaded(retryAfterSeconds: Int)
    /// More connections from one client than the limit.
    case tooManyFromClient(retryAfterSeconds: Int)
    /// Requests that are not whole yet hold as much memory as they may, all together.
    case tooManyBufferedBytes(retryAfterSeconds: Int)
    /// The request waited too long behind others. Its connection stays.
    case tooBusy(retryAfterSeconds: Int)
    /// The answer was put off (``PostponedAnswer``) and was not ready in time. Its connection stays.
    case answerNotReady(retryAfterSeconds: Int)
    case unsupportedVersion

    /// The status code of the answer.
    package var status: Int {
        switch self {
        case .malformed, .notTLS: 400
        case .noAcceptableCoding: 406
        case .timedOut: 408
        case .bodyTooLarge, .inflatedBodyTooLarge: 413
        case .requestLineTooLong: 414
        case .unsupportedContentCoding: 415
        case .unknownExpectation: 417
        case .headersTooLarge, .tooManyHeaders: 431
        case .tooManyFromClient: 429
        case .unsupportedTransferCoding, .connectUnsupported, .methodTooLong: 501
        case .overloaded, .tooManyBufferedBytes, .tooBusy, .answerNotReady: 503
        case .unsupportedVersion: 505
        }
    }

    /// What was got and what was wanted, safe to send to anybody.
    package var detail: String {
        switch self {
        case .malformed(let malformation): malformation.detail
        case .timedOut(waitingForBody: false): "The request line and the headers did not arrive in time."
        case .timedOut(waitingForBody: true): "The request body did not arrive in time."
        case .bodyTooLarge(let bytesMax): "The request body is larger than the \(bytesMax) bytes accepted."
        case .requestLineTooLong(let bytesMax): "The request line is longer than the \(bytesMax) bytes accepted."
        case .inflatedBodyTooLarge(let codedBytes, let bytesMax):
            "The request body, \(codedBytes) bytes of gzip, inflates to more than the \(bytesMax) bytes accepted."
        case .unsupportedContentCoding:
            "The request body has a Content-Encoding other than gzip, applied once, the only one supported."
        case .noAcceptableCoding:
            "The Accept-Encoding header allows neither gzip nor identity, the codings that answers can have."
        case .unknownExpectation: "The Expect header is not 100-continue, the only expectation supported."
        case .headersTooLarge(let bytesMax): "The request headers are larger than the \(bytesMax) bytes accepted."
        case .tooManyHeaders(let countMax): "The request has more than the \(countMax) headers accepted."
        case .unsupportedTransferCoding:
            "The request body has a transfer coding other than chunked, the only one supported."
        case .methodTooLong(let bytesMax):
            "The request starts with a method of more than \(bytesMax) bytes; no method is as long."
        case .connectUnsupported: "The method is CONNECT, and this server is not a proxy."
        case .notTLS: "The request came in the clear, and this port speaks TLS. Use an https:// URL."
        case .overloaded: "The server has as many connections as it accepts. Try again later."
        case .tooManyFromClient: "This client has as many connections as one may have. Close some, or try again later."
        case .tooManyBufferedBytes:
            "The server holds as many bytes of unfinished requests as it may. Try again later."
        case .tooBusy: "The server has more requests than it can answer in time. Try again later."
        case .answerNotReady:
            "The answer was not ready in time. What the request asked for goes on, and may be done yet. Look, or try again later."
        case .unsupportedVersion: "The request has an HTTP version other than 1.1 and 1.0, the ones supported."
        }
    }

    /// The value for an `Accept-Encoding` header, when the refusal wants one (RFC 9110 section 15.5.16).
    package var acceptEncoding: StaticString? {
        if case .unsupportedContentCoding = self { "gzip" } else { nil }
    }

    /// The value for a `Retry-After` header, when the refusal wants one (RFC 9110 section 10.2.3).
    package var retryAfterSeconds: Int? {
        switch self {
        case .overloaded(let seconds), .tooManyFromClient(let seconds), .tooManyBufferedBytes(let seconds),
            .tooBusy(let seconds), .answerNotReady(let seconds):
            seconds
        default: nil
        }
    }
}

/// Why bytes are not an HTTP/1.1 request: each the 400 of one rule in RFC 9110 or RFC 9112.
package enum Malformation: Sendable, Equatable, CaseIterable {
    case requestLine, target, escape, version, lineEnding, fieldName, fieldValue, foldedField, missingHost,
        repeatedHost, host
    case contentLength, repeatedContentLength, repeatedTransferEncoding, transferEncoding, lengthAndTransferEncoding
    case transferEncodingInHTTP10, chunkSize, chunkExtension, chunkEnd, trailerField, gzip

    package var detail: String {
        switch self {
        case .requestLine: "The request line is not a method, a target and a version with one space between them."
        case .target: "The request target is not a path, an http URL without user information, or * with OPTIONS."
        case .escape: "The path has a % without two hexadecimal digits after it, or %00."
        case .version: "The request line does not end with a version such as HTTP/1.1."
        case .lineEnding: "A line ends without a carriage return and a line feed together."
        case .fieldName: "A header name is empty, or holds a character that is not allowed in names, such as a space."
        case .fieldValue: "A header value holds a control character."
        case .foldedField: "A header line starts with a space or a tab; folded headers are not accepted."
        case .missingHost: "The request has no Host header; HTTP/1.1 wants exactly one."
        case .repeatedHost: "The request has more than one Host header; exactly one is wanted."
        case .host: "The Host header is not a host name with an optional port, or has a tab beside it."
        case .contentLength: "The Content-Length header is not a decimal number, or has a tab beside it."
        case .repeatedContentLength: "The request has more than one Content-Length header; at most one is wanted."
        case .repeatedTransferEncoding: "The request has more than one Transfer-Encoding header; at most one is wanted."
        case .transferEncoding:
            "The Transfer-Encoding header does not end with chunked, named once, or has a tab beside it."
        case .lengthAndTransferEncoding:
            "The request has both Content-Length and Transfer-Encoding; one at most is wanted."
        case .transferEncodingInHTTP10:
            "The request is HTTP/1.0 and has a Transfer-Encoding header, which came with HTTP/1.1."
        case .chunkSize: "A chunk of the body does not start with its size in hexadecimal digits."
        case .chunkExtension: "A chunk extension of the body is too long or holds a control character."
        case .chunkEnd: "A chunk of the body does not end where its size says."
        case .trailerField:
            "A trailer field after the body is not a header line, or is one that frames or routes a message."
        case .gzip: "The request body is not the gzip that its Content-Encoding says, or is cut off."
        }
    }
}
