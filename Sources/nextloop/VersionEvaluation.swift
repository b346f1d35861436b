import FactorModel
import HotelOrders
import ModelRegistry
import Training

/// How a published version ranks orders from exports: each guest's last order in them is what should have been
/// recommended, among the catalogue that the version knows for that hotel.
struct VersionEvaluation {
    let ranking: EvaluationRecord
    let version: Int
    /// Last orders that cannot be ranked: of guests whom the version does not know, and in hotels that it does not know.
    let guestsLeftOut: Int
    let hotelsLeftOut: Int
    /// Different items of the ranked orders that the version does not know. They count, as items that were missed.
    let itemsMissed: Int
    /// Whether the version learned from orders as late as these: its figures are then praise of itself. Nil when its
    /// manifest does not say, as of an import.
    let seenInTraining: Bool?

    private static let method =
        "last order of each known guest in the given files, ranked among the catalogue of its hotel; items that the "
        + "version does not know are missed; popularity: order lines in all hotels, as the model file has them"
}

extension VersionEvaluation: Encodable {
    private enum CodingKeys: String, CodingKey {
        case version
        case guestsLeftOut = "orders_of_unknown_guests"
        case hotelsLeftOut = "orders_in_unknown_hotels"
        case itemsMissed = "unknown_items"
        case seenInTraining = "seen_in_training"
    }

    /// The keys of the manifest's `evaluation`, and these beside them.
    func encode(to encoder: any Encoder) throws {
        try ranking.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(version, forKey: .version)
        try container.encode(guestsLeftOut, forKey: .guestsLeftOut)
        try container.encode(hotelsLeftOut, forKey: .hotelsLeftOut)
        try container.encode(itemsMissed, forKey: .itemsMissed)
        try container.encode(seenInTraining, forKey: .seenInTraining)
    }
}

extension VersionEvaluation {
    /// - Parameter trainedUntil: `data.last_order_at` of the version's manifest.
    /// - Returns: nil when no order is of a guest and in a hotel that the version knows.
    init?(_ snapshot: ModelSnapshot, version: Int, trainedUntil: String?, on history: OrderHistory) {
        let candidateSets = (0..<snapshot.hotelCount).map { hotel in
            snapshot.withItems(of: HotelIndex(hotel)) { items in items.indices.map { items[$0] } }
        }
        let itemRows = history.itemRows(in: snapshot)
        let scratch = RecommendationScratch()
        var heldOut: [HeldOutUser] = []
        var rankings: [[UInt32]] = []
        var unknownItems: Set<UInt32> = []
        var guestsLeftOut = 0
        var hotelsLeftOut = 0
        for order in history.heldOut + history.onlyOrders {
            guard let user = snapshot.user(id: history.userIDs[Int(order.user)]) else {
                guestsLeftOut += 1
                continue
            }
            guard let hotel = snapshot.hotel(id: history.catalogue.hotelIDs[Int(order.hotel)]) else {
                hotelsLeftOut += 1
                continue
            }
            let query = RecommendationQuery(user: user, k: evaluationDepth, hotels: [hotel])
            _ = snapshot.recommend(query, scratch: scratch)
            rankings.append((0..<scratch.count).map { UInt32(scratch[$0].item.row) })
            let relevant = order.items.map { itemRows[Int($0)] }
            heldOut.append(HeldOutUser(user: UInt32(user.row), candidates: hotel.row, relevant: relevant))
            unknownItems.formUnion(relevant.filter { Int($0) >= snapshot.itemCount })
        }
        guard !heldOut.isEmpty else { return nil }
        let overall = (0..<snapshot.itemCount).map { Double(snapshot.popularity(ItemIndex($0))) }
        ranking = EvaluationRecord(
            als: evaluateRankings(rankings, heldOut: heldOut, candidateSets: candidateSets, k: evaluationDepth),
            popularity: evaluatePopularity(
                popularity: candidateSets.map { $0.map { overall[Int($0)] } }, overall: overall, heldOut: heldOut,
                candidateSets: candidateSets, k: evaluationDepth),
            method: Self.method)
        self.version = version
        self.guestsLeftOut = guestsLeftOut
        self.hotelsLeftOut = hotelsLeftOut
        itemsMissed = unknownItems.count
        // Times are written as YYYY-MM-DD hh:mm:ss: their order as text is their order in time.
        seenInTraining = trainedUntil.flatMap { end in history.summary.firstOrderAt.map { $0 <= end } }
    }
}

extension OrderHistory {
    /// The version's row of each item; rows past its last, each a different one, for items that it does not know.
    fileprivate func itemRows(in snapshot: ModelSnapshot) -> [UInt32] {
        catalogue.itemIDs.enumerated().map { place, id in
            UInt32(snapshot.item(id: id)?.row ?? snapshot.itemCount + place)
        }
    }
}
