import HTTPMessages
package import ModelRegistry

/// A client's fault, or a state in which no answer can be given. This file is the one place that knows status codes.
///
/// Written as `application/problem+json` (RFC 9457).
package enum Problem: Error, Equatable, Sendable {
    /// Where a parameter was found that is not known there.
    package enum Place: Sendable {
        case query, queryOfPost, body, basketEntry
    }

    /// Why an answer cannot be explained: the model does not say what it was trained with, or the user's equations have no single solution.
    package enum ExplanationGap: Sendable {
        case untrained, unsolvable
    }

    case unknownPath
    case methodNotAllowed(Route)
    case undecodablePath
    case missingParameter(String)
    /// The name is not repeated to the client: it may hold anything.
    case unknownParameter(Place, known: String)
    case repeatedParameter(String)
    case badParameter(String, got: String, wanted: String)
    case undecodableQuery
    /// The body as a whole; the text says what was got and what was wanted.
    case badBody(String)
    /// A POST that says nothing of a body.
    case lengthRequired
    case unsupportedMediaType(wanted: String)
    case tooManyLines(max: Int)
    case unknownUser
    case unknownItem
    case unknownHotel
    /// The item is on sale there.
    case notMarked
    /// A change that could not be made durable: not made, or perhaps lost with the power.
    case notStored(RegistryError)
    /// No token, or a wrong one.
    case unauthorized(isWrong: Bool)
    /// The names are no secret: `GET /models` lists them.
    case unknownModel(known: [String])
    /// The model lacks what an explanation is made from.
    case cannotExplain(ExplanationGap)
    case notReady(String)
    /// As many streamed answers under way as a loop keeps, or changes that wait for the disk as a process does.
    case busy(retryAfterSeconds: Int)
    /// The server's own refusal, before a handler saw the request.
    case refused(status: Int, detail: String)

    package var status: Int {
        switch self {
        case .unknownPath, .unknownUser, .unknownItem, .unknownModel, .unknownHotel, .notMarked: 404
        case .methodNotAllowed: 405
        case .unauthorized: 401
        case .undecodablePath, .missingParameter, .unknownParameter, .repeatedParameter, .badParameter,
            .undecodableQuery, .badBody:
            400
        case .cannotExplain: 409
        case .lengthRequired: 411
        case .unsupportedMediaType: 415
        case .tooManyLines: 413
        case .notStored(.tooManyUnavailable): 409
        case .notReady, .busy, .notStored: 503
        case .refused(let status, _): status
        }
    }

    /// What a program can match on, stable, and the same in words.
    private var names: (type: String, title: String) {
        switch self {
        case .unknownPath: ("unknown-path", "Unknown path")
        case .methodNotAllowed: ("method-not-allowed", "Method not allowed")
        case .undecodablePath: ("undecodable-path", "Undecodable path")
        case .missingParameter: ("missing-parameter", "Missing parameter")
        case .unknownParameter: ("unknown-parameter", "Unknown parameter")
        case .repeatedParameter: ("repeated-parameter", "Repeated parameter")
        case .badParameter: ("bad-parameter", "Bad parameter")
        case .undecodableQuery: ("undecodable-query", "Undecodable query")
        case .badBody: ("bad-body", "Bad body")
        case .lengthRequired: ("length-required", "Length required")
        case .unsupportedMediaType: ("unsupported-media-type", "Unsupported media type")
        case .tooManyLines: ("too-many-lines", "Too many lines")
        case .unknownUser: ("unknown-user", "Unknown user")
        case .unknownItem: ("unknown-item", "Unknown item")
        case .unknownHotel: ("unknown-hotel", "Unknown hotel")
        case .notMarked: ("not-marked", "Not marked")
        case .notStored: ("not-stored", "Not stored")
        case .unknownModel: ("unknown-model", "Unknown model")
        case .cannotExplain: ("cannot-explain", "Cannot explain")
        case .notReady: ("not-ready", "Not ready")
        case .unauthorized: ("unauthorized", "Unauthorized")
        case .busy: ("busy", "Busy")
        case .refused: ("refused-request", "Request refused")
        }
    }

    var type: String { "urn:nextloop:problem:" + names.type }
    var title: String { names.title }

    /// What was got and what was wanted.
    var detail: String {
        switch self {
        case .unknownPath:
            let known = Route.allCases.filter { $0 != .none && !$0.isAdmin }.map { "\($0.template)" }.joined(
                separator: ", ")
            return "Nothing is served at this path. Known paths: \(known)."
        case .methodNotAllowed(let route): return "This path answers \(route.allowedMethods) only."
        case .undecodablePath:
            return "The path is not percent-encoded UTF-8: every % needs two hexadecimal digits, and %00 is refused."
        case .missingParameter(let name): return "The parameter \(name) is required."
        case .unknownParameter(let place, let known): return Self.unknownParameter(place, known)
        case .repeatedParameter(let name):
            return "The parameter \(name) was given more than once; it may be given once."
        case .badParameter(let name, let got, let wanted):
            return "The parameter \(name) was \(got); wanted \(wanted)."
        case .undecodableQuery:
            return "The query is not percent-encoded UTF-8: every % needs two hexadecimal digits, and %00 is refused."
        case .badBody(let detail): return detail
        case .lengthRequired:
            return "The request has neither Content-Length nor Transfer-Encoding, and this path wants a body."
        case .unsupportedMediaType(let wanted): return "The Content-Type of the body must be \(wanted)."
        case .tooManyLines(let max):
            return "The body has more than \(max) lines. Send the rest in another request."
        case .unknownUser: return "The model holds no user with this user_id, and strict=true asks for no fallback."
        case .unknownItem: return "The model holds no item with this item_id."
        case .unknownHotel: return "The model holds no hotel with this hotel_id."
        case .notMarked: return "The item is not marked as unavailable there."
        case .notStored(let error): return "The change was not made durable: \(error)."
        case .unauthorized(let isWrong):
            return isWrong
                ? "The bearer token is none of those of this service."
                : "This path wants the header Authorization: Bearer and the admin token."
        case .unknownModel(let known):
            return "No model of this name is served here. Served models: \(known.joined(separator: ", "))."
        case .cannotExplain(.untrained):
            return """
                explain was true, and the served model does not say the alpha and regularization it was trained with. Ask \
                without it, or import the factors again with both.
                """
        case .cannotExplain(.unsolvable):
            return """
                explain was true, and the vector that ranks for this user cannot be derived: the model holds no history of \
                the user, or its equations have no single solution. Ask without it, or import the factors again with the \
                interactions.
                """
        case .notReady(let reason): return reason
        case .busy: return "As many of these requests are under way as are kept at a time. Try again later."
        case .refused(_, let detail): return detail
        }
    }

    private static func unknownParameter(_ place: Place, _ known: String) -> String {
        switch place {
        case .query where known.isEmpty: "The query has a parameter, and this path takes none."
        case .query:
            "The query has a parameter that this path does not know. Known parameters: \(known)."
        case .queryOfPost: "The query has a parameter; a POST takes its parameters in the body: \(known)."
        case .body: "The object has a member that this path does not know. Known members: \(known)."
        case .basketEntry: "An entry of the basket has a member that is not known. Known members: \(known)."
        }
    }

    /// Whether it was the model that was asked and has no more to say.
    var isAnswerOfModel: Bool {
        switch self {
        case .unknownUser, .unknownItem, .cannotExplain: true
        default: false
        }
    }

    /// The value for a `Retry-After` header, when there is to be one.
    var retryAfterSeconds: Int? {
        switch self {
        case .busy(let seconds): seconds
        case .notStored(.locked): 1
        default: nil
        }
    }

    /// Writes the body.
    ///
    /// - Parameter line: of a bulk request, from 1: what stands in place of the line's answer.
    func write(into body: inout ByteBuffer, requestID: [UInt8], line: Int? = nil) {
        body.append("{\"type\":" as StaticString)
        body.appendJSONString(type)
        body.append(",\"title\":" as StaticString)
        body.appendJSONString(title)
        body.append(",\"status\":" as StaticString)
        body.appendDecimal(status)
        body.append(",\"detail\":" as StaticString)
        body.appendJSONString(detail)
        if let line {
            body.append(",\"line\":" as StaticString)
            body.appendDecimal(line)
        }
        body.append(",\"request_id\":" as StaticString)
        body.appendJSONString(requestID.span)
        body.append("}\n" as StaticString)
    }
}

/// A client's value in words that are safe to send back: at most 32 plain characters, or only its length.
func harmless(_ value: Span<UInt8>, withColons: Bool = false) -> String {
    if value.isEmpty { return "empty" }
    var text = ""
    for index in value.indices {
        switch value[index] {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"):
            text.unicodeScalars.append(Unicode.Scalar(value[index]))
        case UInt8(ascii: ":") where withColons: text.append(":")
        default: return "a value of \(value.count) bytes"
        }
    }
    return value.count <= 32 ? "'\(text)'" : "a value of \(value.count) bytes"
}
