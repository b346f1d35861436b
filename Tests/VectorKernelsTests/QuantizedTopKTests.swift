import TestSupport
import Testing
import VectorKernels

/// Item factors and queries of one kind, each kind awkward in another way.
enum FactorKind: String, CaseIterable, Sendable {
    case random, longTailed, duplicates, fewValues, allEqual, zeroRows, denormal, huge, mixedMagnitudes, overflowing

    func matrix(rows: Int, factors: Int, using rng: inout SplitMix64) -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(rows * factors)
        for row in 0..<rows {
            let length = rowLength(row, using: &rng)
            switch self {
            case .duplicates where row >= 7:
                // One of the first rows again.
                let first = Int(rng.next() % 7) * factors
                values += values[first..<first + factors]
            case .allEqual where row > 0: values += values[0..<factors]
            case .zeroRows where rng.next() % 3 > 0:
                values += (0..<factors).map { $0 % 2 == 0 ? 0 : -0.0 }
            case .fewValues: values += (0..<factors).map { _ in Float(Int(rng.next() % 3)) - 1 }
            case .mixedMagnitudes: values += awkwardValues(factors, using: &rng)
            default: values += (0..<factors).map { _ in length * rng.nextFloat() }
            }
        }
        return values
    }

    private func rowLength(_ row: Int, using rng: inout SplitMix64) -> Float {
        switch self {
        case .longTailed: 1 / Float(1 + rng.next() % 1000)
        case .denormal: 70 * .leastNonzeroMagnitude
        case .huge: 1e18  // Squared lengths up to 1e38.
        case .overflowing: row % 5 == 0 ? 3e38 : 1e10
        default: 1
        }
    }

    func query(factors: Int, using rng: inout SplitMix64) -> [Float] {
        switch (self, rng.next() % 4) {
        case (.mixedMagnitudes, _): awkwardValues(factors, using: &rng)
        case (.denormal, 0): (0..<factors).map { _ in 70_000 * Float.leastNonzeroMagnitude * rng.nextFloat() }
        case (.huge, 0): (0..<factors).map { _ in 1e18 * rng.nextFloat() }
        case (.fewValues, _): (0..<factors).map { _ in Float(Int(rng.next() % 3)) - 1 }
        // One factor only: codes of the others are all zero.
        case (_, 1): (0..<factors).map { $0 == factors / 2 ? 1 : 0 }
        default: (0..<factors).map { _ in rng.nextFloat() }
        }
    }
}

@Suite("Quantized top-k") struct QuantizedTopKTests {
    private let scratch = TopKScratch()

    /// Every allowed row scored and sorted.
    private func bruteForce(
        _ query: [Float], _ matrix: [Float], k: Int, where isAllowed: (UInt32) -> Bool = { _ in true }
    ) -> [ScoredRow] {
        var scores = [Float](repeating: 0, count: matrix.count / query.count)
        var span = scores.mutableSpan
        scoreRows(query.span, matrix.span, firstRow: 0, into: &span)
        let rows = scores.enumerated().map { ScoredRow(row: UInt32($0.offset), score: $0.element) }
        return Array(rows.filter { !$0.score.isNaN && isAllowed($0.row) }.sorted { $0.isBetter(than: $1) }.prefix(k))
    }

    private func quantizedTopK(
        _ kernels: Kernels, _ query: [Float], _ matrix: [Float], _ items: QuantizedItems, k: Int, parts: Int = 1,
        where isAllowed: (UInt32) -> Bool = { _ in true }
    ) -> [ScoredRow] {
        var best = TopK()
        best.reset(k: k)
        for part in 0..<parts {
            var share = TopK()
            share.reset(k: k)
            kernels.topK(
                query.span, matrix.span, items, scratch: scratch, into: &share, part: part, of: parts, where: isAllowed)
            for place in 0..<share.count { best.offer(row: share[place].row, score: share[place].score) }
        }
        best.sortBestFirst()
        return (0..<best.count).map { best[$0] }
    }

