import CKernels

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Item factors once more, in 4-bit codes and the longest rows first: what an exact top-k reads instead of float32.
///
/// Three columns, immutable, that hold no pointers, so that they can be stored in a file and mapped; docs/kernels.md
/// has the layout:
/// - `blocks`, bytes: for each 64 rows 256 bytes of row constants and 256 for each 8 factors.
/// - `reach`, float32, one a block: at least the length of every row in it and after it. Never rises.
/// - `rows`, uint32, one a row: which row of the float32 matrix lies at this place.
///
/// About `factorCount` / 2 + 8 bytes an item, against 4 · `factorCount` of float32.
@safe
package final class QuantizedItems: @unchecked Sendable {
    // Sendable: nothing is written after init.
    package let rowCount: Int
    package let factorCount: Int
    private let blocksBase: UnsafeRawPointer
    private let reachBase: UnsafePointer<Float>
    private let rowsBase: UnsafePointer<UInt32>
    /// Keeps borrowed columns alive; nil when they are this object's own.
    private let owner: AnyObject?

    /// Rows that share a block.
    package static let blockRows = 16
    /// Blocks are made, and scanned, in fours: padded with rows that are no candidates.
    static let blockGroup = 4

    /// Blocks for so many rows.
    package static func blockCount(rowCount: Int) -> Int {
        (rowCount + blockRows * blockGroup - 1) / (blockRows * blockGroup) * blockGroup
    }

    /// Bytes of one block; four lie interleaved.
    package static func blockBytes(factorCount: Int) -> Int { 64 * ((factorCount + 7) / 8 + 1) }

    /// Columns that lie somewhere else, such as in a mapped file.
    ///
    /// Only the shape and the row numbers are looked at: a wrong row number could read outside the matrix. Of columns that somebody else has
    /// made ask ``firstUnsoundPlace(lengthMax:)`` too, and that `reach` is finite and never rises; any other wrong byte can only make an answer wrong.
    ///
    /// - Parameters:
    ///   - blocks: fastest on a 64-byte boundary.
    ///   - owner: keeps the memory where it is, unchanged, for as long as it lives.
    /// - Returns: nil when the sizes do not fit the shape, or a row number is not below `rowCount`.
    /// - Complexity: O(rowCount), one pass over `rows`.
    @unsafe
    package init?(
        rowCount: Int, factorCount: Int, blocks: UnsafeRawBufferPointer, reach: UnsafeBufferPointer<Float>,
        rows: UnsafeBufferPointer<UInt32>, owner: AnyObject
    ) {
        guard rowCount > 0, factorCount > 0, rowCount <= Int(UInt32.max) - 63 else { return nil }
        let blockCount = Self.blockCount(rowCount: rowCount)
        let (bytes, overflow) = Self.blockBytes(factorCount: factorCount).multipliedReportingOverflow(by: blockCount)
        guard !overflow, blocks.count == bytes, reach.count == blockCount, rows.count == rowCount,
            let blocksBase = blocks.baseAddress, let reachBase = reach.baseAddress, let rowsBase = rows.baseAddress
        else { return nil }
        var highest: UInt32 = 0
        // SAFETY: the buffers are valid during the call, as the caller promises.
        for place in 0..<rowCount { highest = unsafe max(highest, rowsBase[place]) }
        guard Int(highest) < rowCount else { return nil }
        self.rowCount = rowCount
        self.factorCount = factorCount
        unsafe self.blocksBase = blocksBase
        unsafe self.reachBase = reachBase
        unsafe self.rowsBase = rowsBase
        self.owner = owner
    }

    /// Owns columns that ``Kernels/quantize(_:factorCount:forEach:)`` has written.
    init(rowCount: Int, factorCount: Int, blocks: UnsafeMutableRawPointer, reach: [Float], rows: [UInt32]) {
        self.rowCount = rowCount
        self.factorCount = factorCount
        unsafe blocksBase = UnsafeRawPointer(blocks)
        // SAFETY: copied in full; freed in deinit.
        let ownReach = UnsafeMutablePointer<Float>.allocate(capacity: max(reach.count, 1))
        let ownRows = UnsafeMutablePointer<UInt32>.allocate(capacity: max(rows.count, 1))
        for place in reach.indices { unsafe (ownReach + place).initialize(to: reach[place]) }
        for place in rows.indices { unsafe (ownRows + place).initialize(to: rows[place]) }
        unsafe reachBase = UnsafePointer(ownReach)
        unsafe rowsBase = UnsafePointer(ownRows)
        owner = nil
    }

    deinit {
        guard owner == nil else { return }
        // SAFETY: without an owner the columns were allocated for this object; views never outlive it.
        unsafe UnsafeMutableRawPointer(mutating: blocksBase).deallocate()
        unsafe reachBase.deallocate()
        unsafe rowsBase.deallocate()
    }

    /// Memory for blocks: whole 2 MiB pages when it is large.
    static func allocateBlocks(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let isLarge = byteCount >= 4 << 20
        // SAFETY: freed in deinit; advice changes no contents.
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: max(byteCount, 64), alignment: isLarge ? 2 << 20 : 64)
        #if os(Linux)
            if isLarge { _ = unsafe madvise(bytes, byteCount, MADV_HUGEPAGE) }
        #endif
        return unsafe bytes
    }

    package var blockCount: Int { Self.blockCount(rowCount: rowCount) }

    /// Lends the three columns, to write them to a file: blocks, reach, rows.
    package func withColumns<R, E: Error>(
        _ body: (Span<UInt8>, Span<Float>, Span<UInt32>) throws(E) -> R
    ) throws(E) -> R {
        let byteCount = blockCount * Self.blockBytes(factorCount: factorCount)
        // SAFETY: sizes were checked or made in init; the object lives through the call.
        return try body(
            unsafe UnsafeBufferPointer(
                start: blocksBase.assumingMemoryBound(to: UInt8.self), count: byteCount
            ).span,
            unsafe UnsafeBufferPointer(start: reachBase, count: blockCount).span,
            unsafe UnsafeBufferPointer(start: rowsBase, count: rowCount).span)
    }

    // MARK: For the scan

    /// The row of the float32 matrix at `place`.
    func row(at place: Int) -> UInt32 {
        precondition(place >= 0 && place < rowCount, "BUG: place outside the items")
        // SAFETY: rowCount elements, checked above.
        return unsafe rowsBase[place]
    }

    /// At least the length of every row in `block` and after it.
    func reach(_ block: Int) -> Float {
        precondition(block >= 0 && block < blockCount, "BUG: block outside the items")
        // SAFETY: blockCount elements, checked above.
        return unsafe reachBase[block]
    }

    /// What the row's error counts for in its bound, before the query's weight.
    func error(at place: Int) -> Float {
        precondition(place >= 0 && place < rowCount, "BUG: place outside the items")
        let offset = place / 64 * 4 * Self.blockBytes(factorCount: factorCount) + place % 64 * 4
        // SAFETY: the constants of an existing row.
        return Float(bitPattern: unsafe blocksBase.loadUnaligned(fromByteOffset: offset, as: UInt32.self) << 16)
    }

    /// The first place whose constants no coding of vectors up to `lengthMax` makes; nil when there is none.
    ///
    /// With constants that are no numbers, or too large, a bound could be NaN; and places that only fill up the last blocks could pass for
    /// rows, at which a scan ends in a trap.
    ///
    /// - Parameter lengthMax: below 2⁶⁷, so that no bound overflows.
    /// - Complexity: one look at four bytes a row.
    package func firstUnsoundPlace(lengthMax: Float) -> Int? {
        precondition(lengthMax >= 0 && lengthMax < 0x1p67, "BUG: lengths without a bound")
        // The sign of a scale says nothing; an error has none. The least-squares scale is at most twice the length.
        let most = (4 * lengthMax).bitPattern >> 16
        let groupBytes = Self.blockGroup * Self.blockBytes(factorCount: factorCount)
        for place in 0..<blockCount * Self.blockRows {
            // SAFETY: the constants of a row of an existing group of blocks.
            let constants = unsafe blocksBase.loadUnaligned(
                fromByteOffset: place / 64 * groupBytes + place % 64 * 4, as: UInt32.self)
            let isSound =
                place < rowCount
                ? (constants >> 16 & 0x7fff) <= most && (constants & 0xffff) <= most : constants == Self.noRow
            if !isSound { return place }
        }
        return nil
    }

    /// The constants of a place without a row: its bound is -∞.
    fileprivate static let noRow: UInt32 = 0x0000_ff80

    /// The place of each row of the float32 matrix: the inverse of ``row(at:)``.
    package func placesOfRows() -> [UInt32] {
        var places = [UInt32](repeating: 0, count: rowCount)
        for place in 0..<rowCount { places[Int(row(at: place))] = UInt32(place) }
        return places
    }

    /// Lends the items, a query and a filter to C.
    func withScan<R>(
        _ query: QuantizedQuery, _ filter: PlaceFilter, _ body: (UnsafePointer<nl_code_scan>) -> R
    ) -> R {
        unsafe filter.withWords { first, second, excluded in
            // SAFETY: blocks as init found or made them; the query has room for 8 codes in each group; topK checked that the
            // sets have a word for each four blocks.
            var scan = unsafe nl_code_scan(
                blocks: blocksBase.assumingMemoryBound(to: UInt8.self), groups: (factorCount + 7) / 8,
                query: query.codes, offset: query.offset, weight: query.weight, allowed: (first, second),
                excluded: excluded)
            return unsafe body(&scan)
        }
    }

    /// How many rows are at least half as long as the longest, to the next four blocks.
    ///
    /// Of a model in which these are many, lengths tell little: a ranking has to read all of them.
    package var longRowCount: Int {
        guard blockCount > 0 else { return 0 }
        let enough = reach(0) / 2
        var (low, high) = (0, blockCount / Self.blockGroup)
        while low < high {
            let middle = (low + high) / 2
            if reach(middle * Self.blockGroup) >= enough { low = middle + 1 } else { high = middle }
        }
        return min(low * Self.blockGroup * Self.blockRows, rowCount)
    }
}

