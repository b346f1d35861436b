/// The names, types and order of the tensors in a model file. docs/model-format.md says what each holds.
enum ModelTensors {
    /// What `__metadata__.format` says of a model without counts by hotel. Another number is another format.
    static let format = "nextloop-factors/1"
    /// The same with ``hotelPopularity``.
    static let formatWithHotelPopularity = "nextloop-factors/2"

    static let itemFactors = "item_factors"
    static let userFactors = "user_factors"
    static let userIDs = "user_ids"
    static let itemIDs = "item_ids"
    static let hotelIDs = "hotel_ids"
    static let departmentIDs = "department_ids"
    static let itemNames = "item_names"
    static let historyStarts = "interactions.indptr"
    static let historyItems = "interactions.indices"
    static let historyStrengths = "interactions.values"
    static let hotelStarts = "hotel_items.indptr"
    static let hotelItems = "hotel_items.indices"
    static let hotelPopularity = "hotel_items.popularity"
    static let itemPopularity = "item_popularity"
    static let popularityOrder = "popularity_order"
    static let itemPrice = "item_price"
    static let itemDepartment = "item_department"

    static func bytes(_ text: String) -> String { text + ".bytes" }
    static func offsets(_ text: String) -> String { text + ".offsets" }
    static func hash(_ text: String) -> String { text + ".hash" }

    /// "No department" in `item_department`.
    static let noDepartment = UInt32.max
    /// "No price" in `item_price`.
    static let noPrice: Int64 = -1
    /// `item_factors` begins on a multiple of this many bytes of the file: a cache line, so that rows of 16 factors or
    /// a multiple do not straddle two.
    static let factorAlignment = 64
}
