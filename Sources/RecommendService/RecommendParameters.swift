import FactorModel
import HTTPMessages

/// The query parameters of `/recommend` and `/popular`, read strictly: an unknown or repeated parameter is an error,
/// because a misspelt filter must not pass silently.
///
/// Kept by its loop and reused, so that reading a request allocates nothing.
struct RecommendParameters: ~Copyable {
    /// Bounds of the contract; one past is a 400.
    static let userIDBytes = 1...ModelLimits.idBytesMax
    static let kRange = 1...1000
    static let offsetRange = 0...10_000
    /// `hotel_id` may be repeated this often.
    static let hotelCountMax = 1000

    private(set) var query = RecommendationQuery(user: nil, k: 10, offset: 0, hotels: nil, excludeSeen: false)
    private(set) var strict = false

    private var given = Names()
    private var hotelCount = 0
    private var userID = ByteBuffer(capacity: 256)
    private var name = ByteBuffer(capacity: 64)
    private var value = ByteBuffer(capacity: 256)

    /// Reads `query` for one request, looking ids up in the snapshot that will answer it.
    ///
    /// - Throws: the first problem in the order of the query; last of all a missing `user_id`.
    mutating func read(
        _ text: Span<UInt8>, of route: Route, _ snapshot: ModelSnapshot
    ) throws(Problem) {
        reset()
        try forEachQueryItem(in: text) { (nameRange, valueRange) throws(Problem) in
            // `k` and `k=` are the same: a parameter without a value.
            try take(text.extracting(nameRange), text.extracting(valueRange ?? 0..<0), route, snapshot)
        }
        if route == .recommend, !given.contains(.userID) { throw .missingParameter("user_id") }
    }

    /// Lends the decoded `user_id`.
    func withUserID<R>(_ body: (Span<UInt8>) -> R) -> R { userID.withBytes(body) }

    private mutating func reset() {
        query.user = nil
        query.k = 10
        query.offset = 0
        query.hotels = nil
        query.excludeSeen = false
        strict = false
        given = Names()
        hotelCount = 0
        userID.removeAll()
    }

    // MARK: One parameter

    private mutating func take(
        _ rawName: Span<UInt8>, _ rawValue: Span<UInt8>, _ route: Route, _ snapshot: ModelSnapshot
    ) throws(Problem) {
        try Self.decode(rawName, into: &name)
        try Self.decode(rawValue, into: &value)
        let known = route == .popular ? Names.ofPopular : Names.ofRecommend
        guard let parameter = name.withBytes({ Names(named: $0) }), known.contains(parameter) else {
            throw .unknownParameter(known: known.list)
        }
        if given.contains(parameter), parameter != .hotelID { throw .repeatedParameter(parameter.list) }
        given.insert(parameter)
        switch parameter {
        case .userID: try takeUserID(snapshot)
        case .k: query.k = try integer(in: Self.kRange, of: parameter)
        case .offset: query.offset = try integer(in: Self.offsetRange, of: parameter)
        case .excludeSeen: query.excludeSeen = try boolean(of: parameter)
        case .strict: strict = try boolean(of: parameter)
        default: try takeHotelID(snapshot)
        }
    }

    private static func decode(_ raw: Span<UInt8>, into buffer: inout ByteBuffer) throws(Problem) {
        buffer.removeAll()
        do {
            try percentDecode(raw, plusIsSpace: true, into: &buffer)
        } catch {
            throw .undecodableQuery
        }
        if !buffer.withBytes({ isValidUTF8($0) }) { throw .undecodableQuery }
    }

    private mutating func takeUserID(_ snapshot: ModelSnapshot) throws(Problem) {
        guard Self.userIDBytes.contains(value.count) else {
            throw .badParameter(Names.userID.list, got: "\(value.count) bytes", wanted: "1 to 256 bytes")
        }
        value.withBytes { userID.append($0) }
        query.user = value.withBytes { snapshot.user(id: $0) }
    }

    /// A hotel that the model does not know matches nothing: the list is there, and empty.
    private mutating func takeHotelID(_ snapshot: ModelSnapshot) throws(Problem) {
        guard Self.userIDBytes.contains(value.count) else {
            throw .badParameter(Names.hotelID.list, got: "\(value.count) bytes", wanted: "1 to 256 bytes")
        }
        hotelCount += 1
        guard hotelCount <= Self.hotelCountMax else {
            throw .badParameter(
                Names.hotelID.list, got: "given \(hotelCount) times", wanted: "at most \(Self.hotelCountMax)")
        }
        if query.hotels == nil { query.hotels = [] }
        if let hotel = value.withBytes({ snapshot.hotel(id: $0) }) { query.hotels?.append(hotel) }
    }

    /// Digits only: no sign, no space, no fraction.
    private func integer(in range: ClosedRange<Int>, of parameter: Names) throws(Problem) -> Int {
        let number: Int? = value.withBytes { digits in
            guard (1...9).contains(digits.count) else { return nil }
            var number = 0
            for index in digits.indices {
                guard digits[index] >= UInt8(ascii: "0"), digits[index] <= UInt8(ascii: "9") else { return nil }
                number = number * 10 + Int(digits[index] - UInt8(ascii: "0"))
            }
            return number
        }
        guard let number, range.contains(number) else {
            throw bad(parameter, wanted: "a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func boolean(of parameter: Names) throws(Problem) -> Bool {
        if value.withBytes({ equal($0, "true") }) { return true }
        if value.withBytes({ equal($0, "false") }) { return false }
        throw bad(parameter, wanted: "true or false")
    }

    private func bad(_ parameter: Names, wanted: String) -> Problem {
        .badParameter(parameter.list, got: value.withBytes(harmless), wanted: wanted)
    }

    // MARK: Names

    /// A set of parameter names, as bits.
    private struct Names: OptionSet {
        let rawValue: UInt8

        static let userID = Names(rawValue: 1)
        static let k = Names(rawValue: 2)
        static let offset = Names(rawValue: 4)
        static let hotelID = Names(rawValue: 8)
        static let excludeSeen = Names(rawValue: 16)
        static let strict = Names(rawValue: 32)

        static let ofRecommend: Names = [.userID, .k, .offset, .hotelID, .excludeSeen, .strict]
        static let ofPopular: Names = [.k, .offset, .hotelID]

        private static let texts: [StaticString] = ["user_id", "k", "offset", "hotel_id", "exclude_seen", "strict"]

        init(rawValue: UInt8) { self.rawValue = rawValue }

        init?(named name: Span<UInt8>) {
            guard let place = Self.texts.firstIndex(where: { equal(name, $0) }) else { return nil }
            rawValue = 1 << UInt8(place)
        }

        /// The names in words, for messages.
        var list: String {
            Self.texts.indices.filter { rawValue & (1 << UInt8($0)) != 0 }.map { "\(Self.texts[$0])" }
                .joined(separator: ", ")
        }
    }
}
