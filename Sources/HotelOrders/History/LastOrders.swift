/// Each user's latest order by (reg_date, order_seq), and whether there were at least two.
///
/// Item lists lie in one arena. An order that fits takes the place of the one before; otherwise it is appended, and the
/// arena is packed when half of it is unused.
struct LastOrders {
    private struct Entry {
        var regDate: Int64
        var orderSeq: Int64
        var hotel: UInt32
        var start: Int
        var itemCount: UInt32
        var capacity: UInt32
        var hasSeveral: Bool
    }

    private var entries: [Entry] = []
    private var arena: [UInt32] = []
    private var unused = 0

    /// - Parameters:
    ///   - user: an index already known, or the next one.
    ///   - items: of the order, with repeats.
    mutating func add(user: UInt32, regDate: Int64, orderSeq: Int64, hotel: UInt32, items: [UInt32]) {
        let user = Int(user)
        if user == entries.count {
            entries.append(
                Entry(
                    regDate: regDate, orderSeq: orderSeq, hotel: hotel, start: arena.count,
                    itemCount: UInt32(items.count), capacity: UInt32(items.count), hasSeveral: false))
            arena.append(contentsOf: items)
            return
        }
        entries[user].hasSeveral = true
        let entry = entries[user]
        if (regDate, orderSeq) <= (entry.regDate, entry.orderSeq) { return }
        entries[user].regDate = regDate
        entries[user].orderSeq = orderSeq
        entries[user].hotel = hotel
        entries[user].itemCount = UInt32(items.count)
        if items.count <= Int(entry.capacity) {
            for (offset, item) in items.enumerated() { arena[entry.start + offset] = item }
            return
        }
        unused += Int(entry.capacity)
        entries[user].capacity = UInt32(items.count)
        entries[user].start = arena.count
        arena.append(contentsOf: items)
        if unused > arena.count / 2 { pack() }
    }

    private mutating func pack() {
        var packed: [UInt32] = []
        packed.reserveCapacity(arena.count - unused)
        for user in entries.indices {
            let start = entries[user].start
            entries[user].start = packed.count
            packed.append(contentsOf: arena[start..<start + Int(entries[user].capacity)])
        }
        arena = packed
        unused = 0
    }

    /// The user's latest order, and whether there were others before it.
    func latest(user: UInt32) -> (hotel: UInt32, items: ArraySlice<UInt32>, hasSeveral: Bool) {
        let entry = entries[Int(user)]
        return (entry.hotel, arena[entry.start..<entry.start + Int(entry.itemCount)], entry.hasSeveral)
    }
}