extension Kernels {
    /// Codes item factors for ``topK(_:_:_:scratch:into:where:)``.
    ///
    /// The same bytes on every path and with any number of threads.
    ///
    /// - Parameters:
    ///   - matrix: [rows × factorCount], row-major, finite; fewer than 2³² - 64 rows.
    ///   - forEach: runs `body(0)` … `body(n - 1)` in any order, on any threads, and returns when all have. Default: one
    ///     after the other on this thread.
    /// - Complexity: three passes over `matrix`, of which the last in the order of the lengths.
    package func quantize(
        _ matrix: Span<Float>, factorCount: Int,
        forEach: (_ n: Int, _ body: @Sendable (Int) -> Void) -> Void = { n, body in for i in 0..<n { body(i) } }
    ) -> QuantizedItems {
        precondition(factorCount > 0 && matrix.count.isMultiple(of: factorCount), "BUG: ragged matrix")
        let rowCount = matrix.count / factorCount
        precondition(rowCount <= Int(UInt32.max) - 63, "BUG: more rows than 32 bits can name")
        let blockCount = QuantizedItems.blockCount(rowCount: rowCount)
        let blockBytes = QuantizedItems.blockBytes(factorCount: factorCount)
        // SAFETY: every task writes rows, or blocks, of its own; all of them have returned when forEach does.
        return unsafe matrix.withUnsafeBufferPointer { matrix in
            unsafe matrix.baseAddress.map { from in
                nonisolated(unsafe) let from = unsafe from
                let tileRows = 4096
                let tiles = (rowCount + tileRows - 1) / tileRows
                let norms = unsafe [Float](unsafeUninitializedCapacity: rowCount) { to, count in
                    if let base = to.baseAddress {
                        nonisolated(unsafe) let base = unsafe base
                        forEach(tiles) { tile in
                            let first = tile * tileRows
                            unsafe table.pointee.row_norms(
                                from + first * factorCount, factorCount, min(tileRows, rowCount - first), base + first)
                        }
                    }
                    count = rowCount
                }
                let order = rowsByDescendingNorm(norms)
                let blocks = unsafe QuantizedItems.allocateBlocks(blockCount * blockBytes)
                nonisolated(unsafe) let to = unsafe blocks.assumingMemoryBound(to: UInt8.self)
                var reach = [Float](repeating: 0, count: blockCount)
                let tileBlocks = tileRows / QuantizedItems.blockRows
                unsafe reach.withUnsafeMutableBufferPointer { reach in
                    if let base = reach.baseAddress {
                        nonisolated(unsafe) let base = unsafe base
                        forEach(tiles) { tile in
                            unsafe order.withUnsafeBufferPointer { order in
                                unsafe norms.withUnsafeBufferPointer { norms in
                                    guard let o = order.baseAddress, let n = norms.baseAddress else { return }
                                    let first = tile * tileRows
                                    unsafe table.pointee.encode_blocks(
                                        from, factorCount, o + first, n, min(tileRows, rowCount - first),
                                        to + tile * tileBlocks * blockBytes, base + tile * tileBlocks)
                                }
                            }
                        }
                    }
                }
                // Blocks of the last four that hold no row; the rest of the four was cleared with the first of them.
                let lastFour = unsafe blocks + max(0, blockCount - 4) * blockBytes
                for row in (rowCount + 15) / 16 * 16..<blockCount * 16 {
                    unsafe lastFour.storeBytes(of: QuantizedItems.noRow, toByteOffset: row % 64 * 4, as: UInt32.self)
                }
                // An error may stand out of the descending order of the norms: lift what comes before it.
                for block in reach.indices.reversed().dropFirst() { reach[block] = max(reach[block], reach[block + 1]) }
                return unsafe QuantizedItems(
                    rowCount: rowCount, factorCount: factorCount, blocks: blocks, reach: reach, rows: order)
            }
        }
            ?? QuantizedItems(
                rowCount: 0, factorCount: factorCount, blocks: unsafe QuantizedItems.allocateBlocks(0), reach: [],
                rows: [])
    }
}

/// Row numbers, the longest first, equal ones ascending: a radix sort, three stable passes of 11 bits.
private func rowsByDescendingNorm(_ norms: [Float]) -> [UInt32] {
    var rows = (0..<UInt32(norms.count)).map { $0 }
    var sorted = rows
    for shift: UInt32 in [0, 11, 22] {
        // Bits of floats that are not negative sort as the floats do; inverted, in descending order.
        func digit(_ row: UInt32) -> Int { Int(~norms[Int(row)].bitPattern >> shift & 0x7ff) }
        var starts = [Int](repeating: 0, count: 2049)
        for row in rows { starts[digit(row) + 1] += 1 }
        for bucket in 1...2048 { starts[bucket] += starts[bucket - 1] }
        for row in rows {
            let bucket = digit(row)
            sorted[starts[bucket]] = row
            starts[bucket] += 1
        }
        swap(&rows, &sorted)
    }
    return rows
}
