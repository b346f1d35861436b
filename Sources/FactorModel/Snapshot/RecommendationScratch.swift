import VectorKernels

/// Working memory for recommendations, and the result of the last one. One per thread, reused: once it has grown to the
/// largest request, nothing is allocated.
package final class RecommendationScratch {
    /// Scores of one block of rows: small enough to stay in the first-level cache between scoring and ranking.
    static let blockRows = 1024

    var best = TopK()
    var scores = [Float](repeating: 0, count: blockRows)
    /// Item rows that pass the filters, when they are not simply all.
    var rows: [UInt32] = []
    private(set) var skipped = 0

    package init() {}

    /// Items of the last answer, after the skipped ranks.
    package var count: Int { max(0, best.count - skipped) }

    /// The item at `rank`, from 0, best first.
    package subscript(rank: Int) -> (item: ItemIndex, score: Float) {
        precondition(rank >= 0 && rank < count, "BUG: rank \(rank) of \(count)")
        let entry = best[skipped + rank]
        return (ItemIndex(Int(entry.row)), entry.score)
    }

    /// Lends the first `count` places of `scores`.
    func withScores(_ count: Int, _ body: (inout MutableSpan<Float>) -> Void) {
        precondition(count <= Self.blockRows, "BUG: more scores than a block")
        unsafe scores.withUnsafeMutableBufferPointer { buffer in
            // SAFETY: a prefix of the array's own memory, lent for the call.
            var prefix = unsafe UnsafeMutableBufferPointer(rebasing: buffer[..<count]).mutableSpan
            body(&prefix)
        }
    }

    func begin(_ query: RecommendationQuery) {
        precondition(query.k >= 0 && query.offset >= 0, "BUG: a negative k or offset")
        best.reset(k: query.k == 0 ? 0 : query.k + query.offset)
        skipped = query.offset
        rows.removeAll(keepingCapacity: true)
    }
}
