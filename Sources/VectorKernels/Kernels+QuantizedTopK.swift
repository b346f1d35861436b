import CKernels

extension Kernels {
    /// Offers to `best` every row that can be among its best: afterwards it keeps what it would after an offer of all
    /// allowed rows with the scores of ``dot(_:_:)``, bit for bit.
    ///
    /// Reads the codes, the longest rows first; leaves out rows that provably score below the threshold, and scores the
    /// others in float32. Stops when no row left is long enough to reach the threshold. docs/kernels.md has the proof.
    ///
    /// - Parameters:
    ///   - query: [factorCount]. Not finite, or all but overflowing, costs a float32 scan of everything.
    ///   - matrix: the float32 rows that `items` was made from.
    ///   - best: reset to the `k` wanted; what it holds already takes part. Sort it afterwards.
    ///   - part, parts: scans a share of the rows, so that `parts` threads, each with a scratch and a `best` of its own,
    ///     do it together; offer what they kept to one of them then.
    ///   - isAllowed: a filter by row of `matrix`. Asked only of rows that could get in, so it may look things up; the
    ///     fewer rows it lets pass, the lower the threshold and the more it is asked. When few pass and they are known,
    ///     scoring them by ``scoreRows(_:_:rows:into:)`` is faster.
    /// - Complexity: O(rows · factorCount) at half a byte a factor, at worst; no allocation with a used scratch.
    package func topK(
        _ query: Span<Float>, _ matrix: Span<Float>, _ items: QuantizedItems, scratch: TopKScratch,
        into best: inout TopK, part: Int = 0, of parts: Int = 1, where isAllowed: (UInt32) -> Bool = { _ in true }
    ) {
        precondition(query.count == items.factorCount, "BUG: a query of another factor count")
        precondition(matrix.count == items.rowCount * items.factorCount, "BUG: items of another matrix")
        precondition(part >= 0 && part < parts, "BUG: no such part")
        guard best.k > 0, items.rowCount > 0 else { return }
        // A short catalogue is scored sooner than it is searched; a float32 that overflows has no bound.
        guard items.rowCount >= Self.codedRowsMin, query.count <= Self.codedFactorsMax, isAllFinite(query) else {
            if part == 0 { scoreAll(query, matrix, scratch, into: &best, where: isAllowed) }
            return
        }
        scratch.query.set(query)
        if scratch.query.step == 0 {
            if part == 0 { offerZeros(rowCount: items.rowCount, into: &best, where: isAllowed) }
            return
        }
        var scan = QuantizedScan(kernels: self, items: items, scratch: scratch)
        scan.run(query, matrix, into: &best, part: part, of: parts, where: isAllowed)
    }

    /// Fewer rows than this are scored in float32.
    static var codedRowsMin: Int { 256 }
    /// More factors than this and integer products may leave the exact range of float32.
    static var codedFactorsMax: Int { 8192 }

    /// Every score of a zero query is +0: the first rows win.
    private func offerZeros(rowCount: Int, into best: inout TopK, where isAllowed: (UInt32) -> Bool) {
        var offered = 0
        for row in 0..<UInt32(rowCount) where isAllowed(row) {
            best.offer(row: row, score: 0)
            offered += 1
            if offered == best.k { return }
        }
    }

    /// The float32 scan.
    private func scoreAll(
        _ query: Span<Float>, _ matrix: Span<Float>, _ scratch: TopKScratch, into best: inout TopK,
        where isAllowed: (UInt32) -> Bool
    ) {
        let rowCount = matrix.count / query.count
        for first in stride(from: 0, to: rowCount, by: TopKScratch.batchRows) {
            scratch.scores.withFirst(min(TopKScratch.batchRows, rowCount - first)) { scores in
                scoreRows(query, matrix, firstRow: first, into: &scores)
                var place = firstIndex(atLeast: best.threshold, in: scores.span, from: 0)
                while place < scores.count {
                    let row = UInt32(first + place)
                    if isAllowed(row) { best.offer(row: row, score: scores[place]) }
                    place = firstIndex(atLeast: best.threshold, in: scores.span, from: place + 1)
                }
            }
        }
    }
}

/// One query's way through the blocks.
private struct QuantizedScan {
    let kernels: Kernels
    let items: QuantizedItems
    let scratch: TopKScratch
    /// Rows gathered in the scratch and not scored yet.
    private var batchCount = 0

    init(kernels: Kernels, items: QuantizedItems, scratch: TopKScratch) {
        self.kernels = kernels
        self.items = items
        self.scratch = scratch
    }

