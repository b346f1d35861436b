import FactorModel
import TestSupport
import Testing
import VectorKernels

/// The equations over all items, written out in double, are the oracle.
@Suite("Fold-in and explain") struct FoldInTests {
    private func contents(
        items: Int = 60, factors: Int = 8, seed: UInt64 = 1, scale: Float = 1,
        _ foldIn: FoldInParameters? = FoldInParameters(alpha: 3, regularization: 0.1)
    ) -> ModelContents {
        var contents = sampleContents(users: 6, items: items, factors: factors, seed: seed, scale: scale)
        contents.foldIn = foldIn
        return contents
    }

    @Test(
        "a basket, with or without a history, is ranked by the vector that solves its equations",
        arguments: [(1, 5), (8, 60), (17, 300), (64, 40)] as [(Int, Int)], FoldInParameters.Confidence.allCases)
    func solves(shape: (factors: Int, items: Int), confidence: FoldInParameters.Confidence) throws {
        let directory = try TemporaryDirectory()
        let scratch = RecommendationScratch()
        var rng = SplitMix64(seed: UInt64(shape.factors))
        let contents = contents(
            items: shape.items, factors: shape.factors,
            FoldInParameters(alpha: 3, regularization: 0.1, confidence: confidence))
        let oracle = EngineOracle(contents: contents)
        let model = try openedModel(contents, in: directory)
        #expect(model.hasFoldIn)
        for _ in 0..<40 {
            var query = randomQuery(contents, using: &rng)
            query.basket.append(BasketItem(item: ItemIndex(Int.random(in: 0..<shape.items, using: &rng)), count: 2))
            (query.k, query.offset) = (shape.items, 0)
            #expect(model.recommend(query, scratch: scratch) == RecommendationOutcome(strategy: .foldIn))
            let strengths = oracle.strengths(user: query.user, basket: query.basket)
            let (a, b) = oracle.equations(strengths)
            let x = try #require(solvePositiveDefinite(a, b))
            #expect(scratch.ranked.map(\.item).sorted() == oracle.passing(query))
            for entry in scratch.ranked {
                let score = zip(x, oracle.item(entry.item)).reduce(0) { $0 + $1.0 * Double($1.1) }
                // Scores are around 1; the Gram matrix is summed in float32 by the 256 rows.
                #expect(abs(score - Double(entry.score)) < 2e-5)
            }
            for (before, after) in zip(scratch.ranked, scratch.ranked.dropFirst()) {
                #expect(before.score > after.score || (before.score == after.score && before.item < after.item))
            }
        }
    }

