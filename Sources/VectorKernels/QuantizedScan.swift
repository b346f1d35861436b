import CKernels

/// One query's way through the blocks.
struct QuantizedScan {
    let kernels: Kernels
    let items: QuantizedItems
    let scratch: TopKScratch
    private let effort: ScanEffort
    private let asksRows: Bool
    /// Whether there is a filter by row at all.
    private let hasRowFilter: Bool
    /// Rows whose codes are read in the time of asking whether one row passes: some 4 ns, and a row of 64 factors takes 0.6.
    private let askEffort: Int
    /// Rows of codes read, and what other work counts for in them.
    private var spent = 0
    /// How often the filter by row was asked, and how often it said yes.
    private var askedCount = 0
    private var passedCount = 0
    /// Rows gathered in the scratch and not scored yet.
    private var batchCount = 0

    init(
        kernels: Kernels, items: QuantizedItems, scratch: TopKScratch, asksRows: Bool, hasRowFilter: Bool,
        effort: ScanEffort
    ) {
        self.kernels = kernels
        self.items = items
        self.scratch = scratch
        self.asksRows = asksRows
        self.hasRowFilter = hasRowFilter
        askEffort = max(1, 512 / items.factorCount)
        self.effort = effort
    }

    /// - Returns: false when it would cost more than the effort that was allowed.
    mutating func run(
        _ query: Span<Float>, _ matrix: Span<Float>, _ filter: PlaceFilter, into best: inout TopK, part: Int,
        of parts: Int, where isAllowed: (UInt32) -> Bool
    ) -> Bool {
        // Lent once for all chunks: each time the sets are counted.
        unsafe items.withScan(scratch.query, filter) { scan in
            unsafe run(scan, query, matrix, into: &best, part: part, of: parts, where: isAllowed)
        }
    }

    private mutating func run(
        _ scan: UnsafePointer<nl_code_scan>, _ query: Span<Float>, _ matrix: Span<Float>, into best: inout TopK,
        part: Int, of parts: Int, where isAllowed: (UInt32) -> Bool
    ) -> Bool {
        scratch.laterCount = 0
        var first = 0
        var number = 0
        var blocks = parts == 1 ? firstChunkBlocks() : Self.chunkBlocks
        while first < items.blockCount {
            guard !scratch.query.isOutOfReach(best.threshold, length: items.reach(first)) else { break }
            guard isWorthGoingOn(from: first, best) else { return false }
            let end = min(first + blocks, items.blockCount)
            if number % parts == part {
                spent += (end - first) * QuantizedItems.blockRows
                if best.count < best.k {
                    unsafe offerBestFirst(scan, first..<end, query, matrix, into: &best, where: isAllowed)
                } else {
                    unsafe offerCandidates(scan, first..<end, query, matrix, into: &best, where: isAllowed)
                }
            }
            first = end
            number += 1
            blocks = parts == 1 ? min(2 * blocks, Self.chunkBlocks) : Self.chunkBlocks
        }
        offerLater(query, matrix, into: &best, where: isAllowed)
        return true
    }

    /// Whether the rest of the way, from block `first` on, is short enough.
    private func isWorthGoingOn(from first: Int, _ best: borrowing TopK) -> Bool {
        guard effort.rowsMax < .max else { return true }
        let most = effort.rowsMax(ifPassing: passedCount, of: askedCount)
        if spent > most { return false }
        guard best.count == best.k else {
            return !(askedCount > max(512, items.rowCount / 32) && passedCount * 64 < askedCount)
        }
        // The first thresholds are low, the more so the fewer rows pass: they say little of how far there is to go.
        guard spent > most / 8 else { return true }
        // The first block that is too much, if there is one, has to be out of reach.
        let past = first + (most - spent) / QuantizedItems.blockRows
        return past >= items.blockCount
            || scratch.query.isOutOfReach(best.threshold, length: items.reach(past))
    }

    /// Rows whose codes are read in the time of scoring one in float32.
    private static let scoreEffort = 6

    /// Blocks between two looks at the threshold once it is good.
    private static let chunkBlocks = 2048 / QuantizedItems.blockRows

