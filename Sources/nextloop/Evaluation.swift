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

    static let leaveLastOut = "last order of each guest held back, ranked among the whole catalogue of its hotel"
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

/// How a published version ranks orders that it has not seen: each guest's last order in `history` is what should have
/// been recommended, among the catalogue that the model knows for that hotel.
///
/// - Returns: nil when no order is of a guest, a hotel and an item that the model knows.
func evaluate(_ snapshot: ModelSnapshot, on history: OrderHistory, lastOrders: [HeldOutOrder]) -> EvaluationRecord? {
    let candidateSets = (0..<snapshot.hotelCount).map { hotel in
        snapshot.withItems(of: HotelIndex(hotel)) { items in items.indices.map { items[$0] } }
    }
    let scratch = RecommendationScratch()
    var heldOut: [HeldOutUser] = []
    var rankings: [[UInt32]] = []
    for order in lastOrders {
        guard let user = snapshot.user(id: history.userIDs[Int(order.user)]),
            let hotel = snapshot.hotel(id: history.catalogue.hotelIDs[Int(order.hotel)])
        else { continue }
        let relevant = order.items.compactMap { snapshot.item(id: history.catalogue.itemIDs[Int($0)]) }
            .map { UInt32($0.row) }.sorted()
        guard !relevant.isEmpty else { continue }
        let query = RecommendationQuery(user: user, k: evaluationDepth, hotels: [hotel])
        _ = snapshot.recommend(query, scratch: scratch)
        rankings.append((0..<scratch.count).map { UInt32(scratch[$0].item.row) })
        heldOut.append(HeldOutUser(user: UInt32(user.row), candidates: hotel.row, relevant: relevant))
    }
    guard !heldOut.isEmpty else { return nil }
    let popularity = (0..<snapshot.itemCount).map { snapshot.popularity(ItemIndex($0)) }
    return EvaluationRecord(
        als: evaluateRankings(rankings, heldOut: heldOut, candidateSets: candidateSets, k: evaluationDepth),
        popularity: evaluatePopularity(
            popularity: popularity, heldOut: heldOut, candidateSets: candidateSets, k: evaluationDepth),
        method: "last order of each known guest in the given files, ranked among the whole catalogue of its hotel")
}

extension String {
    /// Four decimals.
    fileprivate init(format4 value: Double) {
        let scaled = Int((value * 10_000).rounded())
        let decimals = String(scaled % 10_000)
        self = "\(scaled / 10_000)." + String(repeating: "0", count: 4 - decimals.count) + decimals
    }
}