    mutating func run(
        _ query: Span<Float>, _ matrix: Span<Float>, into best: inout TopK, part: Int, of parts: Int,
        where isAllowed: (UInt32) -> Bool
    ) {
        scratch.laterCount = 0
        var first = 0
        var number = 0
        var blocks = parts == 1 ? firstChunkBlocks() : Self.chunkBlocks
        while first < items.blockCount {
            guard !scratch.query.isOutOfReach(best.threshold, length: items.reach(first)) else { break }
            let end = min(first + blocks, items.blockCount)
            if number % parts == part {
                if best.count < best.k {
                    offerBestFirst(first..<end, query, matrix, into: &best, where: isAllowed)
                } else {
                    offerCandidates(first..<end, query, matrix, into: &best, where: isAllowed)
                }
            }
            first = end
            number += 1
            blocks = parts == 1 ? min(2 * blocks, Self.chunkBlocks) : Self.chunkBlocks
        }
        offerLater(query, matrix, into: &best, where: isAllowed)
    }

    /// Blocks between two looks at the threshold once it is good.
    private static let chunkBlocks = 2048 / QuantizedItems.blockRows

    /// The rows at least half as long as the longest: few in a trained model, where looking at more would be in vain,
    /// and most of a random one, where a good threshold needs many.
    private func firstChunkBlocks() -> Int {
        let enough = items.reach(0) / 2
        var blocks = 256 / QuantizedItems.blockRows
        let most = min(TopKScratch.chunkRowsMax / QuantizedItems.blockRows, items.blockCount)
        while blocks < most, items.reach(min(2 * blocks, most) - 1) >= enough { blocks *= 2 }
        return min(blocks, most)
    }

    /// The best by their bounds first, which makes a threshold; then every row that can still reach it.
    private mutating func offerBestFirst(
        _ blocks: Range<Int>, _ query: Span<Float>, _ matrix: Span<Float>, into best: inout TopK,
        where isAllowed: (UInt32) -> Bool
    ) {
        let firstPlace = blocks.lowerBound * QuantizedItems.blockRows
        let count = min(blocks.count * QuantizedItems.blockRows, items.rowCount - firstPlace)
        // Some of the best may be filtered out or share a lane with a better one.
        let wanted = min(best.k, count)
        let rank = wanted + wanted / 2 + 4
        let ranked = unsafe items.withScan(scratch.query) { scan in
            // SAFETY: the bounds have room for a chunk; blocks come in fours inside the items.
            unsafe kernels.table.pointee.code_bounds(
                scan, blocks.lowerBound, blocks.upperBound, rank <= Self.rankMax ? rank : 0, scratch.bounds.base)
        }
        var bar = ranked
        if ranked == -.infinity
            || !addAll(
                atLeast: ranked, count, firstPlace, wanted, query, matrix, into: &best, where: isAllowed)
        {
            bar = barOfPool(wanted, count, firstPlace, where: isAllowed)
            _ = addAll(atLeast: bar, count, firstPlace, 0, query, matrix, into: &best, where: isAllowed)
        }
        score(query, matrix, into: &best)
        // What is below the bar of the first choice and not below that of the threshold.
        let reachable = scratch.query.bar(toReach: best.threshold, length: items.reach(blocks.lowerBound))
        guard reachable < bar else { return }
        let found = placesAtLeast(reachable, count)
        for i in 0..<found {
            let place = Int(scratch.places[i])
            guard scratch.bounds[place] < bar else { continue }
            let row = items.row(at: firstPlace + place)
            if isAllowed(row) { add(row, query, matrix, into: &best) }
        }
        score(query, matrix, into: &best)
    }

    /// Ranks that the 64 lanes of the bounds can tell.
    private static let rankMax = 48
    /// Gathers the allowed rows of a chunk whose bounds reach `bar`.
    ///
    /// - Returns: false, with nothing gathered, when they are fewer than `wanted`.
    private mutating func addAll(
        atLeast bar: Float, _ count: Int, _ firstPlace: Int, _ wanted: Int, _ query: Span<Float>,
        _ matrix: Span<Float>, into best: inout TopK, where isAllowed: (UInt32) -> Bool
    ) -> Bool {
        var allowed = 0
        for i in 0..<placesAtLeast(bar, count) {
            let row = items.row(at: firstPlace + Int(scratch.places[i]))
            guard isAllowed(row) else { continue }
            add(row, query, matrix, into: &best)
            allowed += 1
        }
        if allowed >= wanted { return true }
        // Fewer than a batch, so that none was scored yet.
        batchCount = 0
        return false
    }

