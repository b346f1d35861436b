import HTTPMessages
import HTTPServer

/// What is served where: one table, from which matching, 404, 405, metrics and the OpenAPI document are made.
///
/// A route's template is its `handler` label: no raw path ever becomes one.
package enum Route: Int, CaseIterable, Sendable {
    case recommend
    case recommendBulk
    case similar
    case score
    case popular
    case user
    case modelInfo
    case livez
    case readyz
    case metrics
    case openAPI
    case docs
    /// Every path that is none of the above, and requests that were refused before their path was known.
    case none

    package var template: StaticString {
        switch self {
        case .recommend: "/recommend"
        case .recommendBulk: "/recommend/bulk"
        case .similar: "/items/{item_id}/similar"
        case .score: "/score"
        case .popular: "/popular"
        case .user: "/users/{user_id}"
        case .modelInfo: "/model/info"
        case .livez: "/livez"
        case .readyz: "/readyz"
        case .metrics: "/metrics"
        case .openAPI: "/openapi.json"
        case .docs: "/docs"
        case .none: "none"
        }
    }

    /// Whether the answer comes from the model, so that it says which version.
    var answersFromModel: Bool {
        switch self {
        case .recommend, .recommendBulk, .similar, .score, .popular, .user, .modelInfo: true
        case .livez, .readyz, .metrics, .openAPI, .docs, .none: false
        }
    }

    // MARK: Listeners

    /// Operators' routes: `/admin/*`. With an admin listener they are there only.
    var isAdmin: Bool { Self.starts(template, with: "/admin/") }

    /// What monitoring and operators ask, besides `/admin/*`: served by an admin listener as well.
    private var isForOperators: Bool {
        switch self {
        case .livez, .readyz, .metrics: true
        default: isAdmin || Self.starts(template, with: "/models")
        }
    }

    private static func starts(_ text: StaticString, with prefix: StaticString) -> Bool {
        if text.utf8CodeUnitCount < prefix.utf8CodeUnitCount { return false }
        for index in 0..<prefix.utf8CodeUnitCount {
            // SAFETY: neither text is shorter than the prefix.
            if unsafe text.utf8Start[index] != prefix.utf8Start[index] { return false }
        }
        return true
    }

    /// Whether a request that came through such a listener may have this route.
    func isServed(to role: ListenerRole, hasAdminListener: Bool) -> Bool {
        switch role {
        case .admin: isForOperators
        case .service: !(hasAdminListener && isAdmin)
        }
    }

    /// Answered however busy the server is: who looks after it has to see it.
    var isEssential: Bool {
        switch self {
        case .livez, .readyz, .metrics: true
        default: isAdmin
        }
    }

    // MARK: Methods

    private var answersGet: Bool { self != .recommendBulk && self != .score && self != .none }
    private var answersPost: Bool { self == .recommend || self == .recommendBulk || self == .score }

    /// The value of `Allow` in a 405.
    var allowedMethods: StaticString {
        switch (answersGet, answersPost) {
        case (true, true): "GET, HEAD, POST"
        case (true, false): "GET, HEAD"
        case (false, _): "POST"
        }
    }

    func allows(_ method: HTTPMethod) -> Bool {
        switch method {
        case .get, .head: answersGet
        case .post: answersPost
        default: false
        }
    }

    // MARK: Parameters

    /// What the query of a GET may say; nil when it is not looked at. Probes and scrapers add what they like.
    var queryRules: ParameterRules? {
        switch self {
        case .recommend: ParameterRules(known: .recommend, required: .userID)
        case .similar, .popular: ParameterRules(known: .ranking)
        case .user: ParameterRules(known: .none)
        case .recommendBulk, .score, .modelInfo, .livez, .readyz, .metrics, .openAPI, .docs, .none: nil
        }
    }

    /// What the body of a POST, or one line of it, may say.
    var bodyRules: ParameterRules? {
        switch self {
        case .recommend, .recommendBulk: ParameterRules(known: .recommendBody, required: .userID)
        case .score: ParameterRules(known: .score, required: [.userID, .itemIDs])
        default: nil
        }
    }

    /// What the body of a POST is.
    var bodyType: MediaType { self == .recommendBulk ? .ndjson : .json }

    // MARK: Matching

    /// The route of a path as it came, before any decoding, and where its variable segment lies, empty without one.
    ///
    /// Fixed parts are compared as they are: `%2E%2E` can reach nothing. A variable segment is never empty.
    static func match(_ path: Span<UInt8>) -> (Route, segment: Range<Int>) {
        for route in Route.allCases where route != .none {
            if let segment = route.segment(in: path) { return (route, segment) }
        }
        return (.none, 0..<0)
    }

    /// Where the variable segment lies in a path of this route; empty when the template has none, nil for another path.
    private func segment(in path: Span<UInt8>) -> Range<Int>? {
        switch self {
        case .similar: Self.segment(in: path, after: "/items/", before: "/similar")
        case .user: Self.segment(in: path, after: "/users/", before: "")
        default: equal(path, template) ? 0..<0 : nil
        }
    }

    private static func segment(
        in path: Span<UInt8>, after prefix: StaticString, before suffix: StaticString
    ) -> Range<Int>? {
        let start = prefix.utf8CodeUnitCount
        let end = path.count - suffix.utf8CodeUnitCount
        guard start < end, equal(path.extracting(0..<start), prefix),
            suffix.utf8CodeUnitCount == 0 || equal(path.extracting(end..<path.count), suffix)
        else { return nil }
        for index in start..<end where path[index] == UInt8(ascii: "/") { return nil }
        return start..<end
    }
}

/// Whether `bytes` are exactly the characters of `text`.
func equal(_ bytes: Span<UInt8>, _ text: StaticString) -> Bool {
    guard bytes.count == text.utf8CodeUnitCount else { return false }
    for index in bytes.indices {
        // SAFETY: both have the same count.
        if unsafe bytes[index] != text.utf8Start[index] { return false }
    }
    return true
}
