import FactorModel
import Foundation
import TestSupport
import Testing
import Training

@Suite("Ranking evaluation") struct RankingEvaluationTests {
    /// With one factor and user vector 1 the item factors are the scores.
    private func oneFactor(users: Int = 1, _ scores: [Float]) -> Factors {
        Factors(factorCount: 1, userFactors: Array(repeating: 1, count: users), itemFactors: scores)
    }

    private func log2(_ x: Double) -> Double { Foundation.log(x) / Foundation.log(2) }

    @Test("one user by hand: hits at places 1 and 3 of 4, three relevant")
    func byHand() {
        // Ranking: 4 (hit), 0, 2 (hit), 1; item 3 is relevant and missed.
        let factors = oneFactor([0.8, 0.5, 0.7, 0.1, 0.9])
        let metrics = evaluateRanking(
            factors: factors, heldOut: [HeldOutUser(user: 0, candidates: 0, relevant: [3, 4, 2])],
            candidateSets: [[0, 1, 2, 3, 4]], k: 4, threads: 1)
        let ideal = 1 + 1 / log2(3) + 1 / log2(4)
        #expect(abs(metrics.recall - 2.0 / 3) < 1e-12)
        #expect(abs(metrics.ndcg - (1 + 1 / log2(4)) / ideal) < 1e-12)
        #expect(abs(metrics.map - (1 + 2.0 / 3) / 3) < 1e-12)
        #expect(metrics.coverage == 0.8)
        #expect(metrics.userCount == 1 && metrics.k == 4)
    }

    @Test("with more relevant items than k, a perfect ranking has nDCG and MAP 1 and recall k / relevant")
    func moreRelevantThanK() {
        let metrics = evaluateRanking(
            factors: oneFactor([5, 4, 3, 2, 1]),
            heldOut: [HeldOutUser(user: 0, candidates: 0, relevant: [0, 1, 2, 3])],
            candidateSets: [[0, 1, 2, 3, 4]], k: 2, threads: 1)
        #expect(metrics.recall == 0.5)
        #expect(abs(metrics.ndcg - 1) < 1e-12 && abs(metrics.map - 1) < 1e-12)
    }

