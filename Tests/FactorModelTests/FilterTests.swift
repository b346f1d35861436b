import FactorModel
import TestSupport
import Testing
import VectorKernels

/// Every combination of filters against a full look at every item.
@Suite("Filters") struct FilterTests {
    @Test("agree with a naive filter and a full sort", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func matchesNaive(seed: UInt64) throws {
        let directory = try TemporaryDirectory()
        let scratch = RecommendationScratch()
        var rng = SplitMix64(seed: seed)
        for (items, hotels, rounds) in [(1, 1, 60), (23, 3, 200), (400, 3, 150), (2600, 5, 30)] {
            let contents = sampleContents(
                users: 6, items: items, factors: 4, hotels: hotels, seed: seed, countsByHotel: seed % 2 == 0)
            let oracle = EngineOracle(contents: contents)
            let model = try openedModel(contents, in: directory)
            for _ in 0..<rounds {
                // Without alpha and λ in the model a basket cannot count: the ranking is the user's own or popularity.
                let query = randomQuery(contents, using: &rng)
                let outcome = model.recommend(query, scratch: scratch)
                if let user = query.user {
                    #expect(
                        outcome.strategy == .als && outcome.fallbackReason == (query.basket.isEmpty ? nil : .noFactors))
                    #expect(scratch.ranked == oracle.ranked(query, by: oracle.user(user.row)), "seed \(seed), \(query)")
                } else {
                    let reason: FallbackReason = query.basket.isEmpty ? .unknownUser : .noFactors
                    #expect(outcome == RecommendationOutcome(strategy: .popular, fallbackReason: reason))
                    #expect(scratch.ranked == oracle.popular(query), "seed \(seed), \(query)")
                }
                #expect(model.popular(query, scratch: scratch) == RecommendationOutcome(strategy: .popular))
                #expect(scratch.ranked == oracle.popular(query), "seed \(seed), \(query)")
            }
        }
    }

    /// Models large enough for sets of places, with and without lengths that tell, before the codes are there and after.
    @Test("read in codes, agree with a naive filter and a full sort", arguments: [1, 2, 3] as [UInt64], [false, true])
    func codesMatchNaive(seed: UInt64, isLongTailed: Bool) throws {
        let directory = try TemporaryDirectory()
        let scratch = RecommendationScratch()
        var rng = SplitMix64(seed: seed)
        // Departments of every density: two items, one in a hundred, a third; and more of them than have sets.
        for (items, factors, hotels, departments) in [(20_000, 16, 4, 5), (3000, 64, 3, 100)] {
            var contents = sampleContents(users: 6, items: items, factors: factors, hotels: hotels, seed: seed)
            if isLongTailed {
                let scaled = contents.factors.itemFactors.enumerated().map { place, value in
                    value / Float(1 + place / factors * 7919 % items)
                }
                contents.factors = Factors(
                    factorCount: factors, userFactors: contents.factors.userFactors, itemFactors: scaled)
            }
            contents.catalogue.departmentIDs = (0..<items).map { item in
                departments == 100
                    ? "d\(item % 100)" : item < 2 ? "two" : item % 100 == 7 ? "few" : item % 3 == 0 ? "third" : nil
            }
            contents.catalogue.hotelIDs.append("small")
            contents.catalogue.hotelItems.append((0..<UInt32(items)).filter { $0 % 97 == 5 })
            let oracle = EngineOracle(contents: contents)
            let model = try openedModel(contents, in: directory)
            let other = try openedModel(sampleContents(items: 700, factors: 64), in: directory)
            model.prepare()
            other.prepare()
            for round in 0..<60 {
                var query = randomQuery(contents, using: &rng)
                query.user = UserIndex(round % 6)
                query.basket = []
                if round % 2 == 0 { query.filter.allow = nil }
                query.k = [0, 1, 10, 10, 40, 1000, items + 7].randomElement(using: &rng) ?? 10
                query.offset = [0, 0, 3, items].randomElement(using: &rng) ?? 0
                query.filter.deny = Array(query.filter.deny.prefix(round * 50))
                if round % 5 == 0 {
                    query.filter.unavailable = (0..<items / 7).map { ItemIndex($0 * 7 % items) }
                }
                #expect(model.recommend(query, scratch: scratch).strategy == .als)
                #expect(scratch.ranked == oracle.ranked(query, by: oracle.user(round % 6)), "seed \(seed), \(query)")
                // A smaller model on the same scratch finds nothing of the larger one's filter in it.
                if round % 10 == 0 {
                    let plain = RecommendationQuery(user: UserIndex(0), k: 700)
                    _ = other.recommend(plain, scratch: scratch)
                    #expect(scratch.count == 700)
                }
            }
        }
    }

