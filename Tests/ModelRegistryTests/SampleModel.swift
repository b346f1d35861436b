import FactorModel
import Foundation
import ModelRegistry

/// Contents of a model of 3 users, 4 items and 2 factors; `seed` makes them differ.
func sampleContents(seed: Float = 1) -> ModelContents {
    ModelContents(
        userIDs: ["1", "2", "3"],
        catalogue: Catalogue(
            itemIDs: ["10", "20", "30", "40"], names: ["a", "", "c", "d"], prices: [1000, nil, 0, 5],
            departmentIDs: ["1", nil, "1", "2"], hotelIDs: ["7"], hotelItems: [[0, 2]]),
        factors: Factors(factorCount: 2, userFactors: [seed, 2, 3, 4, 5, 6], itemFactors: [1, 2, 3, 4, 5, 6, 7, 8]),
        interactions: InteractionMatrix(
            rowCount: 3, columnCount: 4, indptr: [0, 1, 1, 3], indices: [2, 0, 3], values: [1, 2, 3]),
        itemPopularity: [2, 0, 1, 3])
}

/// Enough items that a ranking of a few reads codes.
///
/// - Parameter sign: of the items' vectors, 1 or -1.
func codedContents(sign: Float = 1) -> ModelContents {
    let count = 600
    let ids = (0..<count).map { "\(1000 + $0)" }
    return ModelContents(
        userIDs: ["1", "2", "3"],
        catalogue: Catalogue(
            itemIDs: ids, names: ids, prices: ids.map { _ in nil }, departmentIDs: ids.map { _ in nil }, hotelIDs: [],
            hotelItems: []),
        factors: Factors(
            factorCount: 2, userFactors: [1, 2, -3, 1, 0.5, -1],
            itemFactors: (0..<count).flatMap { [sign * sin(Float($0)) * 3, sign * cos(Float($0) * 1.7)] }),
        interactions: InteractionMatrix(
            rowCount: 3, columnCount: count, indptr: [0, 1, 1, 3], indices: [2, 0, 3], values: [1, 2, 3]),
        itemPopularity: ids.map { _ in 1 })
}

func sampleDraft() -> ManifestDraft {
    ManifestDraft(lineage: LineageRecord(command: "test", build: "0", sources: ["orders.csv"]))
}

extension Registry {
    /// Publishes a sample as the next version of `guests`.
    func publishSample(seed: Float = 1, promote alias: String? = nil) throws(RegistryError) -> Int {
        try publish(model: "guests", contents: sampleContents(seed: seed), manifest: sampleDraft(), promote: alias)
    }
}