    /// The rows at least half as long as the longest: few in a trained model, where looking at more would be in vain,
    /// and most of a random one, where a good threshold needs many.
    private func firstChunkBlocks() -> Int {
        let enough = items.reach(0) / 2
        var blocks = 256 / QuantizedItems.blockRows
        // Of a first chunk every row may be asked.
        if asksRows { return min(blocks, items.blockCount) }
        let most = min(TopKScratch.chunkRowsMax / QuantizedItems.blockRows, items.blockCount)
        while blocks < most, items.reach(min(2 * blocks, most) - 1) >= enough { blocks *= 2 }
        return min(blocks, most)
    }

    /// The best by their bounds first, which makes a threshold; then every row that can still reach it.
    private mutating func offerBestFirst(
        _ scan: UnsafePointer<nl_code_scan>, _ blocks: Range<Int>, _ query: Span<Float>, _ matrix: Span<Float>,
        into best: inout TopK, where isAllowed: (UInt32) -> Bool
    ) {
        let firstPlace = blocks.lowerBound * QuantizedItems.blockRows
        let count = min(blocks.count * QuantizedItems.blockRows, items.rowCount - firstPlace)
        let wanted = min(best.k, count)
        // Some of the best may be filtered out, or lie a multiple of 64 rows from a better one.
        let rank = wanted + wanted / 2 + 4
        // SAFETY: bounds and places have room for a chunk; blocks come in fours inside the items.
        let found = unsafe kernels.table.pointee.code_bounds(
            scan, blocks.lowerBound, blocks.upperBound, rank <= Self.rankMax ? rank : 0, scratch.bounds.base,
            scratch.places.base)
        if !addAll(found, firstPlace, wanted, query, matrix, into: &best, where: isAllowed) {
            let bar = barOfPool(wanted, count, firstPlace, where: isAllowed)
            _ = addAll(
                placesAtLeast(bar, count), firstPlace, 0, query, matrix, into: &best, where: isAllowed)
        }
        score(query, matrix, into: &best)
        // What was not scored yet and may reach the threshold that those made.
        let reachable = scratch.query.bar(toReach: best.threshold, length: items.reach(blocks.lowerBound))
        _ = addAll(
            placesAtLeast(reachable, count), firstPlace, 0, query, matrix, into: &best, where: isAllowed)
        score(query, matrix, into: &best)
    }

    /// Ranks that the 64 lanes of the bounds can tell.
    private static let rankMax = 48

    /// Gathers the rows of the first `found` places of a chunk that pass, and takes their bounds away: they are not found again.
    ///
    /// - Returns: false, with nothing gathered, when they are fewer than `wanted`.
    private mutating func addAll(
        _ found: Int, _ firstPlace: Int, _ wanted: Int, _ query: Span<Float>, _ matrix: Span<Float>,
        into best: inout TopK, where isAllowed: (UInt32) -> Bool
    ) -> Bool {
        if found < wanted { return false }
        if !hasRowFilter, found < TopKScratch.batchRows - batchCount {
            takeAll(found, firstPlace)
            return true
        }
        var passed = 0
        for i in 0..<found {
            let row = items.row(at: firstPlace + Int(scratch.places[i]))
            guard asks(row, isAllowed) else { continue }
            add(row, query, matrix, into: &best)
            passed += 1
        }
        guard passed >= wanted else {
            // Fewer than a batch, so that none was scored yet.
            batchCount = 0
            return false
        }
        for i in 0..<found { scratch.bounds[Int(scratch.places[i])] = -.infinity }
        return true
    }

    /// The same when every row passes and the batch does not get full.
    private mutating func takeAll(_ found: Int, _ firstPlace: Int) {
        spent += found * Self.scoreEffort
        for i in 0..<found {
            let place = Int(scratch.places[i])
            scratch.rows[batchCount + i] = items.row(at: firstPlace + place)
            scratch.bounds[place] = -.infinity
        }
        batchCount += found
    }