    @Test("the order of a basket, and an item given twice, do not change a bit")
    func repeats() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents(), in: directory)
        let scratch = RecommendationScratch()
        func answer(_ basket: [(Int, Float)]) -> [EngineOracle.Ranked] {
            let query = RecommendationQuery(
                user: UserIndex(2), k: 60, filter: ItemFilter(),
                basket: basket.map { BasketItem(item: ItemIndex($0.0), count: $0.1) })
            _ = model.recommend(query, scratch: scratch)
            return scratch.ranked
        }
        let once = answer([(3, 2), (50, 1), (7, 1)])
        #expect(answer([(7, 1), (3, 1), (50, 1), (3, 1)]) == once)
        #expect(answer([(3, 1), (50, 1), (7, 1)]) != once)
    }

    @Test("a basket moves its items up, and what was in it may come back")
    func moves() throws {
        let directory = try TemporaryDirectory()
        let contents = contents()
        let model = try openedModel(contents, in: directory)
        let scratch = RecommendationScratch()
        for item in [0, 17, 59] {
            let query = RecommendationQuery(
                user: nil, k: 5, filter: ItemFilter(), excludeSeen: true,
                basket: [BasketItem(item: ItemIndex(item), count: 10)])
            #expect(model.recommend(query, scratch: scratch).strategy == .foldIn)
            #expect(scratch.ranked.contains { $0.item == item })
        }
    }

    // MARK: The ladder

    @Test("without alpha and λ in the model a basket falls through, and the answer says so")
    func noParameters() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents(nil), in: directory)
        #expect(!model.hasFoldIn)
        let scratch = RecommendationScratch()
        var query = RecommendationQuery(
            user: nil, k: 5, filter: ItemFilter(), basket: [BasketItem(item: ItemIndex(1), count: 1)])
        #expect(
            model.recommend(query, scratch: scratch)
                == RecommendationOutcome(strategy: .popular, fallbackReason: .noFactors))
        query.user = UserIndex(0)
        #expect(
            model.recommend(query, scratch: scratch)
                == RecommendationOutcome(strategy: .als, fallbackReason: .noFactors))
        #expect(model.explain(item: ItemIndex(0), scratch: scratch).isEmpty)
    }

    @Test("a basket of items without vectors falls through")
    func zeroVectors() throws {
        var contents = contents(factors: 2)
        contents.factors = Factors(
            factorCount: 2, userFactors: contents.factors.userFactors,
            itemFactors: [0, -0.0] + contents.factors.itemFactors.dropFirst(2))
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents, in: directory)
        let scratch = RecommendationScratch()
        let query = RecommendationQuery(
            user: nil, k: 5, filter: ItemFilter(), basket: [BasketItem(item: ItemIndex(0), count: 1)])
        #expect(
            model.recommend(query, scratch: scratch)
                == RecommendationOutcome(strategy: .popular, fallbackReason: .noFactors))
        #expect(scratch.count == 5)
    }

    @Test("equations without a single solution fall through: λ = 0 and fewer items than factors")
    func singular() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(
            contents(items: 4, factors: 9, FoldInParameters(alpha: 3, regularization: 0)), in: directory)
        let scratch = RecommendationScratch()
        let query = RecommendationQuery(
            user: nil, k: 5, filter: ItemFilter(), basket: [BasketItem(item: ItemIndex(0), count: 1)])
        #expect(model.recommend(query, scratch: scratch).fallbackReason == .noFactors)
        _ = model.recommend(RecommendationQuery(user: UserIndex(0), k: 5), scratch: scratch)
        #expect(model.explain(item: ItemIndex(0), scratch: scratch).isEmpty)
    }

    @Test(
        "huge and tiny vectors and counts are answered with finite scores", arguments: [1e18, 1e-18, 1e-30] as [Float])
    func norms(scale: Float) throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents(scale: scale), in: directory)
        let scratch = RecommendationScratch()
        for count in [1e-30, 1, 1e30, .greatestFiniteMagnitude] as [Float] {
            let query = RecommendationQuery(
                user: nil, k: 60, filter: ItemFilter(), basket: [BasketItem(item: ItemIndex(5), count: count)])
            _ = model.recommend(query, scratch: scratch)
            #expect(scratch.count == 60 && scratch.ranked.allSatisfy { $0.score.isFinite })
            #expect(model.explain(item: ItemIndex(5), scratch: scratch).allSatisfy { $0.contribution.isFinite })
        }
    }

    // MARK: Explain

    @Test(
        "contributions are those of the paper and sum to the score of a folded-in answer",
        arguments: [(1, 5), (8, 60), (64, 120)] as [(Int, Int)])
    func explains(shape: (factors: Int, items: Int)) throws {
        let directory = try TemporaryDirectory()
        let contents = contents(items: shape.items, factors: shape.factors)
        let oracle = EngineOracle(contents: contents)
        let model = try openedModel(contents, in: directory)
        let scratch = RecommendationScratch()
        for user in [nil, UserIndex(0), UserIndex(1), UserIndex(4)] {
            let query = RecommendationQuery(
                user: user, k: 4, filter: ItemFilter(),
                basket: [BasketItem(item: ItemIndex(3), count: 1), BasketItem(item: ItemIndex(0), count: 4)])
            _ = model.recommend(query, scratch: scratch)
            let strengths = oracle.strengths(user: user, basket: query.basket)
            let (a, _) = oracle.equations(strengths)
            for entry in scratch.ranked {
                let parts = model.explain(item: ItemIndex(entry.item), scratch: scratch)
                #expect(Set(parts.map(\.item.row)) == Set(strengths.keys) && parts.count == strengths.count)
                let sum = parts.reduce(0) { $0 + Double($1.contribution) }
                #expect(abs(sum - Double(entry.score)) < 1e-5)
                let z = try #require(solvePositiveDefinite(a, oracle.item(entry.item).map { Double($0) }))
                for part in parts {
                    let product = zip(z, oracle.item(part.item.row)).reduce(0) { $0 + $1.0 * Double($1.1) }
                    let exact = oracle.confidence(strengths[part.item.row] ?? 0) * product
                    #expect(abs(exact - Double(part.contribution)) < 2e-5)
                }
                for (before, after) in zip(parts, parts.dropFirst()) {
                    #expect(
                        before.contribution > after.contribution
                            || (before.contribution == after.contribution && before.item < after.item))
                }
            }
        }
    }

    @Test("what was not made by a vector has nothing to explain")
    func nothingToExplain() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents(), in: directory)
        let scratch = RecommendationScratch()
        #expect(model.explain(item: ItemIndex(0), scratch: scratch).isEmpty)
        _ = model.recommend(RecommendationQuery(user: UserIndex(0), k: 3), scratch: scratch)
        #expect(!model.explain(item: ItemIndex(0), scratch: scratch).isEmpty)
        _ = model.popular(RecommendationQuery(user: UserIndex(0), k: 3), scratch: scratch)
        #expect(model.explain(item: ItemIndex(0), scratch: scratch).isEmpty)
        _ = model.similar(to: ItemIndex(1), RecommendationQuery(user: UserIndex(0), k: 3), scratch: scratch)
        #expect(model.explain(item: ItemIndex(0), scratch: scratch).isEmpty)
        _ = model.recommend(RecommendationQuery(user: nil, k: 3), scratch: scratch)
        #expect(model.explain(item: ItemIndex(0), scratch: scratch).isEmpty)
    }

    @Test("an answer by another vector is explained by its own equations")
    func freshEquations() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents(), in: directory)
        let scratch = RecommendationScratch()
        func explained(_ user: Int) -> [Contribution] {
            _ = model.recommend(RecommendationQuery(user: UserIndex(user), k: 3), scratch: scratch)
            return model.explain(item: ItemIndex(9), scratch: scratch)
        }
        let first = explained(0)
        #expect(explained(2) != first && explained(0) == first)
    }

    @Test("threads that need YᵀY and the lengths at once compute them once and agree")
    func concurrent() async throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents(items: 3000, factors: 16), in: directory)
        let answers = await withTaskGroup(of: [EngineOracle.Ranked].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    let scratch = RecommendationScratch()
                    let basket = [BasketItem(item: ItemIndex(7), count: 1)]
                    let query = RecommendationQuery(user: nil, k: 20, filter: ItemFilter(), basket: basket)
                    _ = model.recommend(query, scratch: scratch)
                    let folded = scratch.ranked
                    _ = model.similar(to: ItemIndex(7), query, scratch: scratch)
                    return folded + scratch.ranked
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count == 8 && Set(answers.map { $0.map(\.item) }).count == 1 && answers[0].count == 40)
        model.prepare()
    }
}
