import FactorModel
import HotelOrders
import ModelRegistry
import Training

/// Ranks shown to a guest at once; what every figure is "at".
let evaluationDepth = 10

extension EvaluationRecord {
    init(als: RankingMetrics, popularity: RankingMetrics, method: String) {
        self.init(
            method: method, k: als.k, users: als.userCount, als: Metrics(als), popularity: Metrics(popularity))
    }

    /// The figures as a table for a person.
    var table: [[String]] {
        func row(_ name: String, _ metrics: Metrics) -> [String] {
            [name] + [metrics.recall, metrics.ndcg, metrics.map, metrics.coverage].map { String(format4: $0) }
        }
        return [
            ["", "recall@\(k)", "nDCG@\(k)", "MAP@\(k)", "coverage"], row("als", als), row("popularity", popularity),
        ]
    }

    static let leaveLastOut =
        "last order of each guest held back, ranked among the whole catalogue of its hotel; "
        + "popularity: order lines in that hotel, held-back orders left out"
}

extension EvaluationRecord.Metrics {
    init(_ metrics: RankingMetrics) {
        self.init(recall: metrics.recall, ndcg: metrics.ndcg, map: metrics.map, coverage: metrics.coverage)
    }
}

extension OrderHistory {
    /// The held-back orders as the ranking metrics want them.
    var heldOutUsers: [HeldOutUser] {
        heldOut.map { HeldOutUser(user: $0.user, candidates: Int($0.hotel), relevant: $0.items) }
    }

    var dataRecord: DataRecord {
        DataRecord(
            ordersRead: summary.orders, orderLines: summary.orderLines, interactions: summary.interactions,
            users: summary.users, items: summary.items, hotels: summary.hotels, rowsRejected: summary.rejectedRows,
            rejectedByReason: summary.rejected.byLabel, skippedByReason: summary.skipped.byLabel,
            firstOrderAt: summary.firstOrderAt, lastOrderAt: summary.lastOrderAt)
    }
}

extension OrderHistory {
    /// The baseline on the split that training sees: how often each item of a menu was ordered in that hotel.
    var popularityMetrics: RankingMetrics {
        let counts = trainingPopularity()
        var overall = [Double](repeating: 0, count: catalogue.itemCount)
        for (items, counts) in zip(candidateSets, counts) {
            for (item, count) in zip(items, counts) { overall[Int(item)] += Double(count) }
        }
        return evaluatePopularity(
            popularity: counts.map { $0.map { Double($0) } }, overall: overall, heldOut: heldOutUsers,
            candidateSets: candidateSets, k: evaluationDepth)
    }
}

extension String {
    /// Four decimals.
    fileprivate init(format4 value: Double) {
        let scaled = Int((value * 10_000).rounded())
        let decimals = String(scaled % 10_000)
        self = "\(scaled / 10_000)." + String(repeating: "0", count: 4 - decimals.count) + decimals
    }
}
