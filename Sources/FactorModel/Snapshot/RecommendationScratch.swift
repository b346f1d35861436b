import VectorKernels

/// Working memory for recommendations, and the result of the last one. One per thread, reused: once it has grown to the
/// largest request, nothing is allocated.
@safe
package final class RecommendationScratch {
    /// Scores of one block of rows: small enough to stay in the first-level cache between scoring and ranking.
    static let blockRows = 1024
    /// Fewer chosen rows than this are gathered rather than searched for runs.
    static let gatherRows = 64

    var best = TopK()
    /// [blockRows], initialized, freed in deinit. Not an array: it would be asked for uniqueness at every block.
    private let scores: UnsafeMutablePointer<Float>
    /// Ranks to be found: those skipped and those returned.
    private(set) var wanted = 0
    private var skipped = 0
    /// Item rows that several hotels sell, ascending.
    private var rows: [UInt32] = []
    /// One bit an item; all zero between requests.
    private var marks: [UInt64] = []

    package init() {
        // SAFETY: allocated here, initialized at once.
        unsafe scores = UnsafeMutablePointer.allocate(capacity: Self.blockRows)
        unsafe scores.initialize(repeating: 0, count: Self.blockRows)
    }

    deinit {
        // SAFETY: allocated in init; every span of it was lent to a closure that has returned.
        unsafe scores.deallocate()
    }

    /// Items of the last answer, after the skipped ranks.
    package var count: Int { max(0, best.count - skipped) }

    /// The item at `rank`, from 0, best first.
    package subscript(rank: Int) -> (item: ItemIndex, score: Float) {
        precondition(rank >= 0 && rank < count, "BUG: rank \(rank) of \(count)")
        let entry = best[skipped + rank]
        return (ItemIndex(Int(entry.row)), entry.score)
    }

    /// Forgets the last answer.
    ///
    /// - Returns: whether there is anything to look for.
    func begin(_ query: RecommendationQuery, itemCount: Int) -> Bool {
        precondition(query.k >= 0 && query.offset >= 0, "BUG: a negative k or offset")
        let (sum, overflow) = query.k.addingReportingOverflow(query.offset)
        // No more ranks than items: a k of millions costs no memory that it cannot fill.
        let isEmpty = query.k == 0 || query.offset >= itemCount
        wanted = isEmpty ? 0 : min(overflow ? .max : sum, itemCount)
        skipped = query.offset
        best.reset(k: wanted)
        return !isEmpty
    }

    // MARK: One block of scores

    /// Lends the first `count` scores of the block.
    func withScores(_ count: Int, _ body: (inout MutableSpan<Float>) -> Void) {
        precondition(count >= 0 && count <= Self.blockRows, "BUG: \(count) scores in a block of \(Self.blockRows)")
        // SAFETY: a prefix of the block, lent for the call; nothing else reads or writes it meanwhile.
        var prefix = unsafe UnsafeMutableBufferPointer(start: scores, count: count).mutableSpan
        body(&prefix)
    }

    /// Offers the first `count` scores as those of rows `firstRow`, `firstRow + 1`, …
    func offerScores(firstRow: Int, count: Int) {
        withScores(count) { best.offer(firstRow: firstRow, scores: $0.span) }
    }

    /// Offers the first scores as those of `rows`.
    func offerScores(rows: Span<UInt32>) {
        withScores(rows.count) { best.offer(rows: rows, scores: $0.span) }
    }

    // MARK: Several hotels

    /// Makes room for one mark an item.
    func beginMarks(_ itemCount: Int) {
        let words = (itemCount + 63) / 64
        if marks.count < words { marks += [UInt64](repeating: 0, count: words - marks.count) }
    }

    func mark(_ row: UInt32) { marks[Int(row / 64)] |= 1 << UInt64(row % 64) }

    /// Takes the marks away and lends the rows that had one, ascending.
    func withMarked(_ body: (Span<UInt32>) -> Void) {
        rows.removeAll(keepingCapacity: true)
        for word in marks.indices where marks[word] != 0 {
            var bits = marks[word]
            while bits != 0 {
                rows.append(UInt32(word * 64 + bits.trailingZeroBitCount))
                bits &= bits - 1
            }
            marks[word] = 0
        }
        let marked = rows
        body(marked.span)
    }
}
