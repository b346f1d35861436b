package import FactorModel
import VectorKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Ranks every candidate of each held-out user by x·y and measures the first `k`.
///
/// Nothing is sampled and nothing left out: seen items are ranked too, because guests order again. Equal scores go to
/// the lower item row. A user whose vector is zero scores everything 0, so the lowest rows are shown.
///
/// - Parameters:
///   - candidateSets: the items of each hotel: rows of the item factors, without repeats, in any order.
///   - k: at least 1. Where a hotel has fewer items, all are shown.
///   - threads: changes the time, never the result.
/// - Returns: zeros when no user has a relevant item.
/// - Precondition: factors are finite; the rows and candidate sets that `heldOut` names exist.
/// - Complexity: O(candidates · factors) a user.
package func evaluateRanking(
    factors: Factors, heldOut: [HeldOutUser], candidateSets: [[UInt32]], k: Int, threads: Int
) -> RankingMetrics {
    precondition(k > 0, "BUG: k is not positive")
    let rankings = parallelMap(heldOut.count, threads: threads, scratch: { Ranker() }) { place, ranker in
        let held = heldOut[place]
        precondition(Int(held.user) < factors.userCount, "BUG: user row outside the factors")
        precondition(candidateSets.indices.contains(held.candidates), "BUG: no such candidate set")
        let candidates = candidateSets[held.candidates]
        return best(k, of: candidates, for: Int(held.user), factors, &ranker.top, &ranker.scores)
    }
    return evaluateRankings(rankings, heldOut: heldOut, candidateSets: candidateSets, k: k)
}

/// The baseline that a model has to beat: every user of a hotel is shown what is most popular there.
///
/// - Parameters:
///   - popularity: beside `candidateSets`, of each candidate in its set; not NaN. What is counted, the caller says: orders
///     in that hotel make the strong baseline.
///   - overall: [items], not NaN. Decides between candidates that are equally popular in their set; equals in both go to
///     the lower item row.
/// - Returns: what ``evaluateRanking(factors:heldOut:candidateSets:k:threads:)`` does, for these rankings.
/// - Complexity: one sort of each candidate set.
package func evaluatePopularity(
    popularity: [[Double]], overall: [Double], heldOut: [HeldOutUser], candidateSets: [[UInt32]], k: Int
) -> RankingMetrics {
    precondition(k > 0, "BUG: k is not positive")
    precondition(popularity.count == candidateSets.count, "BUG: not one list of popularity for each candidate set")
    let shown = zip(candidateSets, popularity).map { candidates, popularity in
        precondition(popularity.count == candidates.count, "BUG: not one popularity for each candidate")
        return candidates.indices.sorted { a, b in
            if popularity[a] != popularity[b] { return popularity[a] > popularity[b] }
            let overallA = overall[Int(candidates[a])]
            let overallB = overall[Int(candidates[b])]
            return overallA != overallB ? overallA > overallB : candidates[a] < candidates[b]
        }.prefix(k).map { candidates[$0] }
    }
    return evaluateRankings(
        heldOut.map { shown[$0.candidates] }, heldOut: heldOut, candidateSets: candidateSets, k: k)
}

/// Measures rankings made in any way.
///
/// - Parameters:
///   - rankings: beside `heldOut`; item rows, best first, at most `k`, without repeats.
///   - candidateSets: what could have been shown; for the coverage.
/// - Returns: means over the users with a relevant item, summed in their order: the same bits every time.
package func evaluateRankings(
    _ rankings: [[UInt32]], heldOut: [HeldOutUser], candidateSets: [[UInt32]], k: Int
) -> RankingMetrics {
    precondition(rankings.count == heldOut.count, "BUG: not one ranking for each user")
    var userCount = 0
    var sum = UserMetrics()
    var shown: Set<UInt32> = []
    for (ranking, held) in zip(rankings, heldOut) where !held.relevant.isEmpty {
        let metrics = UserMetrics(ranking: ranking, relevant: held.relevant, k: k)
        userCount += 1
        sum.recall += metrics.recall
        sum.ndcg += metrics.ndcg
        sum.averagePrecision += metrics.averagePrecision
        shown.formUnion(ranking)
    }
    let candidates = candidateSets.reduce(into: Set<UInt32>()) { $0.formUnion($1) }
    let users = Double(max(userCount, 1))
    return RankingMetrics(
        recall: sum.recall / users, ndcg: sum.ndcg / users, map: sum.averagePrecision / users,
        coverage: candidates.isEmpty ? 0 : Double(shown.count) / Double(candidates.count),
        userCount: userCount, k: k)
}

/// One user's part of the means.
struct UserMetrics: Equatable {
    var recall = 0.0
    var ndcg = 0.0
    var averagePrecision = 0.0

    init() {}

    /// - Parameters:
    ///   - ranking: item rows, best first; at most `k`, without repeats.
    ///   - relevant: item rows, at least one, without repeats.
    init(ranking: [UInt32], relevant: [UInt32], k: Int) {
        precondition(!relevant.isEmpty && k > 0 && ranking.count <= k, "BUG: nothing to measure")
        let wanted = Set(relevant)
        var hits = 0
        for (place, item) in ranking.enumerated() where wanted.contains(item) {
            hits += 1
            ndcg += Self.discount(place)
            averagePrecision += Double(hits) / Double(place + 1)
        }
        let findable = min(k, wanted.count)
        recall = Double(hits) / Double(wanted.count)
        ndcg /= (0..<findable).reduce(0) { $0 + Self.discount($1) }
        averagePrecision /= Double(findable)
    }

    /// What a hit at `place`, from 0, is worth.
    private static func discount(_ place: Int) -> Double { 1 / log2(Double(place + 2)) }
}

/// One thread's memory for ranking.
private struct Ranker: ~Copyable {
    var top = TopK()
    var scores: [Float] = []
}

/// The best `k` candidates of one user, best first.
private func best(
    _ k: Int, of candidates: [UInt32], for user: Int, _ factors: Factors, _ top: inout TopK, _ scores: inout [Float]
) -> [UInt32] {
    if scores.count != candidates.count { scores = [Float](repeating: 0, count: candidates.count) }
    let first = user * factors.factorCount
    let query = factors.userFactors.span.extracting(first..<first + factors.factorCount)
    var span = scores.mutableSpan
    scoreRows(query, factors.itemFactors.span, rows: candidates.span, into: &span)
    top.reset(k: k)
    top.offer(rows: candidates.span, scores: scores.span)
    return top.rowsBestFirst()
}

extension TopK {
    fileprivate mutating func rowsBestFirst() -> [UInt32] {
        sortBestFirst()
        return (0..<count).map { self[$0].row }
    }
}
