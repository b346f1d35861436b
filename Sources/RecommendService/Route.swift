import HTTPMessages

/// What is served where. A route's template is its `handler` label: no raw path ever becomes one.
package enum Route: Int, CaseIterable, Sendable {
    case recommend
    case popular
    case modelInfo
    case livez
    case readyz
    case metrics
    /// Every path that is none of the above, and requests that were refused before their path was known.
    case none

    package var template: StaticString {
        switch self {
        case .recommend: "/recommend"
        case .popular: "/popular"
        case .modelInfo: "/model/info"
        case .livez: "/livez"
        case .readyz: "/readyz"
        case .metrics: "/metrics"
        case .none: "none"
        }
    }

    /// Whether the answer comes from the model, so that it says which version.
    var answersFromModel: Bool {
        switch self {
        case .recommend, .popular, .modelInfo: true
        case .livez, .readyz, .metrics, .none: false
        }
    }

    /// The value of `Allow` in a 405.
    var allowedMethods: StaticString { "GET, HEAD" }

    func allows(_ method: HTTPMethod) -> Bool { method == .get || method == .head }

    /// The route of a path as it came, before any decoding: our paths need none, and `%2E%2E` can reach nothing.
    init(path: Span<UInt8>) {
        self = Route.allCases.first { $0 != .none && equal(path, $0.template) } ?? .none
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
