import HTTPMessages

/// A client's fault, or a state in which no answer can be given. This file is the one place that knows status codes.
///
/// Written as `application/problem+json` (RFC 9457).
package enum Problem: Error, Equatable, Sendable {
    case unknownPath
    case methodNotAllowed
    case missingParameter(String)
    /// The name is not repeated to the client: it may hold anything.
    case unknownParameter(known: String)
    case repeatedParameter(String)
    case badParameter(String, got: String, wanted: String)
    case undecodableQuery
    case unknownUser
    case notReady(String)
    /// The server's own refusal, before a handler saw the request.
    case refused(status: Int, detail: String)

    package var status: Int {
        switch self {
        case .unknownPath, .unknownUser: 404
        case .methodNotAllowed: 405
        case .missingParameter, .unknownParameter, .repeatedParameter, .badParameter, .undecodableQuery: 400
        case .notReady: 503
        case .refused(let status, _): status
        }
    }

    /// What a program can match on; stable.
    var type: String {
        let name =
            switch self {
            case .unknownPath: "unknown-path"
            case .methodNotAllowed: "method-not-allowed"
            case .missingParameter: "missing-parameter"
            case .unknownParameter: "unknown-parameter"
            case .repeatedParameter: "repeated-parameter"
            case .badParameter: "bad-parameter"
            case .undecodableQuery: "undecodable-query"
            case .unknownUser: "unknown-user"
            case .notReady: "not-ready"
            case .refused: "refused-request"
            }
        return "urn:nextloop:problem:" + name
    }

    var title: String {
        switch self {
        case .unknownPath: "Unknown path"
        case .methodNotAllowed: "Method not allowed"
        case .missingParameter: "Missing parameter"
        case .unknownParameter: "Unknown parameter"
        case .repeatedParameter: "Repeated parameter"
        case .badParameter: "Bad parameter"
        case .undecodableQuery: "Undecodable query"
        case .unknownUser: "Unknown user"
        case .notReady: "Not ready"
        case .refused: "Request refused"
        }
    }

    /// What was got and what was wanted.
    var detail: String {
        switch self {
        case .unknownPath:
            let known = Route.allCases.filter { $0 != .none }.map { "\($0.template)" }.joined(separator: ", ")
            return "Nothing is served at this path. Known paths: \(known)."
        case .methodNotAllowed: return "This path answers GET and HEAD."
        case .missingParameter(let name): return "The parameter \(name) is required."
        case .unknownParameter(let known):
            return "The query has a parameter that this path does not know. Known parameters: \(known)."
        case .repeatedParameter(let name):
            return "The parameter \(name) was given more than once; it may be given once."
        case .badParameter(let name, let got, let wanted):
            return "The parameter \(name) was \(got); wanted \(wanted)."
        case .undecodableQuery:
            return "The query is not percent-encoded UTF-8: every % needs two hexadecimal digits, and %00 is refused."
        case .unknownUser: return "The model holds no user with this user_id, and strict=true asks for no fallback."
        case .notReady(let reason): return reason
        case .refused(_, let detail): return detail
        }
    }

    /// Writes the body.
    func write(into body: inout ByteBuffer, requestID: [UInt8]) {
        body.append("{\"type\":" as StaticString)
        body.appendJSONString(type)
        body.append(",\"title\":" as StaticString)
        body.appendJSONString(title)
        body.append(",\"status\":" as StaticString)
        body.appendDecimal(status)
        body.append(",\"detail\":" as StaticString)
        body.appendJSONString(detail)
        body.append(",\"request_id\":" as StaticString)
        body.appendJSONString(requestID.span)
        body.append("}\n" as StaticString)
    }
}

/// A client's value in words that are safe to send back: at most 32 plain characters, or only its length.
func harmless(_ value: Span<UInt8>) -> String {
    if value.isEmpty { return "empty" }
    var text = ""
    for index in value.indices {
        switch value[index] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"):
            text.unicodeScalars.append(Unicode.Scalar(value[index]))
        default: return "a value of \(value.count) bytes"
        }
    }
    return value.count <= 32 ? "'\(text)'" : "a value of \(value.count) bytes"
}