    private func isSame(_ a: [ScoredRow], _ b: [ScoredRow]) -> Bool {
        a.count == b.count
            && zip(a, b).allSatisfy { $0.row == $1.row && $0.score.bitPattern == $1.score.bitPattern }
    }

    @Test("rows, order and bits of a full sort", arguments: FactorKind.allCases, Kernels.available)
    func matchesBruteForce(kind: FactorKind, path: KernelPath) throws {
        let kernels = try #require(Kernels(path))
        for (seed, (rows, factors)) in [
            (256, 64), (300, 1), (1000, 7), (700, 8), (3000, 33), (2600, 64), (900, 128), (800, 200),
        ].enumerated() {
            var rng = SplitMix64(seed: UInt64(seed))
            let matrix = kind.matrix(rows: rows, factors: factors, using: &rng)
            let items = kernels.quantize(matrix.span, factorCount: factors)
            for k in [1, 10, 33, 257, rows, rows + 1] {
                let query = kind.query(factors: factors, using: &rng)
                let expected = bruteForce(query, matrix, k: k)
                let got = quantizedTopK(kernels, query, matrix, items, k: k)
                #expect(isSame(got, expected), "seed \(seed), \(rows) × \(factors), k \(k)")
            }
        }
    }

    @Test("many seeds on the best kernels", arguments: FactorKind.allCases)
    func manySeeds(kind: FactorKind) {
        for seed in 0..<30 as Range<UInt64> {
            var rng = SplitMix64(seed: 1000 + seed)
            let rows = 256 + Int(rng.next() % 5000)
            let factors = 1 + Int(rng.next() % 80)
            let matrix = kind.matrix(rows: rows, factors: factors, using: &rng)
            let items = Kernels.best.quantize(matrix.span, factorCount: factors)
            let query = kind.query(factors: factors, using: &rng)
            let k = Int(rng.next() % 40)
            let got = quantizedTopK(.best, query, matrix, items, k: k)
            #expect(isSame(got, bruteForce(query, matrix, k: k)), "seed \(seed), \(rows) × \(factors), k \(k)")
        }
    }

    /// Codes see nothing of such a query, so only the error term can keep the row: the bound is tight here, where random
    /// queries would forgive one twenty times too small.
    @Test("a row is found by a query along its coding error", arguments: Kernels.available)
    func tightBound(path: KernelPath) throws {
        let kernels = try #require(Kernels(path))
        for seed in 0..<20 as Range<UInt64> {
            var rng = SplitMix64(seed: seed)
            let factors = 64
            // The first row is the longest; the others score well by their codes but less than its error does.
            let matrix = (0..<600 * factors).map { ($0 < factors ? 1 : 0.15) * rng.nextFloat() }
            let items = kernels.quantize(matrix.span, factorCount: factors)
            let query: [Float] = items.withColumns { blocks, _, _ in
                // Row 0 is at place 0. Its constants are little-endian: the upper half is the scale.
                let scale = Float(bitPattern: UInt32(blocks[2]) << 16 | UInt32(blocks[3]) << 24)
                return (0..<factors).map { i in
                    let byte = blocks[256 + i / 8 * 256 + i % 4]
                    return matrix[i] - scale * (Float(i % 8 < 4 ? byte & 15 : byte >> 4) - 7.5)
                }
            }
            for k in [1, 3] {
                let got = quantizedTopK(kernels, query, matrix, items, k: k)
                #expect(isSame(got, bruteForce(query, matrix, k: k)), "seed \(seed), k \(k)")
            }
        }
    }

