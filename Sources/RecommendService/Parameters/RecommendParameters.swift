import FactorModel
import HTTPMessages
import ModelRegistry

/// What one request asks for, read strictly: an unknown or repeated parameter is an error, because a misspelt filter must
/// not pass silently.
///
/// Read from a query (`RecommendParameters+Query.swift`) or a JSON body (`RecommendParameters+JSON.swift`), with ids looked
/// up in the snapshot that will answer. Kept by its loop and reused, so that reading a request allocates nothing once the
/// lists have grown.
struct RecommendParameters: ~Copyable {
    private(set) var query = RecommendationQuery(user: nil, k: 10, filter: ItemFilter())
    private(set) var strict = false
    private(set) var explain = false
    /// The items of `item_ids` in their order; nil for one that the model does not hold.
    private(set) var scoredItems: [ItemIndex?] = []

    /// The parameters seen so far.
    var given = ParameterSet.none
    /// Ids given of each list, known to the model or not.
    private var idCounts = InlineArray<32, Int>(repeating: 0)
    private var hotels: [HotelIndex] = []
    private var departments: [DepartmentIndex] = []
    private var allowed: [ItemIndex] = []
    private var denied: [ItemIndex] = []
    private var leftOut: [ItemIndex] = []
    private var basket: [BasketItem] = []
    private var userID = ByteBuffer(capacity: 256)

    /// Lends the decoded `user_id`.
    func withUserID<R>(_ body: (Span<UInt8>) -> R) -> R { userID.withBytes(body) }

    // MARK: One request

    /// Forgets the request before.
    mutating func begin() {
        query.user = nil
        query.k = 10
        query.offset = 0
        query.excludeSeen = false
        // The query's lists go first: what nothing else holds is emptied in place and keeps its memory.
        query.filter.reset()
        if !query.basket.isEmpty { query.basket = [] }
        if !hotels.isEmpty { hotels.removeAll(keepingCapacity: true) }
        if !departments.isEmpty { departments.removeAll(keepingCapacity: true) }
        if !allowed.isEmpty { allowed.removeAll(keepingCapacity: true) }
        if !denied.isEmpty { denied.removeAll(keepingCapacity: true) }
        if !basket.isEmpty { basket.removeAll(keepingCapacity: true) }
        if !scoredItems.isEmpty { scoredItems.removeAll(keepingCapacity: true) }
        idCounts = InlineArray(repeating: 0)
        strict = false
        explain = false
        given = .none
        userID.removeAll()
    }

    /// Checks what concerns several parameters, and completes the query.
    mutating func end(_ rules: ParameterRules) throws(Problem) {
        let missing = rules.required.subtracting(given)
        if !missing.isEmpty {
            for parameter in missing.parameters { throw .missingParameter("\(parameter.name)") }
        }
        if let low = query.filter.minPrice, let high = query.filter.maxPrice, low > high {
            throw .badParameter(
                "\(Parameter.minPrice.name)", got: "\(low)", wanted: "at most max_price, which is \(high)")
        }
        // A list that was given is a filter even when the model knows none of its ids: then nothing passes.
        if given.contains(.hotelID) { query.filter.hotels = hotels }
        if given.contains(.departmentID) { query.filter.departments = departments }
        if given.contains(.allow) { query.filter.allow = allowed }
        if !denied.isEmpty { query.filter.deny = denied }
        if !basket.isEmpty { query.basket = basket }
    }

    /// Leaves out what is not to be had, beside what the request itself denies.
    mutating func deny(_ unavailable: UnavailableRows, _ snapshot: ModelSnapshot) {
        query.filter.unavailable = []
        guard let hotels = query.filter.hotels, unavailable.areLocal else {
            // Shared, not copied.
            query.filter.unavailable = unavailable.everywhere
            return
        }
        leftOut.removeAll(keepingCapacity: true)
        unavailable.forEachItem(within: hotels, snapshot) { leftOut.append($0) }
        query.filter.unavailable = leftOut
    }

    // MARK: One value

    mutating func set(_ parameter: Parameter, _ number: Int) {
        switch parameter {
        case .k: query.k = number
        case .offset: query.offset = number
        case .minPrice: query.filter.minPrice = Int64(number)
        case .maxPrice: query.filter.maxPrice = Int64(number)
        default: preconditionFailure("BUG: \(parameter) is no number")
        }
    }

    mutating func set(_ parameter: Parameter, _ flag: Bool) {
        switch parameter {
        case .excludeSeen: query.excludeSeen = flag
        case .strict: strict = flag
        case .explain: explain = flag
        default: preconditionFailure("BUG: \(parameter) is no flag")
        }
    }

    mutating func setUserID(_ id: Span<UInt8>, _ snapshot: ModelSnapshot) throws(Problem) {
        try Self.checkLength(of: id, "\(Parameter.userID.name)")
        userID.append(id)
        query.user = snapshot.user(id: id)
        if let user = query.user { snapshot.expect(user) }
    }

    /// Adds an id to a list. Of those that the model does not know only the number counts.
    mutating func add(_ id: Span<UInt8>, to parameter: Parameter, _ snapshot: ModelSnapshot) throws(Problem) {
        try Self.checkLength(of: id, "\(parameter.name)")
        let place = Int(parameter.rawValue)
        idCounts[place] += 1
        try Self.checkCount(idCounts[place], parameter)
        switch parameter {
        case .hotelID: if let hotel = snapshot.hotel(id: id) { hotels.append(hotel) }
        case .departmentID: if let department = snapshot.department(id: id) { departments.append(department) }
        case .allow: if let item = snapshot.item(id: id) { allowed.append(item) }
        case .deny: if let item = snapshot.item(id: id) { denied.append(item) }
        case .itemIDs: scoredItems.append(snapshot.item(id: id))
        default: preconditionFailure("BUG: \(parameter) is no list of ids")
        }
    }

    mutating func addToBasket(_ id: Span<UInt8>, count: Int, _ snapshot: ModelSnapshot) {
        if let item = snapshot.item(id: id) { basket.append(BasketItem(item: item, count: Float(count))) }
    }

    // MARK: Checks

    static func checkLength(of id: Span<UInt8>, _ name: @autoclosure () -> String) throws(Problem) {
        if Parameter.idBytes.contains(id.count) { return }
        throw .badParameter(
            name(), got: "\(id.count) bytes",
            wanted: "\(Parameter.idBytes.lowerBound) to \(Parameter.idBytes.upperBound) bytes")
    }

    static func checkCount(_ count: Int, _ parameter: Parameter) throws(Problem) {
        if count <= Parameter.listCountMax { return }
        throw .badParameter(
            "\(parameter.name)", got: "\(count) entries or more", wanted: "at most \(Parameter.listCountMax)")
    }

    static let modelNameInWords =
        "a model's name: 1 to 64 of a-z, 0-9, dot, underscore and dash, beginning with a letter or digit"

    /// Whether the model is served was asked before: here it is only the name that may be none.
    static func checkModelName(_ name: Span<UInt8>) throws(Problem) {
        if isModelName(name) { return }
        throw .badParameter("\(Parameter.model.name)", got: harmless(name), wanted: modelNameInWords)
    }

    static func isModelName(_ name: Span<UInt8>) -> Bool {
        guard name.count <= 64, let text = try? UTF8Span(validating: name) else { return false }
        return ModelRegistry.isModelName(String(copying: text))
    }

    static func wholeNumber(in range: ClosedRange<Int>) -> String {
        "a whole number from \(range.lowerBound) to \(range.upperBound)"
    }
}
