import FactorModel
import TestSupport
import Testing
import VectorKernels

/// The oracle is a full sort of every item that passes the filters.
@Suite("Recommend") struct RecommendTests {
    private struct Ranked: Equatable {
        let item: Int
        let score: Float
    }

    private func answer(_ scratch: RecommendationScratch) -> [Ranked] {
        (0..<scratch.count).map { Ranked(item: scratch[$0].item.row, score: scratch[$0].score) }
    }

    private func passing(_ contents: ModelContents, _ query: RecommendationQuery) -> [Int] {
        var items = Set(0..<contents.catalogue.itemCount)
        if let hotels = query.hotels {
            items.formIntersection(hotels.flatMap { contents.catalogue.hotelItems[$0.row].map { Int($0) } })
        }
        if query.excludeSeen, let user = query.user {
            items.subtract(contents.interactions.range(ofRow: user.row).map { Int(contents.interactions.indices[$0]) })
        }
        return Array(items)
    }

    private func fullSort(
        _ contents: ModelContents, _ query: RecommendationQuery, score: (Int) -> Float
    ) -> [Ranked] {
        let all = passing(contents, query).map { Ranked(item: $0, score: score($0)) }
            .sorted { $0.score > $1.score || ($0.score == $1.score && $0.item < $1.item) }
        return query.k == 0 ? [] : Array(all.dropFirst(query.offset).prefix(query.k))
    }

    private func score(_ contents: ModelContents, _ user: Int, _ item: Int) -> Float {
        let count = contents.factors.factorCount
        return dot(
            contents.factors.userFactors.span.extracting(user * count..<(user + 1) * count),
            contents.factors.itemFactors.span.extracting(item * count..<(item + 1) * count))
    }

