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
/// A bounded heap with the worst kept row on top. It is reused from query to query: after ``reset(k:)`` with a `k`
/// that it has seen before, or a smaller one, nothing allocates.
package struct TopK: Sendable {
    /// A heap (no row is better than its parent) until ``sortBestFirst()``, then best first.
    private var kept: [ScoredRow] = []
    /// How many rows are wanted.
    package private(set) var k = 0
    private var isSorted = false

    /// Keeps nothing until ``reset(k:)``.
    package init() {}

    /// Forgets every row and keeps the best `k` of what is offered from now on. Zero keeps nothing.
    package mutating func reset(k: Int) {
        precondition(k >= 0, "BUG: negative k")
        kept.removeAll(keepingCapacity: true)
        // Room for `k` at once, but not for a `k` of millions that may never come.
        if kept.capacity < min(k, 65_536) { kept.reserveCapacity(min(k, 65_536)) }
        self.k = k
        isSorted = false
    }

    /// How many rows are kept: `k`, or as many as were offered.
    package var count: Int { kept.count }

    /// The score of the worst kept row once `k` are kept; until then -∞. A lower score cannot get in any more.
    ///
    /// With `k` zero it is +∞.
    package var threshold: Float {
        if kept.count < k { return -.infinity }
        return k == 0 ? .infinity : kept[isSorted ? k - 1 : 0].score
    }

    /// Keeps the row if it is among the best `k` so far. NaN never is.
    ///
    /// - Complexity: O(1) when it is not, O(log k) when it is.
    package mutating func offer(row: UInt32, score: Float) {
        precondition(!isSorted, "BUG: offered after sorting")
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
        var place = 0
        while true {
            place = Kernels.best.firstIndex(atLeast: threshold, in: scores, from: place)
            guard place < scores.count else { return }
            offer(row: UInt32(firstRow + place), score: scores[place])
            place += 1
        }
    }

    /// Offers `rows[j]` with `scores[j]`: what as many calls of ``offer(row:score:)`` do.
    package mutating func offer(rows: Span<UInt32>, scores: Span<Float>) {
        precondition(rows.count == scores.count, "BUG: not one score for each row")
        var place = 0
        while true {
            place = Kernels.best.firstIndex(atLeast: threshold, in: scores, from: place)
            guard place < scores.count else { return }
            offer(row: rows[place], score: scores[place])
            place += 1
        }
    }

    /// Puts the best row first. Offer nothing more before the next ``reset(k:)``.
    ///
    /// - Complexity: O(k log k), in place.
    package mutating func sortBestFirst() {
        guard !isSorted else { return }
        isSorted = true
        // Heap sort: the worst of what is left goes to its end.
        var end = kept.count - 1
        while end > 0 {
            let last = kept[end]
            kept[end] = kept[0]
            siftDown(last, from: 0, count: end)
            end -= 1
        }
    }

    /// The row at `place`; best first after ``sortBestFirst()``, in no promised order before.
    package subscript(place: Int) -> ScoredRow { kept[place] }

    /// Lends what is kept from `place` on, in the order of the subscript.
    package func withRows<R>(from place: Int, _ body: (Span<ScoredRow>) -> R) -> R {
        body(kept.span.extracting(min(place, kept.count)..<kept.count))
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
