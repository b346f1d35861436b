import CKernels

/// A row and its score: better is the higher score, then the lower row.
package struct ScoredRow: Equatable, Sendable {
    package var row: UInt32
    package var score: Float

    package init(row: UInt32, score: Float) {
        self.row = row
        self.score = score
    }

    /// Whether this comes before `other` in a list that has the best first. Scores are not NaN; -0 equals 0.
    package func isBetter(than other: ScoredRow) -> Bool {
        score > other.score || (score == other.score && row < other.row)
    }
}

/// The best `k` of the rows offered, in any order of offering.
///
/// Up to ``fewMax`` are kept sorted, in two vectors; more in a bounded heap with the worst kept row on top. It is
/// reused from query to query: after ``reset(k:)`` with a `k` that it has seen before, or a smaller one, nothing allocates. It cannot be
/// copied: the compiler did so, 200 bytes and a count of references, wherever one that lies in an object was read.
package struct TopK: ~Copyable, Sendable {
    /// Of a large `k` a heap (no row is better than its parent) until ``sortBestFirst()``, then best first. Of a small one empty until
    /// then.
    private var kept: [ScoredRow] = []
    /// What a small `k` keeps.
    private var few = nl_few_of(0)
    /// How many rows are wanted.
    package private(set) var k = 0
    private var isSorted = false

    /// The largest `k` that is kept in vectors.
    static let fewMax = NL_FEW_MAX

    private let kernels: Kernels

    /// Keeps nothing until ``reset(k:)``.
    package init(_ kernels: Kernels = .best) { self.kernels = kernels }

    private var isSmall: Bool { k <= Self.fewMax }

    /// Forgets every row and keeps the best `k` of what is offered from now on. Zero keeps nothing.
    package mutating func reset(k: Int) {
        precondition(k >= 0, "BUG: negative k")
        kept.removeAll(keepingCapacity: true)
        // Room for `k` at once, but not for a `k` of millions that may never come.
        if kept.capacity < min(k, 65_536) { kept.reserveCapacity(min(k, 65_536)) }
        self.k = k
        isSorted = false
        if isSmall { few = nl_few_of(k) }
    }

    /// How many rows are kept: `k`, or as many as were offered.
    package var count: Int { isSmall ? Int(few.count) : kept.count }

    /// The score of the worst kept row once `k` are kept; until then -∞. A lower score cannot get in any more.
    ///
    /// With `k` zero it is +∞.
    package var threshold: Float {
        if isSmall { return few.scores.15 }
        if kept.count < k { return -.infinity }
        return kept[isSorted ? k - 1 : 0].score
    }

    /// Keeps the row if it is among the best `k` so far. NaN never is.
    ///
    /// - Complexity: O(1) when it is not, O(log k) when it is.
    package mutating func offer(row: UInt32, score: Float) {
        precondition(!isSorted, "BUG: offered after sorting")
        if isSmall {
            // SAFETY: one score, that of row `row`.
            return unsafe withUnsafePointer(to: score) { unsafe kernels.table.pointee.keep_best(&few, nil, row, $0, 1) }
        }
        let candidate = ScoredRow(row: row, score: score)
        if kept.count < k {
            guard !score.isNaN else { return }
            kept.append(candidate)
            siftUp(kept.count - 1)
        } else if k > 0, candidate.isBetter(than: kept[0]) {
            siftDown(candidate, from: 0, count: k)
        }
    }

    /// Offers rows `firstRow`, `firstRow + 1`, … with these scores: what as many calls of ``offer(row:score:)`` do.
    ///
    /// Scores below the threshold are passed over 64 at a time.
    package mutating func offer(firstRow: Int, scores: Span<Float>) {
        precondition(firstRow >= 0 && firstRow + scores.count <= Int(UInt32.max) + 1, "BUG: row number too large")
        // SAFETY: no rows.
        if isSmall { return unsafe keepBest(nil, firstRow: UInt32(truncatingIfNeeded: firstRow), scores) }
        var place = 0
        while true {
            place = kernels.firstIndex(atLeast: threshold, in: scores, from: place)
            guard place < scores.count else { return }
            offer(row: UInt32(firstRow + place), score: scores[place])
            place += 1
        }
    }

    /// Offers `rows[j]` with `scores[j]`: what as many calls of ``offer(row:score:)`` do.
    package mutating func offer(rows: Span<UInt32>, scores: Span<Float>) {
        precondition(rows.count == scores.count, "BUG: not one score for each row")
        if isSmall {
            // SAFETY: lent for the call.
            return unsafe rows.withUnsafeBufferPointer { unsafe keepBest($0.baseAddress, firstRow: 0, scores) }
        }
        var place = 0
        while true {
            place = kernels.firstIndex(atLeast: threshold, in: scores, from: place)
            guard place < scores.count else { return }
            offer(row: rows[place], score: scores[place])
            place += 1
        }
    }

    /// - Parameter rows: as many as there are scores; nil for `firstRow` and those after it.
    private mutating func keepBest(_ rows: UnsafePointer<UInt32>?, firstRow: UInt32, _ scores: Span<Float>) {
        precondition(!isSorted, "BUG: offered after sorting")
        // SAFETY: lent for the call, with their count.
        unsafe scores.withUnsafeBufferPointer { scores in
            guard let base = scores.baseAddress else { return }
            unsafe kernels.table.pointee.keep_best(&few, rows, firstRow, base, scores.count)
        }
    }

    /// Puts the best row first. Offer nothing more before the next ``reset(k:)``.
    ///
    /// - Complexity: O(k log k), in place.
    package mutating func sortBestFirst() {
        guard !isSorted else { return }
        isSorted = true
        if isSmall {
            return takeFew()
        }
        // Heap sort: the worst of what is left goes to its end.
        var end = kept.count - 1
        while end > 0 {
            let last = kept[end]
            kept[end] = kept[0]
            siftDown(last, from: 0, count: end)
            end -= 1
        }
    }

    /// Copies what the vectors keep, which is sorted.
    private mutating func takeFew() {
        let count = Int(few.count)
        kept.append(contentsOf: repeatElement(ScoredRow(row: 0, score: 0), count: count))
        // One question for uniqueness, not one a row.
        var few = few
        var rows = kept.mutableSpan
        for place in 0..<count {
            // SAFETY: below the count.
            rows[place] = unsafe ScoredRow(row: nl_few_row(&few, place), score: nl_few_score(&few, place))
        }
    }

    /// The row at `place`; best first after ``sortBestFirst()``, in no promised order before.
    package subscript(place: Int) -> ScoredRow {
        guard isSmall else { return kept[place] }
        precondition(place >= 0 && place < count, "BUG: place \(place) of \(count)")
        // SAFETY: below the count.
        return unsafe withUnsafePointer(to: few) { few in
            unsafe ScoredRow(row: nl_few_row(few, place), score: nl_few_score(few, place))
        }
    }

    /// What is kept, best first.
    ///
    /// - Precondition: sorted, or nothing was offered.
    package var rows: [ScoredRow] {
        precondition(isSorted || count == 0, "BUG: read before sorting")
        return kept
    }

    // MARK: Heap

    private mutating func siftUp(_ start: Int) {
        let rising = kept[start]
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard kept[parent].isBetter(than: rising) else { break }
            kept[place] = kept[parent]
            place = parent
        }
        kept[place] = rising
    }

    /// Puts `sinking` where it belongs below the hole at `start`, in a heap of `count` rows.
    private mutating func siftDown(_ sinking: ScoredRow, from start: Int, count: Int) {
        var place = start
        while true {
            var worst = 2 * place + 1
            guard worst < count else { break }
            if worst + 1 < count, kept[worst].isBetter(than: kept[worst + 1]) { worst += 1 }
            guard sinking.isBetter(than: kept[worst]) else { break }
            kept[place] = kept[worst]
            place = worst
        }
        kept[place] = sinking
    }
}