    /// Asks `rounds` random queries through one scratch and compares each with the full sort.
    private func check(_ contents: ModelContents, seed: UInt64, rounds: Int = 150) throws {
        var rng = SplitMix64(seed: seed)
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents, in: directory)
        let scratch = RecommendationScratch()
        let items = contents.catalogue.itemCount
        for round in 0..<rounds {
            // From half-way on the whole catalogue is read in codes: nothing of the answers may change.
            if round == rounds / 2 { model.prepare() }
            let user = Int.random(in: -1..<contents.userIDs.count, using: &rng)
            let hotels: [HotelIndex]? =
                Bool.random(using: &rng)
                ? nil
                : (0..<Int.random(in: 0...4, using: &rng)).map { _ in
                    HotelIndex(Int.random(in: 0..<contents.catalogue.hotelIDs.count, using: &rng))
                }
            let query = RecommendationQuery(
                user: user < 0 ? nil : UserIndex(user),
                k: [0, 1, 2, 10, items, items + 7].randomElement(using: &rng) ?? 0,
                offset: [0, 0, 1, 5, items - 1, items, items + 1].randomElement(using: &rng) ?? 0, hotels: hotels,
                excludeSeen: Bool.random(using: &rng))
            let hasFactors =
                user >= 0
                && (0..<contents.factors.factorCount).contains {
                    contents.factors.userFactors[user * contents.factors.factorCount + $0] != 0
                }
            let byPopularity = fullSort(contents, query) { contents.itemPopularity[$0] }
            let outcome = model.recommend(query, scratch: scratch)
            if hasFactors {
                #expect(outcome == RecommendationOutcome(strategy: .als))
                #expect(
                    answer(scratch) == fullSort(contents, query) { score(contents, user, $0) }, "seed \(seed), \(query)"
                )
            } else {
                let reason: FallbackReason = user < 0 ? .unknownUser : .noFactors
                #expect(outcome == RecommendationOutcome(strategy: .popular, fallbackReason: reason))
                #expect(answer(scratch) == byPopularity, "seed \(seed), \(query)")
            }
            #expect(model.popular(query, scratch: scratch) == RecommendationOutcome(strategy: .popular))
            #expect(answer(scratch) == byPopularity, "seed \(seed), \(query)")
        }
    }

    @Test("a snapshot whose pages were given back answers as before, prepared or not", arguments: [false, true])
    func releasedPages(isPrepared: Bool) throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(sampleContents(items: 700, factors: 64), in: directory)
        if isPrepared { model.prepare() }
        let scratch = RecommendationScratch()
        let query = RecommendationQuery(user: UserIndex(0), k: 10)
        _ = model.recommend(query, scratch: scratch)
        let before = answer(scratch)
        #expect(!before.isEmpty)
        model.releasePages()
        _ = model.recommend(query, scratch: scratch)
        #expect(answer(scratch) == before)
    }

    @Test("agrees with a full sort of what passes the filters", arguments: [1, 2, 3, 4] as [UInt64])
    func matchesFullSort(seed: UInt64) throws {
        // More items than a block of scores, and than a gathered run.
        for (items, hotels) in [(1, 1), (23, 3), (400, 2), (2600, 5)] {
            try check(
                sampleContents(users: 6, items: items, factors: 1 + Int(seed) * 7, hotels: hotels, seed: seed),
                seed: seed,
                rounds: items > 1000 ? 40 : 150)
        }
    }

    @Test("ties go to the lower row, also when all rows are one", arguments: [1, 2] as [UInt64])
    func ties(seed: UInt64) throws {
        var contents = sampleContents(users: 5, items: 1500, factors: 4, hotels: 3, seed: seed)
        var rng = SplitMix64(seed: seed)
        let few = (0..<3).map { _ in (0..<4).map { _ in rng.nextFloat() } }
        let repeated = (0..<1500).flatMap { _ in few[Int.random(in: 0..<3, using: &rng)] }
        contents.factors = Factors(factorCount: 4, userFactors: contents.factors.userFactors, itemFactors: repeated)
        try check(contents, seed: seed, rounds: 60)
        let one = [Float](repeating: 0.5, count: 1500 * 4)
        contents.factors = Factors(factorCount: 4, userFactors: contents.factors.userFactors, itemFactors: one)
        contents.itemPopularity = [Float](repeating: 2, count: 1500)
        try check(contents, seed: seed, rounds: 60)
    }

    @Test("huge and tiny vectors rank as exactly as others", arguments: [1e18, 1e-18, 1e-30] as [Float])
    func norms(scale: Float) throws {
        try check(sampleContents(users: 5, items: 300, factors: 16, seed: 9, scale: scale), seed: 9)
    }

    @Test("a user without a vector gets what is popular, and why")
    func noFactors() throws {
        var contents = sampleContents(users: 3, items: 40, factors: 2, seed: 5)
        var users = contents.factors.userFactors
        users[0] = 0
        users[1] = -0.0
        contents.factors = Factors(factorCount: 2, userFactors: users, itemFactors: contents.factors.itemFactors)
        try check(contents, seed: 5)
        let directory = try TemporaryDirectory()
        let outcome = try openedModel(contents, in: directory).recommend(
            RecommendationQuery(user: UserIndex(0), k: 3), scratch: RecommendationScratch())
        #expect(outcome == RecommendationOutcome(strategy: .popular, fallbackReason: .noFactors))
    }

    @Test("no hotel passes nothing; a hotel named twice counts once")
    func hotels() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(sampleContents(), in: directory)
        let scratch = RecommendationScratch()
        _ = model.recommend(RecommendationQuery(user: UserIndex(0), k: 5, hotels: []), scratch: scratch)
        #expect(scratch.count == 0)
        _ = model.recommend(RecommendationQuery(user: UserIndex(0), k: 100, hotels: [HotelIndex(1)]), scratch: scratch)
        let once = answer(scratch)
        _ = model.recommend(
            RecommendationQuery(user: UserIndex(0), k: 100, hotels: [HotelIndex(1), HotelIndex(1)]), scratch: scratch)
        #expect(answer(scratch) == once && !once.isEmpty)
    }

    @Test("a k and an offset that overflow together are answered")
    func overflow() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(sampleContents(), in: directory)
        let scratch = RecommendationScratch()
        _ = model.recommend(RecommendationQuery(user: UserIndex(0), k: .max, offset: 2), scratch: scratch)
        #expect(scratch.count == 21)
        _ = model.popular(RecommendationQuery(user: nil, k: .max, offset: .max), scratch: scratch)
        #expect(scratch.count == 0)
    }

    @Test("a model without items, or without users, answers with nothing or with what is popular")
    func emptyModels() throws {
        let directory = try TemporaryDirectory()
        let scratch = RecommendationScratch()
        let noItems = try openedModel(sampleContents(items: 0), in: directory)
        for excludeSeen in [false, true] {
            for hotels in [nil, [HotelIndex(0)], [HotelIndex(0), HotelIndex(1)]] as [[HotelIndex]?] {
                let query = RecommendationQuery(user: UserIndex(0), k: 5, hotels: hotels, excludeSeen: excludeSeen)
                _ = noItems.recommend(query, scratch: scratch)
                #expect(scratch.count == 0)
                _ = noItems.popular(query, scratch: scratch)
                #expect(scratch.count == 0)
            }
        }
        let noUsers = try openedModel(sampleContents(users: 0), in: directory)
        _ = noUsers.recommend(RecommendationQuery(user: nil, k: 5), scratch: scratch)
        #expect(scratch.count == 5)
    }

    @Test("one scratch serves models of different sizes in turn")
    func sharedScratch() throws {
        let directory = try TemporaryDirectory()
        let scratch = RecommendationScratch()
        let hotels = (0..<3).map { HotelIndex($0) }
        for items in [2000, 10, 500, 0, 2000] {
            let contents = sampleContents(items: items, seed: 3)
            let query = RecommendationQuery(user: UserIndex(2), k: 12, hotels: hotels, excludeSeen: true)
            _ = try openedModel(contents, in: directory).recommend(query, scratch: scratch)
            #expect(answer(scratch) == fullSort(contents, query) { score(contents, 2, $0) })
        }
    }
}
