/// The method of a request (RFC 9110 section 9): what the client wants done.
///
/// Methods are case-sensitive. A token that is none of these becomes ``other``, so that a metric label stays bounded
/// whatever clients send; the application answers it with 405 or 501 as it likes.
package enum HTTPMethod: UInt8, Sendable, CaseIterable {
    case get, head, post, put, delete, options, patch, trace, connect, other

    /// The upper-case token, `OTHER` for an unknown one.
    package var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other: "OTHER"
        }
    }

    init(_ token: Span<UInt8>) {
        self =
            switch token.count {
            case 3 where token.equals("GET"): .get
            case 3 where token.equals("PUT"): .put
            case 4 where token.equals("HEAD"): .head
            case 4 where token.equals("POST"): .post
            case 5 where token.equals("PATCH"): .patch
            case 5 where token.equals("TRACE"): .trace
            case 6 where token.equals("DELETE"): .delete
            case 7 where token.equals("OPTIONS"): .options
            case 7 where token.equals("CONNECT"): .connect
            default: .other
            }
    }
}
