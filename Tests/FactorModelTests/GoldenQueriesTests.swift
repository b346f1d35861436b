import FactorModel
import TestSupport
import Testing

@Suite("Golden queries") struct GoldenQueriesTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Random vectors of `seed`; users in `without` have none.
    private func contents(users: Int = 40, items: Int = 30, seed: UInt64 = 7, without: Set<Int> = []) -> ModelContents {
        var random = SplitMix64(seed: seed)
        func vector() -> [Float] { (0..<8).map { _ in Float.random(in: -1...1, using: &random) } }
        let userFactors = (0..<users).flatMap { user in
            let made = vector()
            return without.contains(user) ? Array(repeating: Float(0), count: 8) : made
        }
        return ModelContents(
            userIDs: (0..<users).map { "u\($0)" },
            catalogue: Catalogue(
                itemIDs: (0..<items).map { "i\($0)" }, names: Array(repeating: "", count: items),
                prices: Array(repeating: nil, count: items), departmentIDs: Array(repeating: nil, count: items),
                hotelIDs: [], hotelItems: []),
            factors: Factors(
                factorCount: 8, userFactors: userFactors, itemFactors: (0..<items).flatMap { _ in vector() }),
            interactions: InteractionMatrix(
                rowCount: users, columnCount: items, indptr: Array(repeating: 0, count: users + 1), indices: [],
                values: []),
            itemPopularity: Array(repeating: 1, count: items))
    }

    private func snapshot(_ contents: ModelContents, _ name: String = "m") throws -> ModelSnapshot {
        try writeModelFile(contents, to: directory.file(name))
        return try ModelSnapshot.open(path: directory.file(name))
    }

    @Test("are spread over the users, say what a recommendation says, and agree with the model that made them")
    func agreement() throws {
        let model = try snapshot(contents(users: 100))
        let golden = model.goldenQueries()
        #expect(golden.queries.count == GoldenQueries.count)
        #expect(golden.queries.map(\.user).prefix(3) == ["u0", "u3", "u6"])
        #expect(golden == model.goldenQueries())
        let scratch = RecommendationScratch()
        _ = model.recommend(RecommendationQuery(user: UserIndex(3), k: 10), scratch: scratch)
        #expect(golden.queries[1].items.map(\.score) == (0..<10).map { scratch[$0].score })
        #expect(golden.queries[1].items.map(\.id) == (0..<10).map { "i\(scratch[$0].item.row)" })
        #expect(model.disagreement(with: golden) == nil)
        model.prepare()
        #expect(model.disagreement(with: golden) == nil, "by codes too")
    }

    @Test("pass over users without a vector; a model of such users has none")
    func withoutVectors() throws {
        let half = try snapshot(contents(without: Set(0..<20)), "half").goldenQueries()
        #expect(!half.queries.isEmpty)
        #expect(half.queries.allSatisfy { (Int($0.user.dropFirst()) ?? 0) >= 20 })
        #expect(try snapshot(contents(without: Set(0..<40)), "none").goldenQueries().queries.isEmpty)
        #expect(try snapshot(contents(users: 3), "few").goldenQueries().queries.count == 3)
        #expect(try snapshot(contents(items: 4), "small").goldenQueries().queries.allSatisfy { $0.items.count == 4 })
    }

    @Test("a score that is off by more than the order of a sum can make it is a disagreement, one within is not")
    func tolerance() throws {
        let model = try snapshot(contents())
        var golden = model.goldenQueries()
        let score = golden.queries[5].items[4].score
        golden.queries[5].items[4].score = score.nextUp
        #expect(model.disagreement(with: golden) == nil)
        golden.queries[5].items[4].score = score + 1e-4
        let told = try #require(model.disagreement(with: golden))
        #expect(told.hasPrefix("golden query 6 of 32: "), "\(told)")
        #expect(told.contains("at rank 5"), "\(told)")
        #expect(!told.contains("u6"), "no id in a reason")
        #expect(model.disagreement(with: golden, count: 5) == nil, "asked are the first five")
    }

    @Test("another item, one that is missing, an unknown user and too few items are disagreements")
    func kinds() throws {
        let model = try snapshot(contents())
        let golden = model.goldenQueries()
        func told(_ change: (inout GoldenQueries.Query) -> Void) -> String {
            var changed = golden
            change(&changed.queries[0])
            return model.disagreement(with: changed) ?? ""
        }
        let last = try #require(golden.queries.last)
        let outsider = try #require(
            (0..<30).map { "i\($0)" }.first { id in !golden.queries[0].items.contains { $0.id == id } })
        #expect(told { $0.items[2].id = outsider }.contains("another item at rank 3"))
        #expect(told { $0.items.swapAt(0, 9) }.contains("at rank 1"))
        #expect(told { $0.items[0].id = "x" }.contains("item that is not in the model"))
        #expect(told { $0.items.removeLast() }.contains("gets 10 items, wanted 9"))
        #expect(told { $0.user = "nobody" }.contains("its user is not in the model"))
        #expect(told { $0.user = last.user }.contains("at rank"))
    }

    @Test("items of equal scores may change places") func ties() throws {
        var tied = contents(items: 12)
        var items = tied.factors.itemFactors
        for factor in 0..<8 { items[8 + factor] = items[factor] }
        tied.factors = Factors(factorCount: 8, userFactors: tied.factors.userFactors, itemFactors: items)
        let model = try snapshot(tied)
        var golden = model.goldenQueries()
        let place = try #require(
            golden.queries.firstIndex { Set($0.items.map(\.id)).isSuperset(of: ["i0", "i1"]) })
        let ranks = golden.queries[place].items.indices.filter {
            ["i0", "i1"].contains(golden.queries[place].items[$0].id)
        }
        golden.queries[place].items.swapAt(ranks[0], ranks[1])
        #expect(model.disagreement(with: golden) == nil)
    }
}