    @Test("ties go to the lower item row, whatever the order of the candidates")
    func ties() {
        let factors = oneFactor([1, 1, 1, 1])
        for candidates in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] as [[UInt32]] {
            for (relevant, hit) in [(0, 1.0), (1, 1), (2, 0), (3, 0)] as [(UInt32, Double)] {
                let metrics = evaluateRanking(
                    factors: factors, heldOut: [HeldOutUser(user: 0, candidates: 0, relevant: [relevant])],
                    candidateSets: [candidates], k: 2, threads: 1)
                #expect(metrics.recall == hit)
            }
        }
    }

    @Test("only the hotel's own items are ranked; one that is no candidate is missed")
    func candidates() {
        let factors = oneFactor([9, 8, 1, 2])
        let held = [
            HeldOutUser(user: 0, candidates: 1, relevant: [3]), HeldOutUser(user: 0, candidates: 1, relevant: [0]),
        ]
        let metrics = evaluateRanking(
            factors: factors, heldOut: held, candidateSets: [[0, 1], [2, 3]], k: 1, threads: 2)
        #expect(metrics.recall == 0.5 && metrics.ndcg == 0.5 && metrics.map == 0.5)
        #expect(metrics.coverage == 0.25)  // Item 3 of four.
    }

    @Test("users without relevant items do not count, nor does what they are shown")
    func withoutRelevant() {
        let held = [
            HeldOutUser(user: 0, candidates: 0, relevant: []), HeldOutUser(user: 0, candidates: 1, relevant: [2]),
        ]
        let metrics = evaluateRanking(
            factors: oneFactor([1, 2, 3]), heldOut: held, candidateSets: [[0, 1], [2]], k: 10, threads: 1)
        #expect(metrics.userCount == 1 && metrics.recall == 1)
        #expect(abs(metrics.coverage - 1.0 / 3) < 1e-12)
    }

    @Test("nobody and nothing: zeros, not NaN")
    func nobody() {
        let metrics = evaluateRanking(factors: oneFactor([1]), heldOut: [], candidateSets: [], k: 10, threads: 2)
        #expect(metrics == RankingMetrics(recall: 0, ndcg: 0, map: 0, coverage: 0, userCount: 0, k: 10))
        let empty = evaluatePopularity(
            popularity: [[]], overall: [1], heldOut: [HeldOutUser(user: 0, candidates: 0, relevant: [0])],
            candidateSets: [[]], k: 10)
        #expect(empty == RankingMetrics(recall: 0, ndcg: 0, map: 0, coverage: 0, userCount: 1, k: 10))
    }

    @Test("popularity shows every user of a hotel its most ordered items, ties to the lower row")
    func popularity() {
        let held = (0..<3).map { HeldOutUser(user: $0, candidates: 0, relevant: [UInt32($0)]) }
        let metrics = evaluatePopularity(
            popularity: [[2, 5, 2]], overall: [2, 5, 2, 9], heldOut: held, candidateSets: [[0, 1, 2]], k: 2)
        // Shown: 1, 0. User 0 finds its item second, user 1 first, user 2 not.
        #expect(abs(metrics.recall - 2.0 / 3) < 1e-12)
        #expect(abs(metrics.ndcg - (1 + 1 / log2(3)) / 3) < 1e-12)
        #expect(abs(metrics.map - 0.5) < 1e-12)
        #expect(abs(metrics.coverage - 2.0 / 3) < 1e-12)
    }

    /// The items that popularity shows, best first, asked one place at a time.
    private func shown(_ popularity: [[Double]], _ overall: [Double], _ sets: [[UInt32]], set: Int) -> [UInt32] {
        (1...sets[set].count).compactMap { k in
            sets[set].first { item in
                func recall(_ k: Int) -> Double {
                    k == 0
                        ? 0
                        : evaluatePopularity(
                            popularity: popularity, overall: overall,
                            heldOut: [HeldOutUser(user: 0, candidates: set, relevant: [item])], candidateSets: sets,
                            k: k
                        ).recall
                }
                return recall(k) == 1 && recall(k - 1) == 0
            }
        }
    }

    @Test(
        "a hotel's own orders come first, then those of all hotels, then the lower row, whatever the candidates' order")
    func popularityOfEachHotel() {
        let overall: [Double] = [9, 1, 5, 5, 7]
        // Item 0 is a hit in the first hotel only; items 2 and 3 tie in both counts, item 4 wins over them by all hotels.
        #expect(shown([[8, 1, 1, 1, 1], [1, 4]], overall, [[0, 1, 2, 3, 4], [0, 1]], set: 0) == [0, 4, 2, 3, 1])
        #expect(shown([[8, 1, 1, 1, 1], [1, 4]], overall, [[0, 1, 2, 3, 4], [0, 1]], set: 1) == [1, 0])
        #expect(shown([[1, 1, 8, 1, 1]], overall, [[4, 3, 0, 2, 1]], set: 0) == [0, 4, 2, 3, 1])
    }

    @Test("an item past the last row is missed, and makes recall lower")
    func unknownItem() {
        let known = HeldOutUser(user: 0, candidates: 0, relevant: [0])
        let partlyKnown = HeldOutUser(user: 0, candidates: 0, relevant: [0, 7])
        func recall(_ held: HeldOutUser) -> Double {
            evaluateRanking(
                factors: oneFactor([2, 1]), heldOut: [held], candidateSets: [[0, 1]], k: 1, threads: 1
            ).recall
        }
        #expect(recall(known) == 1)
        #expect(recall(partlyKnown) == 0.5)
    }

    @Test("agrees with a full sort on random data, on any number of threads", arguments: [1, 3, 10, 200])
    func matchesFullSort(k: Int) {
        var rng = SplitMix64(seed: 11)
        // Small whole numbers: exact scores and many ties.
        let users = (0..<40 * 3).map { _ in Float(Int.random(in: -2...2, using: &rng)) }
        let items = (0..<150 * 3).map { _ in Float(Int.random(in: -2...2, using: &rng)) }
        let factors = Factors(factorCount: 3, userFactors: users, itemFactors: items)
        let sets = (0..<4).map { set in (0..<UInt32(150)).filter { _ in rng.next() % 4 <= UInt64(set) } }
        let held = (0..<40).map { user in
            let relevant = (0..<UInt32(150)).filter { _ in rng.next() % 20 == 0 }
            return HeldOutUser(user: UInt32(user), candidates: user % 4, relevant: relevant)
        }
        var recall = 0.0
        var ndcg = 0.0
        var map = 0.0
        var shown: Set<UInt32> = []
        var counted = 0
        for user in held where !user.relevant.isEmpty {
            let ranking = sets[user.candidates].sorted {
                let a = factors.score(Int(user.user), Int($0))
                let b = factors.score(Int(user.user), Int($1))
                return a != b ? a > b : $0 < $1
            }.prefix(k)
            let hits = ranking.map { user.relevant.contains($0) }
            counted += 1
            shown.formUnion(ranking)
            recall += Double(hits.count(where: { $0 })) / Double(user.relevant.count)
            let best = (0..<min(k, user.relevant.count)).map { 1 / log2(Double($0) + 2) }.reduce(0, +)
            ndcg += hits.enumerated().map { $0.element ? 1 / log2(Double($0.offset) + 2) : 0 }.reduce(0, +) / best
            let precisions = hits.indices.filter { hits[$0] }.map { place in
                Double(hits[...place].count(where: { $0 })) / Double(place + 1)
            }
            map += precisions.reduce(0, +) / Double(min(k, user.relevant.count))
        }
        let one = evaluateRanking(factors: factors, heldOut: held, candidateSets: sets, k: k, threads: 1)
        #expect(one.userCount == counted)
        #expect(abs(one.recall - recall / Double(counted)) < 1e-12)
        #expect(abs(one.ndcg - ndcg / Double(counted)) < 1e-12)
        #expect(abs(one.map - map / Double(counted)) < 1e-12)
        #expect(one.coverage == Double(shown.count) / Double(Set(sets.joined()).count))
        for threads in [2, 3, 7] {
            #expect(
                evaluateRanking(factors: factors, heldOut: held, candidateSets: sets, k: k, threads: threads) == one)
        }
    }
}
