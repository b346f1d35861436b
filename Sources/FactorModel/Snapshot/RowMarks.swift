/// A set of item rows that is read off in ascending order: how lists of ids are sorted, joined and made distinct without a sort,
/// which would allocate.
///
/// One bit a row, and above it one bit for each word that has any: reading n rows off costs O(n + items / 4096).
struct RowMarks {
    /// All zero between uses.
    private var words: [UInt64] = []
    private var summary: [UInt64] = []

    /// Makes room for rows below `rowCount`.
    mutating func reserve(_ rowCount: Int) {
        let wordCount = (rowCount + 63) / 64
        guard words.count < wordCount else { return }
        words += [UInt64](repeating: 0, count: wordCount - words.count)
        summary += [UInt64](repeating: 0, count: (wordCount + 63) / 64 - summary.count)
    }

    mutating func insert(_ row: UInt32) {
        let word = Int(row / 64)
        words[word] |= 1 << UInt64(row % 64)
        summary[word / 64] |= 1 << UInt64(word % 64)
    }

    mutating func insert(_ rows: Span<UInt32>) {
        for place in rows.indices { insert(rows[place]) }
    }

    /// Empties the set into `rows`, which it replaces: ascending, each once.
    mutating func drain(into rows: inout [UInt32]) {
        rows.removeAll(keepingCapacity: true)
        for group in summary.indices where summary[group] != 0 {
            var groups = summary[group]
            summary[group] = 0
            while groups != 0 {
                let word = group * 64 + groups.trailingZeroBitCount
                groups &= groups - 1
                var bits = words[word]
                words[word] = 0
                while bits != 0 {
                    rows.append(UInt32(word * 64 + bits.trailingZeroBitCount))
                    bits &= bits - 1
                }
            }
        }
    }
}

/// The first place of an ascending list whose row is at least `row`; its count when there is none.
package func firstPlace(in rows: Span<UInt32>, notBelow row: UInt32) -> Int {
    var (low, high) = (0, rows.count)
    while low < high {
        let middle = (low + high) / 2
        if rows[middle] < row { low = middle + 1 } else { high = middle }
    }
    return low
}

/// Whether `row` is among `rows`, both asked for in ascending order: `next` is the first place not passed yet.
func contains(_ row: UInt32, in rows: Span<UInt32>, _ next: inout Int) -> Bool {
    while next < rows.count, rows[next] < row { next += 1 }
    return next < rows.count && rows[next] == row
}