    @Test("filters act before the ranking, however few rows pass", arguments: [1, 10, 100, 5000], [1, 3])
    func filters(k: Int, parts: Int) {
        var rng = SplitMix64(seed: 5)
        for kind in [FactorKind.random, .longTailed, .duplicates, .allEqual] {
            let matrix = kind.matrix(rows: 20_000, factors: 16, using: &rng)
            let items = Kernels.best.quantize(matrix.span, factorCount: 16)
            let query = kind.query(factors: 16, using: &rng)
            let seen = Set(bruteForce(query, matrix, k: 15).map(\.row))
            let filters: [(UInt32) -> Bool] = [
                { _ in true }, { _ in false }, { !seen.contains($0) }, { seen.contains($0) }, { $0 == 19_999 },
                { $0 % 97 == 3 }, { (4000..<4400).contains($0) },
            ]
            for (number, filter) in filters.enumerated() {
                let got = quantizedTopK(.best, query, matrix, items, k: k, parts: parts, where: filter)
                #expect(isSame(got, bruteForce(query, matrix, k: k, where: filter)), "\(kind), filter \(number)")
            }
        }
    }

    @Test("a query that leaves too many for later looks at them in between")
    func laterOverflows() {
        // Every row of nearly the same length and direction: all bounds reach the threshold, few estimates do.
        var rng = SplitMix64(seed: 9)
        let direction = (0..<32).map { _ in rng.nextFloat() }
        let rows = 60_000
        var matrix: [Float] = []
        for row in 0..<rows {
            let length = 1 - Float(row) * 1e-7
            matrix += direction.map { length * $0 + 0.01 * rng.nextFloat() }
        }
        let items = Kernels.best.quantize(matrix.span, factorCount: 32)
        #expect(isSame(quantizedTopK(.best, direction, matrix, items, k: 10), bruteForce(direction, matrix, k: 10)))
    }

    @Test("zero queries, queries that overflow, k of 0, and no items")
    func degenerate() {
        var rng = SplitMix64(seed: 3)
        let matrix = FactorKind.random.matrix(rows: 500, factors: 9, using: &rng)
        let items = Kernels.best.quantize(matrix.span, factorCount: 9)
        let queries: [[Float]] = [
            [Float](repeating: 0, count: 9), [Float](repeating: -0.0, count: 9), [Float](repeating: 3e38, count: 9),
            [Float](repeating: .leastNonzeroMagnitude, count: 9), [Float](repeating: .infinity, count: 9),
            [Float](repeating: .nan, count: 9),
        ]
        for query in queries {
            for k in [0, 1, 499, 500, 1000] {
                let odd: (UInt32) -> Bool = { $0 % 2 == 1 }
                #expect(isSame(quantizedTopK(.best, query, matrix, items, k: k), bruteForce(query, matrix, k: k)))
                #expect(
                    isSame(
                        quantizedTopK(.best, query, matrix, items, k: k, where: odd),
                        bruteForce(query, matrix, k: k, where: odd)), "\(query[0]), k \(k)")
            }
        }
        let none = Kernels.best.quantize([Float]().span, factorCount: 9)
        #expect(quantizedTopK(.best, queries[3], [], none, k: 3).isEmpty)
    }

    @Test("what the best holds already takes part")
    func earlierOffers() {
        var rng = SplitMix64(seed: 4)
        let matrix = FactorKind.random.matrix(rows: 2000, factors: 24, using: &rng)
        let items = Kernels.best.quantize(matrix.span, factorCount: 24)
        let query = (0..<24).map { _ in rng.nextFloat() }
        let expected = bruteForce(query, matrix, k: 2)
        var best = TopK()
        best.reset(k: 2)
        best.offer(row: 5000, score: expected[0].score + 1)
        best.offer(row: 5001, score: expected[0].score)
        Kernels.best.topK(query.span, matrix.span, items, scratch: scratch, into: &best)
        best.sortBestFirst()
        // The tie goes to the lower row, which is the one found.
        #expect([best[0].row, best[1].row] == [5000, expected[0].row])
    }

    @Test("a query of another factor count is our bug") func shapesMustMatch() async {
        await #expect(processExitsWith: .failure) {
            let matrix = [Float](repeating: 1, count: 600)
            let query: [Float] = [1, 1, 1]
            var best = TopK()
            best.reset(k: 1)
            Kernels.best.topK(
                query.span, matrix.span, Kernels.best.quantize(matrix.span, factorCount: 2), scratch: TopKScratch(),
                into: &best)
        }
    }
}
