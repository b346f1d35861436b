/// Counts pairs (user, item) in memory proportional to the distinct pairs, not to the lines.
///
/// Lines are collected unsorted, and merged into the sorted list of pairs when they are a quarter of it: 12 bytes a pair,
/// twice that while merging.
struct PairCounter {
    /// Ascending, user in the upper half.
    private(set) var pairs: [UInt64] = []
    /// At the same places; stays at its greatest value instead of overflowing.
    private(set) var counts: [UInt32] = []
    private var pending: [UInt64] = []
    private let pendingMin: Int

    init(pendingMin: Int = 1 << 16) { self.pendingMin = pendingMin }

    mutating func add(_ user: UInt32, _ item: UInt32) {
        pending.append(UInt64(user) << 32 | UInt64(item))
        if pending.count >= max(pendingMin, pairs.count / 4) { merge() }
    }

    /// Merges what is pending: afterwards `pairs` and `counts` are complete.
    mutating func merge() {
        if pending.isEmpty { return }
        pending.sort()
        var mergedPairs: [UInt64] = []
        var mergedCounts: [UInt32] = []
        mergedPairs.reserveCapacity(pairs.count + pending.count)
        mergedCounts.reserveCapacity(pairs.count + pending.count)
        var old = 0
        var new = 0
        while old < pairs.count || new < pending.count {
            if new == pending.count || (old < pairs.count && pairs[old] < pending[new]) {
                mergedPairs.append(pairs[old])
                mergedCounts.append(counts[old])
                old += 1
                continue
            }
            let pair = pending[new]
            var count: UInt32 = 0
            if old < pairs.count && pairs[old] == pair {
                count = counts[old]
                old += 1
            }
            while new < pending.count && pending[new] == pair {
                if count < .max { count += 1 }
                new += 1
            }
            mergedPairs.append(pair)
            mergedCounts.append(count)
        }
        pairs = mergedPairs
        counts = mergedCounts
        pending.removeAll(keepingCapacity: true)
    }
}