    @Test("what is unavailable never comes back, whatever ranks") func unavailable() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(sampleContents(), in: directory)
        let gone = [3, 3, 22, 0].map { ItemIndex($0) }
        let left = (0..<23).filter { ![0, 3, 22].contains($0) }
        #expect(items(ItemFilter(unavailable: gone), model) == left)
        #expect(items(ItemFilter(deny: [ItemIndex(1)], unavailable: gone), model) == left.filter { $0 != 1 })
        #expect(items(ItemFilter(allow: [3, 4].map { ItemIndex($0) }, unavailable: gone), model) == [4])
        let scratch = RecommendationScratch()
        let query = RecommendationQuery(user: nil, k: 30, filter: ItemFilter(unavailable: gone))
        _ = model.similar(to: ItemIndex(5), query, scratch: scratch)
        #expect(scratch.ranked.map(\.item).sorted() == left.filter { $0 != 5 })
    }

    @Test(
        "popularity within hotels is the sum of the orders in them, each hotel once; without counts it is that of all")
    func popularityByHotel() throws {
        let directory = try TemporaryDirectory()
        var contents = sampleContents(items: 6, hotels: 2)
        contents.catalogue.hotelItems = [[0, 1, 2, 3], [2, 3, 5]]
        contents.itemPopularity = [9, 1, 6, 5, 4, 100]
        let scratch = RecommendationScratch()
        func popular(_ model: ModelSnapshot, _ hotels: [Int]) -> [EngineOracle.Ranked] {
            let query = RecommendationQuery(user: nil, k: 9, hotels: hotels.map { HotelIndex($0) })
            #expect(model.recommend(query, scratch: scratch).strategy == .popular)
            let ranked = scratch.ranked
            _ = model.popular(query, scratch: scratch)
            #expect(scratch.ranked == ranked)
            return ranked
        }
        let without = try openedModel(contents, in: directory)
        #expect(popular(without, [0]).map(\.item) == [0, 2, 3, 1])
        contents.hotelPopularity = [[0, 7, 2, 2], [3, 1, 4]]
        let model = try openedModel(contents, in: directory)
        #expect(popular(model, [0]).map(\.item) == [1, 2, 3, 0])
        #expect(popular(model, [0]).map(\.score) == [7, 2, 2, 0])
        #expect(popular(model, [1]).map(\.item) == [5, 2, 3])
        #expect(popular(model, [1, 0, 1]).map(\.item) == [1, 2, 5, 3, 0])
        #expect(popular(model, [1, 0, 1]).map(\.score) == [7, 5, 4, 3, 0])
        // Of a few items of a large hotel too.
        let query = RecommendationQuery(
            user: nil, k: 9, filter: ItemFilter(hotels: [HotelIndex(1)], allow: [3, 5, 4].map { ItemIndex($0) }))
        _ = model.popular(query, scratch: scratch)
        #expect(scratch.ranked.map(\.item) == [5, 3] && scratch.ranked.map(\.score) == [4, 1])
    }

    private func items(_ filter: ItemFilter, _ model: ModelSnapshot) -> [Int] {
        let scratch = RecommendationScratch()
        _ = model.recommend(RecommendationQuery(user: UserIndex(0), k: 1000, filter: filter), scratch: scratch)
        let items = scratch.ranked.map(\.item).sorted()
        _ = model.popular(RecommendationQuery(user: nil, k: 1000, filter: filter), scratch: scratch)
        #expect(scratch.ranked.map(\.item).sorted() == items)
        return items
    }

    @Test("empty lists pass nothing, but for an empty deny list, which denies nothing")
    func emptyLists() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(sampleContents(), in: directory)
        #expect(items(ItemFilter(hotels: []), model).isEmpty)
        #expect(items(ItemFilter(departments: []), model).isEmpty)
        #expect(items(ItemFilter(allow: []), model).isEmpty)
        #expect(items(ItemFilter(deny: []), model) == Array(0..<23))
        #expect(items(ItemFilter(deny: (0..<23).map { ItemIndex($0) }), model).isEmpty)
    }

    @Test("price bounds are inclusive, and an unknown price fails any bound")
    func prices() throws {
        let directory = try TemporaryDirectory()
        // Item i costs 1000 · i; items 3, 10 and 17 have no price.
        let model = try openedModel(sampleContents(), in: directory)
        #expect(items(ItemFilter(minPrice: 2000, maxPrice: 5000), model) == [2, 4, 5])
        #expect(items(ItemFilter(minPrice: 2001, maxPrice: 4999), model) == [4])
        #expect(items(ItemFilter(minPrice: 20_000), model) == [20, 21, 22])
        #expect(items(ItemFilter(maxPrice: 0), model) == [0])
        #expect(items(ItemFilter(maxPrice: -1), model).isEmpty)
        #expect(items(ItemFilter(minPrice: .min, maxPrice: .max), model) == (0..<23).filter { $0 % 7 != 3 })
        #expect(items(ItemFilter(minPrice: 5000, maxPrice: 4000), model).isEmpty)
    }

    @Test("repeated ids count once, and deny wins over allow")
    func repeats() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(sampleContents(), in: directory)
        let allow = [7, 2, 7, 19, 2].map { ItemIndex($0) }
        #expect(items(ItemFilter(allow: allow), model) == [2, 7, 19])
        #expect(items(ItemFilter(allow: allow, deny: [ItemIndex(7), ItemIndex(7)]), model) == [2, 19])
        let department = try #require(model.department(id: "2"))
        #expect(
            items(ItemFilter(departments: [department, department]), model)
                == (0..<23).filter { $0 % 6 != 5 && $0 % 3 == 1 })
    }

    @Test("departments are found by their id, others are not")
    func departmentIDs() throws {
        var contents = sampleContents()
        let ids = ["10", "2", "", "가", "1", "z"]
        contents.catalogue.departmentIDs = (0..<23).map { ids[$0 % 6].isEmpty ? nil : ids[$0 % 6] }
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents, in: directory)
        #expect(model.departmentCount == 5)
        for id in ids where !id.isEmpty {
            let department = try #require(model.department(id: id))
            #expect(
                items(ItemFilter(departments: [department]), model) == (0..<23).filter { ids[$0 % 6] == id }, "\(id)")
        }
        for id in ["", "0", "100", "3", "a", "zz", "가나"] { #expect(model.department(id: id) == nil, "\(id)") }
    }

    @Test("a popular answer within a rare department is found behind the head of the catalogue")
    func rareDepartment() throws {
        var contents = sampleContents(items: 2000, hotels: 2)
        contents.catalogue.departmentIDs = (0..<2000).map { $0 % 500 == 7 ? "rare" : "common" }
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents, in: directory)
        let scratch = RecommendationScratch()
        let rare = try #require(model.department(id: "rare"))
        for k in [1, 3, 4, 9] {
            let query = RecommendationQuery(user: nil, k: k, filter: ItemFilter(departments: [rare]))
            _ = model.popular(query, scratch: scratch)
            #expect(scratch.ranked == EngineOracle(contents: contents).popular(query))
        }
    }

    @Test("an item outside the model is our bug, not a wild read", arguments: [23, -1])
    func outside(row: Int) async throws {
        if row == 23 {
            await #expect(processExitsWith: .failure) {
                let directory = try TemporaryDirectory()
                let query = RecommendationQuery(user: nil, k: 1, filter: ItemFilter(allow: [ItemIndex(23)]))
                _ = try openedModel(sampleContents(), in: directory).popular(query, scratch: RecommendationScratch())
            }
        } else {
            await #expect(processExitsWith: .failure) {
                let directory = try TemporaryDirectory()
                let query = RecommendationQuery(user: nil, k: 1, filter: ItemFilter(deny: [ItemIndex(-1)]))
                _ = try openedModel(sampleContents(), in: directory).popular(query, scratch: RecommendationScratch())
            }
        }
    }
}
