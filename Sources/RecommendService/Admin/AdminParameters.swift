import FoundationEssentials
import HTTPMessages

/// What the query of an operator's request may say: rare, so strings and dates may cost what they cost.
struct AdminParameters: ~Copyable {
    struct Names: OptionSet {
        let rawValue: Int
        static let none: Names = []
        static let model = Names(rawValue: 1)
        static let hotelID = Names(rawValue: 2)
        static let until = Names(rawValue: 4)
        static let place: Names = [.model, .hotelID]
        static let all: Names = [.model, .hotelID, .until]

        /// The names in words.
        var list: String {
            [(Names.hotelID, "hotel_id"), (.until, "until"), (.model, "model")].filter { contains($0.0) }.map(\.1)
                .joined(separator: ", ")
        }
    }

    /// Those that a request may give, in its query.
    static func names(of route: Route, _ method: HTTPMethod) -> Names {
        switch route {
        case .adminItem: method == .put ? .all : .place
        case .adminItems: .model
        default: .none
        }
    }

    /// How far ahead an item may be taken from sale; longer is without an end.
    static let daysMax = 366.0

    private(set) var hotelID: String?
    private(set) var until: Date?
    private var chosen: ModelPlan?
    private var given: Names = .none
    private var name = ByteBuffer(capacity: 64)
    private var value = ByteBuffer(capacity: 256)

    init() {}

    /// The model that is named, or else the first.
    var model: ModelPlan {
        guard let chosen else { preconditionFailure("BUG: asked before the query was read") }
        return chosen
    }

    /// - Parameter known: the names that may be there, each at most once.
    mutating func read(_ query: Span<UInt8>, known: Names, _ plan: ServingPlan) throws(Problem) {
        try forEachQueryItem(in: query) { (nameRange, valueRange) throws(Problem) in
            try decodeText(query.extracting(nameRange), plusIsSpace: true, into: &name, or: .undecodableQuery)
            let parameter: Names =
                name.withBytes {
                    equal($0, "hotel_id") ? .hotelID : equal($0, "until") ? .until : equal($0, "model") ? .model : .none
                }
            guard !parameter.isEmpty, known.contains(parameter) else {
                throw .unknownParameter(.query, known: known.list)
            }
            if given.contains(parameter) { throw .repeatedParameter(parameter.list) }
            given.insert(parameter)
            // The plus of a time zone is a plus.
            try decodeText(
                query.extracting(valueRange ?? 0..<0), plusIsSpace: parameter != .until, into: &value,
                or: .undecodableQuery)
            try take(parameter, plan)
        }
        if chosen == nil { chosen = plan.standard }
    }

    private mutating func take(_ parameter: Names, _ plan: ServingPlan) throws(Problem) {
        if parameter == .model {
            let found = value.withBytes { plan.model(named: $0) }
            guard let found else { throw .unknownModel(known: plan.models.map(\.name)) }
            chosen = found
            return
        }
        let text = value.withBytes { Self.text($0) }
        if parameter == .hotelID {
            try value.withBytes { id throws(Problem) in try RecommendParameters.checkLength(of: id, "hotel_id") }
            hotelID = text
        } else {
            until = try Self.end(text, value.withBytes { harmless($0, withColons: true) })
        }
    }

    /// - Precondition: valid UTF-8, as everything that was decoded.
    static func text(_ bytes: Span<UInt8>) -> String {
        guard let text = try? UTF8Span(validating: bytes) else { preconditionFailure("BUG: decoded text that is none") }
        return String(copying: text)
    }

    private static func end(_ text: String, _ shown: String) throws(Problem) -> Date {
        let now = Date()
        guard let date = RFC3339Time(text)?.date else {
            throw .badParameter(
                "until", got: shown, wanted: "a time that there is (RFC 3339), such as 2026-11-22T22:00:00Z")
        }
        guard date > now, date <= now.addingTimeInterval(daysMax * 86_400) else {
            throw .badParameter(
                "until", got: shown,
                wanted: "a time between now, \(now.formatted(.iso8601)), and \(Int(daysMax)) days from now")
        }
        return date
    }
}
