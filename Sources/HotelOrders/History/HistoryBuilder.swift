import FactorModel

/// Collects purchases row by row and makes an `OrderHistory` of them.
///
/// Nothing depends on the order in which rows come: rows get indices as they appear, and final row numbers by sorting.
/// Memory: about 24 bytes a distinct (user, item) pair while merging, 100 bytes a user, 5 MB for 10 million orders.
struct HistoryBuilder: PurchaseSink {
    /// Float holds every whole number up to here, so that held-out lines can be subtracted exactly.
    static let strengthMax: UInt32 = 1 << 24

    private var users = NumberIndex()
    private var items = NumberIndex()
    private var hotels = NumberIndex()
    /// (item, hotel) pairs, packed.
    private var sales = NumberIndex()
    /// Order lines of each pair, at the same places.
    private var saleCounts: [Int] = []
    private var pairs = PairCounter()
    private var lastOrders = LastOrders()
    private var details = ItemDetails()
    private var orderItems: [UInt32] = []

    /// Adds the usable elements of a row that has at least one.
    ///
    /// The strength of (user, item) grows by one for each line. A weight by age would go here: the row knows its date,
    /// and `PairCounter` is the only place that assumes whole numbers.
    mutating func add(
        _ row: OrderRow, _: Span<UInt8>, _: [CSVField], _: OrderHeader, _ contents: ContentsParser
    ) {
        let user = users.index(of: UInt64(row.customerSeq))
        let hotel = hotels.index(of: UInt64(row.hotelSeq))
        orderItems.removeAll(keepingCapacity: true)
        for (place, element) in contents.elements.enumerated() where element.problem == nil {
            guard let itemSeq = element.itemSeq.value else { continue }
            let item = items.index(of: UInt64(itemSeq))
            let stamp = ItemDetails.Stamp(regDate: row.regDate, orderSeq: row.orderSeq, place: Int32(place))
            details.add(item: item, stamp: stamp, element, names: contents.names)
            let sale = Int(sales.index(of: UInt64(item) << 32 | UInt64(hotel)))
            if sale == saleCounts.count { saleCounts.append(0) }
            saleCounts[sale] += 1
            pairs.add(user, item)
            orderItems.append(item)
        }
        lastOrders.add(user: user, regDate: row.regDate, orderSeq: row.orderSeq, hotel: hotel, items: orderItems)
    }

    consuming func finish(_ summary: OrderSummary) -> OrderHistory {
        pairs.merge()
        let usersByRow = users.sortedIndices()
        let hotelsByRow = hotels.sortedIndices()
        let hotelRows = Self.rows(hotelsByRow)
        let itemsByRow = itemsByRow(hotelRows)
        let itemRows = Self.rows(itemsByRow)
        let hotelSales = hotelSales(itemRows, hotelRows)
        let interactions = interactions(Self.rows(usersByRow), itemRows, usersByRow.count, itemsByRow.count)
        let heldOut = latestOrders(usersByRow, itemRows, hotelRows, ofUsersWithSeveral: true)
        var summary = summary
        summary.users = usersByRow.count
        summary.items = itemsByRow.count
        summary.hotels = hotelsByRow.count
        summary.interactions = interactions.interactionCount
        summary.heldOutOrders = heldOut.count
        return OrderHistory(
            userIDs: usersByRow.map { String(users.numbers[Int($0)]) },
            catalogue: catalogue(itemsByRow, hotelsByRow, hotelSales.items),
            orderLineCounts: hotelSales.counts, interactions: interactions, heldOut: heldOut,
            onlyOrders: latestOrders(usersByRow, itemRows, hotelRows, ofUsersWithSeveral: false), summary: summary)
    }

    /// The row of each index, from the index of each row.
    private static func rows(_ indicesByRow: [UInt32]) -> [UInt32] {
        var rows = [UInt32](repeating: 0, count: indicesByRow.count)
        for (row, index) in indicesByRow.enumerated() { rows[Int(index)] = UInt32(row) }
        return rows
    }

