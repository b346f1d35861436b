/// Cuts rows into at most `chunkCountMax` consecutive ranges of about equal cost.
///
/// A row costs its interactions plus what every row costs (`rowCost`, in interactions). The cuts depend on the data
/// alone, never on the threads: sums over a chunk are the same bits whoever computes them.
package func rowChunks(indptr: [UInt64], rowCost: Int, chunkCountMax: Int = 256) -> [Range<Int>] {
    let rowCount = indptr.count - 1
    guard rowCount > 0 else { return [] }
    let total = Int(indptr[rowCount]) + rowCount * rowCost
    let target = max(1, (total + chunkCountMax - 1) / chunkCountMax)
    var chunks: [Range<Int>] = []
    var first = 0
    var cost = 0
    for row in 0..<rowCount {
        cost += Int(indptr[row + 1] - indptr[row]) + rowCost
        if cost >= target {
            chunks.append(first..<(row + 1))
            first = row + 1
            cost = 0
        }
    }
    if first < rowCount { chunks.append(first..<rowCount) }
    return chunks
}
