import FactorModel
import TestSupport
import Testing
import Training

/// From training to explained scores, through a model file: a stored vector is the fold-in of the stored history.
@Suite("Fold-in of trained users") struct FoldInOfTrainedTests {
    private func trained(
        _ data: InteractionMatrix, factors: Int, alpha: Float, regularization: Float, in directory: TemporaryDirectory
    ) throws -> (model: ModelSnapshot, factors: Factors) {
        let result = try trainALS(
            data,
            settings(factors: factors) {
                $0.alpha = alpha
                $0.regularization = regularization
            })
        let items = data.columnCount
        let contents = ModelContents(
            userIDs: (0..<data.rowCount).map(String.init),
            catalogue: Catalogue(
                itemIDs: (0..<items).map(String.init), names: Array(repeating: "", count: items),
                prices: Array(repeating: nil, count: items), departmentIDs: Array(repeating: nil, count: items),
                hotelIDs: [], hotelItems: []),
            factors: result.factors, interactions: data, itemPopularity: data.columnSums(),
            foldIn: FoldInParameters(alpha: alpha, regularization: regularization))
        let path = directory.file("model.safetensors")
        try writeModelFile(contents, to: path)
        return (try ModelSnapshot.open(path: path), result.factors)
    }

    @Test(
        "contributions sum to the score of the trained vector for every item, to 5e-5",
        arguments: [(4, 1, 0.1), (16, 40, 0.01), (64, 40, 0.01), (64, 1, 0.01)] as [(Int, Float, Float)])
    func sums(setting: (factors: Int, alpha: Float, regularization: Float)) throws {
        let directory = try TemporaryDirectory()
        let data = randomMatrix(users: 120, items: 150, seed: 31)
        let (model, factors) = try trained(
            data, factors: setting.factors, alpha: setting.alpha, regularization: setting.regularization, in: directory)
        let scratch = RecommendationScratch()
        for user in [0, 5, 9, 10, 57, 119] {
            let isKnown = !data.range(ofRow: user).isEmpty
            let outcome = model.recommend(RecommendationQuery(user: UserIndex(user), k: 150), scratch: scratch)
            #expect(outcome.strategy == (isKnown ? .als : .popular))
            // With more items than factors, equal scores for all items are equal vectors.
            for rank in 0..<scratch.count {
                let entry = scratch[rank]
                let parts = model.explain(item: entry.item, scratch: scratch)
                #expect(parts.count == data.range(ofRow: user).count)
                guard isKnown else { continue }
                let sum = parts.reduce(0) { $0 + Double($1.contribution) }
                #expect(abs(sum - Double(entry.score)) < 5e-5, "user \(user), item \(entry.item.row)")
                #expect(abs(Double(entry.score) - factors.score(user, entry.item.row)) < 1e-5)
            }
        }
    }

    @Test("a guest with the same history as a trained user is ranked as that user is")
    func sameHistory() throws {
        let directory = try TemporaryDirectory()
        let data = randomMatrix(users: 120, items: 150, seed: 32)
        let (model, _) = try trained(data, factors: 16, alpha: 10, regularization: 0.01, in: directory)
        let (own, guest) = (RecommendationScratch(), RecommendationScratch())
        for user in [0, 7, 33, 119] {
            let basket = data.range(ofRow: user).map {
                BasketItem(item: ItemIndex(Int(data.indices[$0])), count: data.values[$0])
            }
            _ = model.recommend(RecommendationQuery(user: UserIndex(user), k: 150), scratch: own)
            let query = RecommendationQuery(user: nil, k: 150, filter: ItemFilter(), basket: basket)
            #expect(model.recommend(query, scratch: guest) == RecommendationOutcome(strategy: .foldIn))
            for rank in 0..<150 { #expect(abs(own[rank].score - guest[rank].score) < 5e-5) }
        }
    }
}
