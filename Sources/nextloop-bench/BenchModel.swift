import FactorModel
import Foundation

/// A model of random vectors, written and opened. Hotels share the items evenly, each its own run; every user has seen `seen` items,
/// spread over the catalogue; item i costs 1000 · (i mod 100) and belongs to department i mod 10.
func benchModel(
    items: Int, factors: Int, users: Int, seen: Int, hotels: Int, seed: UInt64
) throws -> ModelSnapshot {
    var numbers = SeededNumbers(seed: seed)
    let hotelItems = (0..<hotels).map { hotel in
        Array(UInt32(items * hotel / hotels)..<UInt32(items * (hotel + 1) / hotels))
    }
    let seenItems = (0..<users).flatMap { _ in
        (0..<seen).map { UInt32($0 * items / max(seen, 1)) }
    }
    let catalogue = Catalogue(
        itemIDs: (0..<items).map(String.init), names: [String](repeating: "", count: items),
        prices: (0..<items).map { Int64($0 % 100) * 1000 }, departmentIDs: (0..<items).map { String($0 % 10) },
        hotelIDs: (0..<hotels).map(String.init), hotelItems: hotelItems)
    // Scaled as trained factors are: scores around 1.
    let scale = 1 / Float(factors).squareRoot()
    let contents = ModelContents(
        userIDs: (0..<users).map(String.init), catalogue: catalogue,
        factors: Factors(
            factorCount: factors, userFactors: (0..<users * factors).map { _ in numbers.normal() * scale },
            itemFactors: (0..<items * factors).map { _ in numbers.normal() * scale }),
        interactions: InteractionMatrix(
            rowCount: users, columnCount: items, indptr: (0...users).map { UInt64($0 * seen) }, indices: seenItems,
            values: [Float](repeating: 1, count: users * seen)),
        itemPopularity: (0..<items).map { _ in Float(numbers.next() % 1000) },
        foldIn: FoldInParameters(alpha: 40, regularization: 0.01))
    let path = FileManager.default.temporaryDirectory.appending(path: "nextloop-bench-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try writeModelFile(contents, to: path)
    return try ModelSnapshot.open(path: path, threads: 2)
}

/// The codes of a model, in a file that the caller removes.
func benchCodes(_ model: ModelSnapshot) throws -> String {
    let path = FileManager.default.temporaryDirectory.appending(path: "nextloop-bench-\(UUID().uuidString)").path
    try ItemCodes(of: model).write(to: path, modelDigest: "")
    return path
}