    /// The bound of the `wanted`-th best allowed row of a chunk by bounds; -∞ when there are not so many.
    private mutating func barOfPool(
        _ wanted: Int, _ count: Int, _ firstPlace: Int, where isAllowed: (UInt32) -> Bool
    ) -> Float {
        scratch.pool.reset(k: wanted)
        return scratch.bounds.withFirst(count) { bounds in
            var place = 0
            while true {
                let least = max(scratch.pool.threshold, Self.leastBound)
                place = kernels.firstIndex(atLeast: least, in: bounds.span, from: place)
                guard place < count else { return scratch.pool.threshold }
                if asks(items.row(at: firstPlace + place), isAllowed) {
                    scratch.pool.offer(row: UInt32(place), score: bounds[place])
                }
                place += 1
            }
        }
    }

    /// No bound is lower but the -∞ of rows that the sets do not let pass.
    private static let leastBound = -Float.greatestFiniteMagnitude

    /// Puts the places of the chunk's bounds that reach `bar` and that the sets let pass into the scratch.
    private func placesAtLeast(_ bar: Float, _ count: Int) -> Int {
        // SAFETY: both hold a chunk, and count is at most a chunk.
        unsafe kernels.table.pointee.places_at_least(
            scratch.bounds.base, count, max(bar, Self.leastBound), scratch.places.base)
    }

    /// Scores the rows whose estimate reaches the threshold, and leaves those that only their error could lift for later.
    private mutating func offerCandidates(
        _ scan: UnsafePointer<nl_code_scan>, _ blocks: Range<Int>, _ query: Span<Float>, _ matrix: Span<Float>,
        into best: inout TopK, where isAllowed: (UInt32) -> Bool
    ) {
        let bar = scratch.query.bar(toReach: best.threshold, length: items.reach(blocks.lowerBound))
        // SAFETY: places and bounds have room for a chunk; blocks come in fours inside the items.
        let found = unsafe kernels.table.pointee.code_candidates(
            scan, blocks.lowerBound, blocks.upperBound, bar, scratch.places.base, scratch.bounds.base)
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
                if asks(row, isAllowed) { add(row, query, matrix, into: &best) }
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
            if asks(row, isAllowed) { add(row, query, matrix, into: &best) }
        }
        score(query, matrix, into: &best)
        scratch.laterCount = 0
    }

    /// Asks the filter by row, and counts.
    private mutating func asks(_ row: UInt32, _ isAllowed: (UInt32) -> Bool) -> Bool {
        guard hasRowFilter else { return true }
        spent += askEffort
        askedCount += 1
        guard isAllowed(row) else { return false }
        passedCount += 1
        return true
    }

    private mutating func add(_ row: UInt32, _ query: Span<Float>, _ matrix: Span<Float>, into best: inout TopK) {
        spent += Self.scoreEffort
        scratch.rows[batchCount] = row
        batchCount += 1
        if batchCount == TopKScratch.batchRows { score(query, matrix, into: &best) }
    }

    /// Scores the gathered rows in float32 and offers them.
    private mutating func score(_ query: Span<Float>, _ matrix: Span<Float>, into best: inout TopK) {
        kernels.score(query, matrix, rows: batchCount, scratch, into: &best)
        batchCount = 0
    }

    // MARK: Without bounds

    /// The float32 scores of every row that passes.
    mutating func scoreAll(
        _ query: Span<Float>, _ matrix: Span<Float>, _ filter: PlaceFilter, into best: inout TopK,
        where isAllowed: (UInt32) -> Bool
    ) {
        filter.forEachPassing(items.rowCount) { place in
            let row = items.row(at: place)
            if isAllowed(row) { add(row, query, matrix, into: &best) }
        }
        score(query, matrix, into: &best)
    }

    /// Every score of a zero query is +0.
    func offerZeros(_ filter: PlaceFilter, into best: inout TopK, where isAllowed: (UInt32) -> Bool) {
        filter.forEachPassing(items.rowCount) { place in
            let row = items.row(at: place)
            if isAllowed(row) { best.offer(row: row, score: 0) }
        }
    }
}
