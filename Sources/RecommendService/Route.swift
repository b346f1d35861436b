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
    case models
    case model
    case adminReload
    case livez
    case readyz
    case metrics
    case openAPI
    case docs
    case adminItem
    case adminItems
    case adminDrain
    case adminUndrain
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
        case .models: "/models"
        case .model: "/models/{name}"
        case .adminReload: "/admin/reload"
        case .livez: "/livez"
        case .readyz: "/readyz"
        case .metrics: "/metrics"
        case .openAPI: "/openapi.json"
        case .docs: "/docs"
        case .adminItem: "/admin/items/{item_id}/unavailable"
        case .adminItems: "/admin/items/unavailable"
        case .adminDrain: "/admin/drain"
        case .adminUndrain: "/admin/undrain"
        case .none: "none"
        }
    }

    /// Whether the answer comes from the model, so that it says which version.
    var answersFromModel: Bool {
        switch self {
        case .recommend, .recommendBulk, .similar, .score, .popular, .user, .modelInfo: true
        case .models, .model, .livez, .readyz, .metrics, .openAPI, .docs, .adminReload, .adminItem, .adminItems,
            .adminDrain, .adminUndrain, .none:
            false
        }
    }

    /// Whether it changes or tells what only operators may: served to those who are admitted, and not there when nobody is. With an admin
    /// listener it is there only.
    package var isAdmin: Bool {
        switch self {
        case .adminReload, .adminItem, .adminItems, .adminDrain, .adminUndrain: true
        default: false
        }
    }

    // MARK: Listeners

    /// What monitoring and operators ask, besides `/admin/*`: served by an admin listener as well.
    private var isForOperators: Bool {
        switch self {
        case .livez, .readyz, .metrics, .models, .model: true
        default: isAdmin
        }
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

    /// What a path answers; every GET also as a HEAD.
    private enum Methods {
        case get, post, getAndPost, putAndDelete, none
    }

    private var methods: Methods {
        switch self {
        case .recommend: .getAndPost
        case .recommendBulk, .score, .adminReload, .adminDrain, .adminUndrain: .post
        case .adminItem: .putAndDelete
        case .none: .none
        default: .get
        }
    }

    /// The value of `Allow` in a 405.
    var allowedMethods: StaticString {
        switch methods {
        case .getAndPost: "GET, HEAD, POST"
        case .get: "GET, HEAD"
        case .putAndDelete: "PUT, DELETE"
        case .post, .none: "POST"
        }
    }

    func allows(_ method: HTTPMethod) -> Bool {
        switch method {
        case .get, .head: methods == .get || methods == .getAndPost
        case .post: methods == .post || methods == .getAndPost
        case .put, .delete: methods == .putAndDelete
        default: false
        }
    }

    // MARK: Parameters

    /// What the query of a GET may say; nil when it is not looked at. Probes and scrapers add what they like.
    var queryRules: ParameterRules? {
        switch self {
        case .recommend: ParameterRules(known: .recommend, required: .userID)
        case .similar, .popular: ParameterRules(known: .ranking)
        case .user, .modelInfo: ParameterRules(known: .model)
        case .models, .model: ParameterRules(known: .none)
        case .recommendBulk, .score, .livez, .readyz, .metrics, .openAPI, .docs, .none: nil
        case .adminReload, .adminItem, .adminItems, .adminDrain, .adminUndrain: nil
        }
    }

    /// What the body of a POST, or one line of it, may say.
    var bodyRules: ParameterRules? {
        switch self {
        case .recommend, .recommendBulk: ParameterRules(known: .recommendBody, required: .userID)
        case .score: ParameterRules(known: .score, required: [.userID, .itemIDs])
        case .adminReload: ParameterRules(known: .reload)
        default: nil
        }
    }

    /// Whether a POST without a body is one.
    var bodyMayBeMissing: Bool { self == .adminReload }

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
        case .model: Self.segment(in: path, after: "/models/", before: "")
        case .adminItem: Self.segment(in: path, after: "/admin/items/", before: "/unavailable")
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
