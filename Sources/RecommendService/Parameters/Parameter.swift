import FactorModel

/// Everything a request can say, in a query or as a member of a JSON body: one table, from which readers, messages and the
/// OpenAPI document are made.
enum Parameter: UInt8, CaseIterable, Sendable {
    case userID
    case k
    case offset
    case hotelID
    case departmentID
    case minPrice
    case maxPrice
    case allow
    case deny
    case excludeSeen
    case strict
    case explain
    case basket
    case itemIDs
    case model
    case version
    case force

    /// What a value looks like. One past a bound is a 400.
    enum Kind: Equatable {
        /// 1 to 256 bytes of UTF-8.
        case id
        /// `standard` when it is not given; nil for no bound at all.
        case wholeNumber(ClosedRange<Int>, standard: Int?)
        /// Off when it is not given.
        case flag
        /// Ids; in a query repeated, and when `splitsAtCommas` also joined by commas.
        case ids(splitsAtCommas: Bool)
        /// Objects of an item id and a count; in bodies only.
        case basket
        /// As `modelName` below.
        case modelName
    }

    static let idBytes = 1...ModelLimits.idBytesMax
    /// Ids in one list, and entries of a basket.
    static let listCountMax = 1000
    /// Fifteen digits are exact in JSON's floating point.
    static let priceRange = 0...999_999_999_999_999
    static let basketCountRange = 1...10_000
    /// As a registry names models.
    static let modelNamePattern = "^[a-z0-9][a-z0-9._-]{0,63}$"

    var kind: Kind {
        switch self {
        case .userID: .id
        case .k: .wholeNumber(1...1000, standard: 10)
        case .offset: .wholeNumber(0...10_000, standard: 0)
        case .minPrice, .maxPrice: .wholeNumber(Self.priceRange, standard: nil)
        case .hotelID, .departmentID, .itemIDs: .ids(splitsAtCommas: false)
        case .allow, .deny: .ids(splitsAtCommas: true)
        case .excludeSeen, .strict, .explain, .force: .flag
        case .version: .wholeNumber(1...999_999_999, standard: nil)
        case .basket: .basket
        case .model: .modelName
        }
    }

    var name: StaticString {
        switch self {
        case .userID: "user_id"
        case .k: "k"
        case .offset: "offset"
        case .hotelID: "hotel_id"
        case .departmentID: "department_id"
        case .minPrice: "min_price"
        case .maxPrice: "max_price"
        case .allow: "allow"
        case .deny: "deny"
        case .excludeSeen: "exclude_seen"
        case .strict: "strict"
        case .explain: "explain"
        case .basket: "basket"
        case .itemIDs: "item_ids"
        case .model: "model"
        case .version: "version"
        case .force: "force"
        }
    }

    /// For people who read the OpenAPI document.
    var meaning: StaticString {
        switch self {
        case .userID: "The guest, as the orders name them. One that the model does not know gets a fallback."
        case .k: "Items wanted. Fewer come back only when fewer pass the filters."
        case .offset: "Ranks to skip."
        case .hotelID: "Only items that one of these hotels sells. One that the model does not know sells nothing."
        case .departmentID: "Only items that one of these departments serves."
        case .minPrice: "Only items that cost at least this; an item of unknown price does not pass."
        case .maxPrice: "Only items that cost at most this; an item of unknown price does not pass."
        case .allow: "Only these items; an empty list allows none."
        case .deny: "Never these items."
        case .excludeSeen: "Leave out what the user already ordered."
        case .strict: "Answer 404 for a user that the model does not know, instead of a fallback."
        case .explain: "Say for each item which items of the history or basket carried its score."
        case .basket: "What the guest is about to order, folded in. Items that the model does not know are left out."
        case .itemIDs: "The items to score, in the order of the answer."
        case .model:
            "Which of the served models answers, as GET /models names them. The first of them when it is not given."
        case .version: "The version that is to answer, whatever the policy wants."
        case .force: "Let the version through the gates; it is verified all the same."
        }
    }

    /// The parameter of a name; nil when there is none.
    init?(named name: Span<UInt8>) {
        for parameter in Parameter.allCases where equal(name, parameter.name) {
            self = parameter
            return
        }
        return nil
    }
}

/// Some of the parameters, as bits.
struct ParameterSet: OptionSet {
    let rawValue: UInt32

    init(rawValue: UInt32) { self.rawValue = rawValue }
    init(_ parameter: Parameter) { rawValue = 1 << UInt32(parameter.rawValue) }

    static let none: ParameterSet = []
    static let userID = ParameterSet(.userID)
    static let itemIDs = ParameterSet(.itemIDs)
    static let model = ParameterSet(.model)
    /// Which ranks of which items: what every ranking takes.
    static let ranking: ParameterSet = [
        ParameterSet(.k), ParameterSet(.offset), ParameterSet(.hotelID), ParameterSet(.departmentID),
        ParameterSet(.minPrice), ParameterSet(.maxPrice), ParameterSet(.allow), ParameterSet(.deny), .model,
    ]
    static let recommend: ParameterSet = ranking.union([
        .userID, ParameterSet(.excludeSeen), ParameterSet(.strict), ParameterSet(.explain),
    ])
    static let recommendBody = recommend.union(ParameterSet(.basket))
    static let reload: ParameterSet = [.model, ParameterSet(.version), ParameterSet(.force)]
    static let score: ParameterSet = [.userID, .itemIDs, ParameterSet(.strict), .model]

    func contains(_ parameter: Parameter) -> Bool { contains(ParameterSet(parameter)) }

    /// The parameters in the order of the table.
    var parameters: [Parameter] { Parameter.allCases.filter { contains($0) } }

    /// The names in words, for messages.
    var list: String { parameters.map { "\($0.name)" }.joined(separator: ", ") }
}

/// What a request must say and what it may say.
struct ParameterRules {
    var known: ParameterSet
    var required: ParameterSet = .none
}