    /// The bound of the `wanted`-th best allowed row of a chunk by bounds; -∞ when there are not so many.
    private func barOfPool(
        _ wanted: Int, _ count: Int, _ firstPlace: Int, where isAllowed: (UInt32) -> Bool
    ) -> Float {
        scratch.pool.reset(k: wanted)
        return scratch.bounds.withFirst(count) { bounds in
            var place = 0
            while true {
                place = kernels.firstIndex(atLeast: scratch.pool.threshold, in: bounds.span, from: place)
                guard place < count else { return scratch.pool.threshold }
                if isAllowed(items.row(at: firstPlace + place)) {
                    scratch.pool.offer(row: UInt32(place), score: bounds[place])
                }
                place += 1
            }
        }
    }

    /// Puts the places of the chunk's bounds that reach `bar` into the scratch.
    private func placesAtLeast(_ bar: Float, _ count: Int) -> Int {
        // SAFETY: both hold a chunk, and count is at most a chunk.
        unsafe kernels.table.pointee.places_at_least(scratch.bounds.base, count, bar, scratch.places.base)
    }

    /// Scores the rows whose estimate reaches the threshold, and leaves those that only their error could lift for later.
    private mutating func offerCandidates(
        _ blocks: Range<Int>, _ query: Span<Float>, _ matrix: Span<Float>, into best: inout TopK,
        where isAllowed: (UInt32) -> Bool
    ) {
        let bar = scratch.query.bar(toReach: best.threshold, length: items.reach(blocks.lowerBound))
        let found = unsafe items.withScan(scratch.query) { scan in
            // SAFETY: places and bounds have room for a chunk; blocks come in fours inside the items.
            unsafe kernels.table.pointee.code_candidates(
                scan, blocks.lowerBound, blocks.upperBound, bar, scratch.places.base, scratch.bounds.base)
        }
        if scratch.laterCount + found > scratch.laterPlaces.count {
            offerLater(query, matrix, into: &best, where: isAllowed)
        }
        let weight = scratch.query.weight
        let estimate = Float(Double(best.threshold) / scratch.query.step)
        for i in 0..<found {
            let place = Int(scratch.places[i])
            guard place < items.rowCount else { break }
            let bound = scratch.bounds[i]
            if bound - items.error(at: place) * weight >= estimate {
                let row = items.row(at: place)
                if isAllowed(row) { add(row, query, matrix, into: &best) }
            } else {
                scratch.laterPlaces[scratch.laterCount] = UInt32(place)
                scratch.laterBounds[scratch.laterCount] = bound
                scratch.laterCount += 1
            }
        }
        score(query, matrix, into: &best)
    }

    /// Scores what was left for later and still can reach the threshold.
    private mutating func offerLater(
        _ query: Span<Float>, _ matrix: Span<Float>, into best: inout TopK, where isAllowed: (UInt32) -> Bool
    ) {
        guard scratch.laterCount > 0 else { return }
        // Places ascend, so the first has the longest row.
        let longest = items.reach(Int(scratch.laterPlaces[0]) / QuantizedItems.blockRows)
        let bar = scratch.query.bar(toReach: best.threshold, length: longest)
        for i in 0..<scratch.laterCount where scratch.laterBounds[i] >= bar {
            let row = items.row(at: Int(scratch.laterPlaces[i]))
            if isAllowed(row) { add(row, query, matrix, into: &best) }
        }
        score(query, matrix, into: &best)
        scratch.laterCount = 0
    }

    private mutating func add(_ row: UInt32, _ query: Span<Float>, _ matrix: Span<Float>, into best: inout TopK) {
        scratch.rows[batchCount] = row
        batchCount += 1
        if batchCount == TopKScratch.batchRows { score(query, matrix, into: &best) }
    }

    /// Scores the gathered rows in float32 and offers them.
    private mutating func score(_ query: Span<Float>, _ matrix: Span<Float>, into best: inout TopK) {
        guard batchCount > 0 else { return }
        scratch.rows.withFirst(batchCount) { rows in
            scratch.scores.withFirst(batchCount) { scores in
                kernels.scoreRows(query, matrix, rows: rows.span, into: &scores)
                best.offer(rows: rows.span, scores: scores.span)
            }
        }
        batchCount = 0
    }
}

/// ``Kernels/topK(_:_:_:scratch:into:part:of:where:)`` with the best kernels here.
package func topK(
    _ query: Span<Float>, _ matrix: Span<Float>, _ items: QuantizedItems, scratch: TopKScratch,
    into best: inout TopK, part: Int = 0, of parts: Int = 1, where isAllowed: (UInt32) -> Bool = { _ in true }
) {
    Kernels.best.topK(
        query, matrix, items, scratch: scratch, into: &best, part: part, of: parts, where: isAllowed)
}
