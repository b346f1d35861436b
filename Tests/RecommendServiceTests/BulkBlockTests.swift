import FactorModel
import Testing

@testable import RecommendService

/// A block of a bulk answer holds its loop while it is ranked, so it ends by lines, by items or by work.
@Suite("Blocks of a bulk answer") struct BulkBlockTests {
    /// Lines with the same query that a block takes before it is full.
    private func lineCount(_ query: RecommendationQuery, _ contents: ModelContents, explains: Bool = false) throws
        -> Int
    {
        let fixture = try FollowFixture()
        try fixture.publish(contents)
        fixture.follower.look()
        let model = try #require(fixture.store.plan.standard.live)
        var block = BulkBlock()
        block.begin(firstLine: 1)
        var count = 0
        while !block.isFull, count < 1000 {
            let isTaken = block.takes(model)
            try #require(isTaken)
            block.append(query, userID: [1].span, explains: explains, arm: .none)
            count += 1
        }
        return count
    }

    private static let small = FollowFixture.contents(users: 60, items: 2000)

    @Test("128 lines, or as many as want 1000 items") func linesAndItems() throws {
        #expect(try lineCount(RecommendationQuery(user: UserIndex(0), k: 1), Self.small) == 128)
        #expect(try lineCount(RecommendationQuery(user: UserIndex(0), k: 8), Self.small) == 125)
        #expect(try lineCount(RecommendationQuery(user: UserIndex(0), k: 1000), Self.small) == 1)
    }

    @Test("large baskets and explanations are work: a block has few of them, and one in any case") func work() throws {
        let (items, factors) = (400, 200)
        var large = FollowFixture.contents(users: 1, items: items)
        large.factors = Factors(
            factorCount: factors, userFactors: [Float](repeating: 0.1, count: factors),
            itemFactors: [Float](repeating: 0.1, count: items * factors))
        var query = RecommendationQuery(user: nil, k: 1)
        #expect(try lineCount(query, large) == 128)
        query.basket = (0..<100).map { BasketItem(item: ItemIndex($0), count: 1) }
        // (100 + 200 / 3) · 200² each, of 32 million.
        #expect(try lineCount(query, large) == 5)
        query.basket = (0..<items).map { BasketItem(item: ItemIndex($0), count: 1) }
        #expect(try lineCount(query, large) == 2)
        query.basket += query.basket
        #expect(try lineCount(query, large) == 1)
    }
}
