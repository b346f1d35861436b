package import FactorModel

/// What training needs of a set of exports, and nothing personal: numbers of guests, orders of menu items.
package struct OrderHistory: Equatable, Sendable {
    /// customer_seq in decimal, ascending by number: user rows.
    package let userIDs: [String]
    /// Items sorted by (lowest number of a hotel that sold them, number), so that a hotel's items lie together; hotels
    /// sorted by number.
    package let catalogue: Catalogue
    /// How often each item was ordered in each hotel: order lines, at the places of `catalogue.hotelItems`.
    package let orderLineCounts: [[Int]]
    /// All order lines kept. A strength is the number of order lines, not the number of pieces: see `docs/orders.md`.
    package let interactions: InteractionMatrix
    /// The last order of each user who has at least two, users ascending.
    package let heldOut: [HeldOutOrder]
    /// The order of each user who has just one: nothing would be left to learn from if it were held out, but a model that
    /// was trained on other files can be measured by it.
    package let onlyOrders: [HeldOutOrder]
    package let summary: OrderSummary

    /// The item rows that a held-out order of each hotel is ranked among: the whole menu of that hotel.
    package var candidateSets: [[UInt32]] { catalogue.hotelItems }

    /// How often each candidate was ordered in its hotel, held-out orders left out: order lines, at the places of
    /// ``candidateSets``. An item that only held-out orders have is a candidate with 0.
    package func trainingPopularity() -> [[Int]] {
        var counts = orderLineCounts
        for order in heldOut {
            let menu = catalogue.hotelItems[Int(order.hotel)]
            var place = 0
            // Both lists ascend.
            for (item, count) in zip(order.items, order.counts) {
                while menu[place] != item { place += 1 }
                counts[Int(order.hotel)][place] -= Int(count)
            }
        }
        return counts
    }

    /// The interactions without the held-out orders, the same shape: a user row may be empty, an item row too.
    ///
    /// Strengths are whole numbers that Float holds exactly, so a line that was added is taken away without a rest.
    package func trainingSplit() -> InteractionMatrix {
        var indptr: [UInt64] = [0]
        var indices: [UInt32] = []
        var values: [Float] = []
        indptr.reserveCapacity(interactions.rowCount + 1)
        indices.reserveCapacity(interactions.interactionCount)
        values.reserveCapacity(interactions.interactionCount)
        var nextHeldOut = 0
        for user in 0..<interactions.rowCount {
            var order: HeldOutOrder?
            if nextHeldOut < heldOut.count && heldOut[nextHeldOut].user == UInt32(user) {
                order = heldOut[nextHeldOut]
                nextHeldOut += 1
            }
            var nextItem = 0
            for place in interactions.range(ofRow: user) {
                var strength = interactions.values[place]
                if let order, nextItem < order.items.count, order.items[nextItem] == interactions.indices[place] {
                    strength -= Float(order.counts[nextItem])
                    nextItem += 1
                }
                if strength > 0 {
                    indices.append(interactions.indices[place])
                    values.append(strength)
                }
            }
            indptr.append(UInt64(indices.count))
        }
        return InteractionMatrix(
            rowCount: interactions.rowCount, columnCount: interactions.columnCount, indptr: indptr, indices: indices,
            values: values)
    }
}

/// One user's last order, which can be kept back to measure recommendations by.
package struct HeldOutOrder: Equatable, Sendable {
    /// User row.
    package let user: UInt32
    /// Hotel row: which menu the order was chosen from.
    package let hotel: UInt32
    /// Item rows, ascending, no repeats.
    package let items: [UInt32]
    /// Order lines of each item, at the same places.
    package let counts: [UInt32]
}
