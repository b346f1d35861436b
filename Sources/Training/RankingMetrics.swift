/// How well rankings find what was held back: means over users. See docs/training.md for the definitions.
package struct RankingMetrics: Equatable, Sendable {
    /// Share of a user's relevant items among the first k.
    package let recall: Double
    /// Discounted gain with binary relevance over that of a perfect ranking: 1 when the relevant items come first.
    package let ndcg: Double
    /// Mean average precision, normalised by min(k, relevant items).
    package let map: Double
    /// Share of the items in any candidate set that some user was shown.
    package let coverage: Double
    /// Users who count: those with at least one relevant item.
    package let userCount: Int
    package let k: Int

    package init(recall: Double, ndcg: Double, map: Double, coverage: Double, userCount: Int, k: Int) {
        self.recall = recall
        self.ndcg = ndcg
        self.map = map
        self.coverage = coverage
        self.userCount = userCount
        self.k = k
    }
}

/// What was held back of one user.
package struct HeldOutUser: Equatable, Sendable {
    /// Row in the user factors.
    package let user: UInt32
    /// Which of the candidate sets is ranked: the hotel's row.
    package let candidates: Int
    /// Item rows without repeats, in any order. One that is not a candidate can only be missed: so an item that the model
    /// does not know at all may be any row past its last.
    package let relevant: [UInt32]

    package init(user: UInt32, candidates: Int, relevant: [UInt32]) {
        self.user = user
        self.candidates = candidates
        self.relevant = relevant
    }
}
