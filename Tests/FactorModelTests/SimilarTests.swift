import FactorModel
import TestSupport
import Testing
import VectorKernels

@Suite("Similar items and scores") struct SimilarTests {
    private func cosine(_ a: [Float], _ b: [Float]) -> Double {
        let product = { (x: [Float], y: [Float]) in zip(x, y).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
        return product(a, b) / (product(a, a).squareRoot() * product(b, b).squareRoot())
    }

    @Test(
        "are ranked by cosine within the filters, the item itself and vectors of zeros left out",
        arguments: [1, 2, 3] as [UInt64], [1, 1e-15, 1e-25, 1e15] as [Float])
    func matchesNaive(seed: UInt64, scale: Float) throws {
        let directory = try TemporaryDirectory()
        let scratch = RecommendationScratch()
        var rng = SplitMix64(seed: seed)
        for items in [2, 23, 1500] {
            var contents = sampleContents(users: 4, items: items, factors: 5, seed: seed, scale: scale)
            var matrix = contents.factors.itemFactors
            for item in 0..<items where item % 9 == 4 {
                for factor in 0..<5 { matrix[item * 5 + factor] = factor % 2 == 0 ? 0 : -0.0 }
            }
            contents.factors = Factors(factorCount: 5, userFactors: contents.factors.userFactors, itemFactors: matrix)
            let oracle = EngineOracle(contents: contents)
            let model = try openedModel(contents, in: directory)
            for _ in 0..<40 {
                let query = randomQuery(contents, using: &rng)
                let item = Int.random(in: 0..<items, using: &rng)
                let outcome = model.similar(to: ItemIndex(item), query, scratch: scratch)
                if item % 9 == 4 {
                    #expect(outcome == RecommendationOutcome(strategy: .similar, fallbackReason: .noFactors))
                    #expect(scratch.count == 0)
                    continue
                }
                let passing = oracle.passing(query).filter { $0 != item }
                let ranked = passing.filter { $0 % 9 != 4 }
                let wanted = query.k == 0 ? 0 : max(0, min(query.k, ranked.count - query.offset))
                #expect(scratch.count == wanted, "\(query)")
                let isShort =
                    query.k > 0 && query.offset < items && ranked.count < passing.count
                    && ranked.count < min(query.offset + query.k, items)
                #expect(outcome.strategy == .similar && outcome.fallbackReason == (isShort ? .tooFewItems : nil))
                let got = scratch.ranked
                #expect(Set(got.map(\.item)).isSubset(of: ranked) && Set(got.map(\.item)).count == got.count)
                for entry in got {
                    let exact = cosine(oracle.item(item), oracle.item(entry.item))
                    #expect(abs(exact - Double(entry.score)) < 1e-6 && abs(entry.score) <= 1)
                }
                for (before, after) in zip(got, got.dropFirst()) {
                    #expect(before.score > after.score || (before.score == after.score && before.item < after.item))
                }
                // What was left out is not better than what came.
                if query.offset == 0, let last = got.last {
                    let rest = Set(ranked).subtracting(got.map(\.item))
                    let best = rest.map { cosine(oracle.item(item), oracle.item($0)) }.max() ?? -1
                    #expect(best < Double(last.score) + 1e-6)
                }
            }
        }
    }

    @Test("the same direction has cosine 1 whatever its length, and ties go to the lower row")
    func ties() throws {
        var contents = sampleContents(items: 4, factors: 3)
        contents.factors = Factors(
            factorCount: 3, userFactors: contents.factors.userFactors,
            itemFactors: [0.1, 0.2, 0.3, 100, 200, 300, -0.1, -0.2, -0.3, 0.2, 0.4, 0.6])
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents, in: directory)
        let scratch = RecommendationScratch()
        _ = model.similar(to: ItemIndex(3), RecommendationQuery(user: nil, k: 10), scratch: scratch)
        #expect(scratch.ranked.map(\.item) == [0, 1, 2])
        for (entry, exact) in zip(scratch.ranked, [1, 1, -1] as [Float]) { #expect(abs(entry.score - exact) < 1e-6) }
    }

    // MARK: Scores of given pairs

    @Test("scores have the bits that recommend ranks by, in the order asked for")
    func scores() throws {
        let directory = try TemporaryDirectory()
        let contents = sampleContents(items: 300, factors: 21)
        let model = try openedModel(contents, in: directory)
        let scratch = RecommendationScratch()
        var scores: [Float?] = [9]
        for user in [0, 3] {
            _ = model.recommend(RecommendationQuery(user: UserIndex(user), k: 300), scratch: scratch)
            let items = scratch.ranked.map { ItemIndex($0.item) as ItemIndex? } + [nil]
            model.scores(of: UserIndex(user), items: items, into: &scores)
            #expect(scores.dropLast().map { $0?.bitPattern } == scratch.ranked.map(\.score.bitPattern))
            #expect(scores.count == 301 && scores[300] == nil)
        }
        model.scores(of: UserIndex(0), items: [], into: &scores)
        #expect(scores.isEmpty)
    }

    @Test("a user whose vector is all zeros has no scores")
    func noFactors() throws {
        var contents = sampleContents(users: 1, items: 3, factors: 2)
        contents.factors = Factors(factorCount: 2, userFactors: [0, -0.0], itemFactors: contents.factors.itemFactors)
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents, in: directory)
        var scores: [Float?] = []
        model.scores(of: UserIndex(0), items: [ItemIndex(1), nil, ItemIndex(2)], into: &scores)
        #expect(scores == [nil, nil, nil])
    }
}
