import FactorModel
import TestSupport

/// Seeded contents of a small model: several hotels with runs of items and strays, users with and without history, items with and
/// without attributes, and ties in popularity.
func sampleContents(
    users: Int = 7, items: Int = 23, factors: Int = 5, hotels: Int = 3, seed: UInt64 = 1, scale: Float = 1,
    countsByHotel: Bool = false
) -> ModelContents {
    var rng = SplitMix64(seed: seed)
    var indptr: [UInt64] = [0]
    var indices: [UInt32] = []
    for user in 0..<users {
        // The second user has no history.
        let share = user == 1 ? 0 : 3
        indices += (0..<UInt32(items)).filter { _ in Int.random(in: 0..<10, using: &rng) < share }
        indptr.append(UInt64(indices.count))
    }
    let strengths = indices.map { _ in Float(Int.random(in: 1...4, using: &rng)) }
    let interactions = InteractionMatrix(
        rowCount: users, columnCount: items, indptr: indptr, indices: indices, values: strengths)
    let hotelItems = (0..<hotels).map { hotel in
        (0..<UInt32(items)).filter { item in
            // A run of its own, and now and then an item of another hotel.
            Int(item) * hotels / max(items, 1) == hotel || Int.random(in: 0..<8, using: &rng) == 0
        }
    }
    return ModelContents(
        userIDs: (0..<users).map { "\(1000 + $0)" },
        catalogue: Catalogue(
            itemIDs: (0..<items).map { "\(3 * $0)" },
            names: (0..<items).map { $0 % 5 == 4 ? "" : "치킨 \($0)" },
            prices: (0..<items).map { $0 % 7 == 3 ? nil : Int64($0) * 1000 },
            departmentIDs: (0..<items).map { $0 % 6 == 5 ? nil : "\($0 % 3 + 1)" },
            hotelIDs: (0..<hotels).map { "h\($0)" }, hotelItems: hotelItems),
        factors: Factors(
            factorCount: factors, userFactors: (0..<users * factors).map { _ in rng.nextFloat() * scale },
            itemFactors: (0..<items * factors).map { _ in rng.nextFloat() * scale }),
        interactions: interactions, itemPopularity: interactions.columnSums(),
        // Whole numbers, so that a sum has no rounding; few of them, so that there are ties.
        hotelPopularity: countsByHotel
            ? hotelItems.enumerated().map { hotel, items in items.map { Float($0 * 7 % 5 + UInt32(hotel)) } } : nil)
}

/// Writes and opens the contents.
func openedModel(_ contents: ModelContents, in directory: TemporaryDirectory) throws -> ModelSnapshot {
    let path = directory.file("\(UInt64.random(in: 0...UInt64.max)).safetensors")
    try writeModelFile(contents, to: path)
    return try ModelSnapshot.open(path: path)
}

func string(_ bytes: Span<UInt8>) -> String {
    var copy: [UInt8] = []
    for index in bytes.indices { copy.append(bytes[index]) }
    return String(decoding: copy, as: UTF8.self)
}

/// The department that serves an item; empty when unknown.
func departmentID(of item: ItemIndex, in model: ModelSnapshot) -> String {
    var id = ""
    model.withTexts(of: item) { _, _, department in id = string(department) }
    return id
}