    private func itemsByRow(_ hotelRows: [UInt32]) -> [UInt32] {
        var firstHotel = [UInt32](repeating: .max, count: items.count)
        for sale in sales.numbers {
            let item = Int(sale >> 32)
            firstHotel[item] = min(firstHotel[item], hotelRows[Int(UInt32(truncatingIfNeeded: sale))])
        }
        return (0..<UInt32(items.count)).sorted { a, b in
            (firstHotel[Int(a)], items.numbers[Int(a)]) < (firstHotel[Int(b)], items.numbers[Int(b)])
        }
    }

    /// The items of each hotel, item rows ascending, and their order lines there, at the same places.
    private func hotelSales(_ itemRows: [UInt32], _ hotelRows: [UInt32]) -> (items: [[UInt32]], counts: [[Int]]) {
        var salesOfHotels = [[(item: UInt32, count: Int)]](repeating: [], count: hotels.count)
        for (sale, count) in zip(sales.numbers, saleCounts) {
            let hotel = Int(hotelRows[Int(UInt32(truncatingIfNeeded: sale))])
            salesOfHotels[hotel].append((itemRows[Int(sale >> 32)], count))
        }
        for hotel in salesOfHotels.indices { salesOfHotels[hotel].sort { $0.item < $1.item } }
        return (salesOfHotels.map { $0.map(\.item) }, salesOfHotels.map { $0.map(\.count) })
    }

    private func catalogue(_ itemsByRow: [UInt32], _ hotelsByRow: [UInt32], _ hotelItems: [[UInt32]]) -> Catalogue {
        Catalogue(
            itemIDs: itemsByRow.map { String(items.numbers[Int($0)]) }, names: itemsByRow.map { details.name($0) },
            prices: itemsByRow.map { details.price($0) }, departmentIDs: itemsByRow.map { details.departmentID($0) },
            hotelIDs: hotelsByRow.map { String(hotels.numbers[Int($0)]) }, hotelItems: hotelItems)
    }

    /// One counting sort by user row, then each row sorted by item row.
    private func interactions(
        _ userRows: [UInt32], _ itemRows: [UInt32], _ userCount: Int, _ itemCount: Int
    ) -> InteractionMatrix {
        var indptr = [UInt64](repeating: 0, count: userCount + 1)
        for pair in pairs.pairs { indptr[Int(userRows[Int(pair >> 32)]) + 1] += 1 }
        for row in 0..<userCount { indptr[row + 1] += indptr[row] }
        var indices = [UInt32](repeating: 0, count: pairs.pairs.count)
        var values = [Float](repeating: 0, count: pairs.pairs.count)
        var place = 0
        var entries: [UInt64] = []
        while place < pairs.pairs.count {
            let user = pairs.pairs[place] >> 32
            entries.removeAll(keepingCapacity: true)
            while place < pairs.pairs.count && pairs.pairs[place] >> 32 == user {
                let item = itemRows[Int(UInt32(truncatingIfNeeded: pairs.pairs[place]))]
                entries.append(UInt64(item) << 32 | UInt64(min(pairs.counts[place], Self.strengthMax)))
                place += 1
            }
            entries.sort()
            let start = Int(indptr[Int(userRows[Int(user)])])
            for (offset, entry) in entries.enumerated() {
                indices[start + offset] = UInt32(entry >> 32)
                values[start + offset] = Float(UInt32(truncatingIfNeeded: entry))
            }
        }
        return InteractionMatrix(
            rowCount: userCount, columnCount: itemCount, indptr: indptr, indices: indices, values: values)
    }

    private func latestOrders(
        _ usersByRow: [UInt32], _ itemRows: [UInt32], _ hotelRows: [UInt32], ofUsersWithSeveral several: Bool
    ) -> [HeldOutOrder] {
        var latest: [HeldOutOrder] = []
        for (row, user) in usersByRow.enumerated() {
            let order = lastOrders.latest(user: user)
            if order.hasSeveral != several { continue }
            var rows: [UInt32] = []
            var counts: [UInt32] = []
            for itemRow in order.items.map({ itemRows[Int($0)] }).sorted() {
                if rows.last == itemRow {
                    counts[counts.count - 1] += 1
                } else {
                    rows.append(itemRow)
                    counts.append(1)
                }
            }
            latest.append(
                HeldOutOrder(user: UInt32(row), hotel: hotelRows[Int(order.hotel)], items: rows, counts: counts))
        }
        return latest
    }
}
