extension Kernels {
    /// Offers to `best` every row that can be among its best: afterwards it keeps what it would after an offer of all
    /// rows that pass with the scores of ``dot(_:_:)``, bit for bit.
    ///
    /// Reads the codes, the longest rows first; leaves out rows that provably score below the threshold, and scores the
    /// others in float32. Stops when no row left is long enough to reach the threshold. docs/kernels.md has the proof.
    ///
    /// A row passes when `filter` lets its place pass and `isAllowed` says so.
    ///
    /// - Parameters:
    ///   - query: [factorCount]. Not finite, or all but overflowing, costs a float32 scan of everything.
    ///   - matrix: the float32 rows that `items` was made from.
    ///   - best: reset to the `k` wanted; what it holds already takes part. Sort it afterwards.
    ///   - part, parts: scans a share of the rows, so that `parts` threads, each with a scratch and a `best` of its own,
    ///     do it together; offer what they kept to one of them then.
    ///   - filter: by place. Where it lets none of 64 neighbours pass, their codes are not read.
    ///   - asksRows: whether `isAllowed` is likely to say no to many rows: the scan begins with fewer then.
    ///   - effort: what the scan may cost. One that turns out to cost more is given up: at once when the rows that are too long
    ///     to be passed over are more, soon when the threshold shows how far it would have to read, and when `isAllowed` was
    ///     asked of a thirty-second of the rows and hardly ever said yes.
    ///   - isAllowed: a filter by row of `matrix`. Asked only of rows that could get in, so it may look things up; the
    ///     fewer rows it lets pass, the lower the threshold and the more it is asked.
    /// - Returns: false when it was given up: `best` is to be reset and filled in another way then.
    /// - Complexity: O(rows · factorCount) at half a byte a factor, at worst; no allocation with a used scratch.
    @discardableResult
    package func topK(
        _ query: Span<Float>, _ matrix: Span<Float>, _ items: QuantizedItems, scratch: TopKScratch,
        into best: inout TopK, part: Int = 0, of parts: Int = 1, filter: PlaceFilter = PlaceFilter(),
        asksRows: Bool = false, effort: ScanEffort = .unlimited, where isAllowed: (UInt32) -> Bool
    ) -> Bool {
        topK(
            query, matrix, items, scratch: scratch, into: &best, part: part, of: parts, filter: filter,
            asksRows: asksRows,
            hasRowFilter: true, effort: effort, where: isAllowed)
    }

    /// The same without a filter by row.
    @discardableResult
    package func topK(
        _ query: Span<Float>, _ matrix: Span<Float>, _ items: QuantizedItems, scratch: TopKScratch,
        into best: inout TopK, part: Int = 0, of parts: Int = 1, filter: PlaceFilter = PlaceFilter(),
        effort: ScanEffort = .unlimited
    ) -> Bool {
        topK(
            query, matrix, items, scratch: scratch, into: &best, part: part, of: parts, filter: filter, asksRows: false,
            hasRowFilter: false, effort: effort, where: { _ in true })
    }

    private func topK(
        _ query: Span<Float>, _ matrix: Span<Float>, _ items: QuantizedItems, scratch: TopKScratch,
        into best: inout TopK, part: Int, of parts: Int, filter: PlaceFilter, asksRows: Bool, hasRowFilter: Bool,
        effort: ScanEffort, where isAllowed: (UInt32) -> Bool
    ) -> Bool {
        precondition(query.count == items.factorCount, "BUG: a query of another factor count")
        precondition(matrix.count == items.rowCount * items.factorCount, "BUG: items of another matrix")
        precondition(part >= 0 && part < parts, "BUG: no such part")
        precondition(filter.covers(items.rowCount), "BUG: a set of fewer places")
        guard best.k > 0, items.rowCount > 0 else { return true }
        var scan = QuantizedScan(
            kernels: self, items: items, scratch: scratch, asksRows: asksRows, hasRowFilter: hasRowFilter,
            effort: effort)
        // A short catalogue is scored sooner than it is searched; a float32 that overflows has no bound.
        let hasBounds = items.rowCount >= Self.codedRowsMin && query.count <= Self.codedFactorsMax
        guard hasBounds, isAllFinite(query) else {
            if part == 0 { scan.scoreAll(query, matrix, filter, into: &best, where: isAllowed) }
            return true
        }
        if effort.rowsMaxIfAllPass < items.longRowCount { return false }
        scratch.query.set(query, self)
        if scratch.query.step == 0 {
            if part == 0 { scan.offerZeros(filter, into: &best, where: isAllowed) }
            return true
        }
        return scan.run(query, matrix, filter, into: &best, part: part, of: parts, where: isAllowed)
    }

    /// Fewer rows than this are scored in float32.
    static var codedRowsMin: Int { 256 }
    /// More factors than this and integer products may leave the exact range of float32.
    static var codedFactorsMax: Int { 8192 }

    /// The same without bounds: scores every row that passes in float32. For few rows, which it finds without looking at the
    /// others.
    ///
    /// - Complexity: O(rows / 64) and O(factorCount) for each row that passes.
    package func scoreAll(
        _ query: Span<Float>, _ matrix: Span<Float>, _ items: QuantizedItems, scratch: TopKScratch,
        into best: inout TopK, filter: PlaceFilter, where isAllowed: (UInt32) -> Bool = { _ in true }
    ) {
        precondition(query.count == items.factorCount, "BUG: a query of another factor count")
        precondition(matrix.count == items.rowCount * items.factorCount, "BUG: items of another matrix")
        precondition(filter.covers(items.rowCount), "BUG: a set of fewer places")
        guard best.k > 0 else { return }
        var scan = QuantizedScan(
            kernels: self, items: items, scratch: scratch, asksRows: true, hasRowFilter: true, effort: .unlimited)
        scan.scoreAll(query, matrix, filter, into: &best, where: isAllowed)
    }

    /// Scores the first rows of the scratch in float32 and offers them.
    func score(
        _ query: Span<Float>, _ matrix: Span<Float>, rows count: Int, _ scratch: TopKScratch, into best: inout TopK
    ) {
        guard count > 0 else { return }
        scratch.rows.withFirst(count) { rows in
            scratch.scores.withFirst(count) { scores in
                scoreRows(query, matrix, rows: rows.span, into: &scores)
                best.offer(rows: rows.span, scores: scores.span)
            }
        }
    }
}

/// What a scan of codes may cost before it is given up, in rows whose codes are read.
package struct ScanEffort: Equatable, Sendable {
    /// When no row that is asked for passes the filter by row.
    package var rowsMax: Int
    /// When all of them do. In between, and known only on the way: in proportion.
    package var rowsMaxIfAllPass: Int

    package static let unlimited = ScanEffort(rowsMax: .max, rowsMaxIfAllPass: .max)

    package init(rowsMax: Int, rowsMaxIfAllPass: Int) {
        self.rowsMax = rowsMax
        self.rowsMaxIfAllPass = rowsMaxIfAllPass
    }

    func rowsMax(ifPassing passed: Int, of asked: Int) -> Int {
        guard passed < asked, rowsMaxIfAllPass < .max else { return rowsMaxIfAllPass }
        return rowsMax + Int(Double(rowsMaxIfAllPass - rowsMax) * Double(passed) / Double(asked))
    }
}
