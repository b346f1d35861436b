import FactorModel
import TestSupport
import Testing
import VectorKernels

/// One by one is the oracle: bulk gives the same bits.
@Suite("Bulk") struct BulkTests {
    private func check(
        _ contents: ModelContents, _ queries: [RecommendationQuery], _ bulk: BulkScratch, isPrepared: Bool = false
    ) throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents, in: directory)
        if isPrepared { model.prepare() }
        let single = RecommendationScratch()
        var numbers: [Int] = []
        model.recommend(many: queries, scratch: bulk) { number, outcome, answer in
            numbers.append(number)
            #expect(outcome == model.recommend(queries[number], scratch: single), "\(queries[number])")
            #expect(answer.ranked == single.ranked, "\(queries[number])")
            if number % 5 == 0, contents.catalogue.itemCount > 0 {
                let item = ItemIndex(number % contents.catalogue.itemCount)
                #expect(
                    model.explain(item: item, scratch: answer) == model.explain(item: item, scratch: single),
                    "\(queries[number])")
            }
        }
        #expect(numbers == Array(0..<queries.count))
    }

    @Test("gives the same bits as one by one, whatever is asked together", arguments: [1, 2, 3] as [UInt64])
    func mixed(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let bulk = BulkScratch()
        for (items, factors) in [(40, 3), (1700, 16), (23, 50), (0, 4)] {
            var contents = sampleContents(users: 30, items: items, factors: factors, hotels: 4, seed: seed)
            contents.foldIn = FoldInParameters(alpha: 2, regularization: 0.5)
            let filters = (0..<3).map { _ in items == 0 ? ItemFilter() : randomQuery(contents, using: &rng).filter }
            let queries = (0..<300).map { number in
                // Many share a filter; some deny more, some are alone.
                var query =
                    items == 0 ? RecommendationQuery(user: UserIndex(1), k: 3) : randomQuery(contents, using: &rng)
                if number % 7 != 0 {
                    let deny = query.filter.deny
                    query.filter = filters[number % 3]
                    if number % 2 == 0 { query.filter.deny = deny }
                }
                return query
            }
            try check(contents, queries, bulk)
        }
    }

    /// Long-tailed items are ranked by codes, user by user; even ones in tiles.
    @Test("gives the same bits once the codes are there", arguments: [false, true])
    func withCodes(isLongTailed: Bool) throws {
        var rng = SplitMix64(seed: 11)
        var contents = sampleContents(users: 30, items: 4000, factors: 16, hotels: 3, seed: 5)
        contents.foldIn = FoldInParameters(alpha: 2, regularization: 0.5)
        if isLongTailed {
            let scaled = contents.factors.itemFactors.enumerated().map { place, value in value / Float(1 + place / 16) }
            contents.factors = Factors(factorCount: 16, userFactors: contents.factors.userFactors, itemFactors: scaled)
        }
        let filter = randomQuery(contents, using: &rng).filter
        let queries = (0..<200).map { number in
            var query = randomQuery(contents, using: &rng)
            query.k = min(query.k, 20)
            query.offset = number % 3
            if number % 3 == 0 { query.filter = ItemFilter() }
            if number % 3 == 1 { query.filter = filter }
            return query
        }
        try check(contents, queries, BulkScratch(), isPrepared: true)
    }

    @Test("a query costs what its solve, its explanations and its ranking read") func cost() throws {
        let directory = try TemporaryDirectory()
        var contents = sampleContents(users: 4, items: 1000, factors: 32)
        contents.foldIn = FoldInParameters(alpha: 2, regularization: 0.5)
        let model = try openedModel(contents, in: directory)
        let ranking = 1000 * 32 / 8
        let plain = RecommendationQuery(user: UserIndex(0), k: 10)
        #expect(model.cost(of: plain, isExplained: false) == ranking)
        let seen = model.withHistory(UserIndex(0)) { items, _ in items.count }
        var basket = plain
        basket.basket = (0..<300).map { BasketItem(item: ItemIndex($0), count: 1) }
        let solve = (300 + seen + 10) * 32 * 32
        #expect(model.cost(of: basket, isExplained: false) == solve + ranking)
        basket.user = nil
        #expect(model.cost(of: basket, isExplained: false) == 310 * 32 * 32 + ranking)
        let explanations = 10 * (32 + seen) * 32
        #expect(model.cost(of: plain, isExplained: true) == (seen + 10) * 32 * 32 + explanations + ranking)
    }

    @Test("any number of users of one filter", arguments: [0, 1, 3, 4, 5, 63, 64, 65, 127, 128, 129, 200])
    func counts(count: Int) throws {
        let contents = sampleContents(users: 200, items: 600, factors: 9)
        let queries = (0..<count).map {
            RecommendationQuery(user: UserIndex($0), k: 1 + $0 % 20, offset: $0 % 3, excludeSeen: $0 % 2 == 0)
        }
        try check(contents, queries, BulkScratch())
    }

    @Test("ties go to the lower row there too")
    func ties() throws {
        var contents = sampleContents(users: 20, items: 1500, factors: 4)
        contents.factors = Factors(
            factorCount: 4, userFactors: contents.factors.userFactors,
            itemFactors: [Float](repeating: 0.5, count: 6000))
        try check(
            contents,
            (0..<20).map {
                RecommendationQuery(user: UserIndex($0), k: 30, hotels: [HotelIndex(1)], excludeSeen: true)
            },
            BulkScratch())
    }
}
