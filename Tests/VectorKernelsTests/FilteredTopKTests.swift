import TestSupport
import Testing
import VectorKernels

/// Filters by place and effort that runs out, against every row scored and sorted.
@Suite("Filtered quantized top-k") struct FilteredTopKTests {
    private let scratch = TopKScratch()

    private struct Case {
        let query: [Float]
        let matrix: [Float]
        let items: QuantizedItems
        let places: [UInt32]
        var rowCount: Int { places.count }

        init(_ kind: FactorKind, rows: Int, factors: Int, using rng: inout SplitMix64, kernels: Kernels = .best) {
            let matrix = kind.matrix(rows: rows, factors: factors, using: &rng)
            let items = kernels.quantize(matrix.span, factorCount: factors)
            query = kind.query(factors: factors, using: &rng)
            self.matrix = matrix
            self.items = items
            places = items.placesOfRows()
        }

        func set(_ rows: [UInt32]) -> PlaceSet {
            var set = PlaceSet(placeCount: rowCount)
            for row in rows { set.insert(places[Int(row)]) }
            return set
        }

        func bruteForce(k: Int, where isAllowed: (UInt32) -> Bool) -> [ScoredRow] {
            var scores = [Float](repeating: 0, count: rowCount)
            var span = scores.mutableSpan
            scoreRows(query.span, matrix.span, firstRow: 0, into: &span)
            let rows = scores.enumerated().map { ScoredRow(row: UInt32($0.offset), score: $0.element) }
            return Array(
                rows.filter { !$0.score.isNaN && isAllowed($0.row) }.sorted { $0.isBetter(than: $1) }.prefix(k))
        }
    }

    /// nil when the scan was given up.
    private func scan(
        _ kernels: Kernels, _ c: Case, k: Int, _ filter: PlaceFilter, parts: Int = 1, asksRows: Bool = false,
        effort: ScanEffort = .unlimited, where isAllowed: (UInt32) -> Bool = { _ in true }
    ) -> [ScoredRow]? {
        var best = TopK()
        best.reset(k: k)
        for part in 0..<parts {
            var share = TopK()
            share.reset(k: k)
            let isDone = kernels.topK(
                c.query.span, c.matrix.span, c.items, scratch: scratch, into: &share, part: part, of: parts,
                filter: filter, asksRows: asksRows, effort: effort, where: isAllowed)
            if !isDone { return nil }
            for place in 0..<share.count { best.offer(row: share[place].row, score: share[place].score) }
        }
        best.sortBestFirst()
        return (0..<best.count).map { best[$0] }
    }

    private func scored(_ kernels: Kernels, _ c: Case, k: Int, _ filter: PlaceFilter) -> [ScoredRow] {
        var best = TopK()
        best.reset(k: k)
        kernels.scoreAll(c.query.span, c.matrix.span, c.items, scratch: scratch, into: &best, filter: filter)
        best.sortBestFirst()
        return (0..<best.count).map { best[$0] }
    }

    private func isSame(_ a: [ScoredRow]?, _ b: [ScoredRow]) -> Bool {
        guard let a else { return false }
        return a.count == b.count
            && zip(a, b).allSatisfy { $0.row == $1.row && $0.score.bitPattern == $1.score.bitPattern }
    }

    /// Each row with a chance of `share`, and always the same rows of a seed.
    private func some(_ rowCount: Int, _ share: Double, using rng: inout SplitMix64) -> [UInt32] {
        (0..<UInt32(rowCount)).filter { _ in Double(rng.next() % 1_000_000) < share * 1_000_000 }
    }

    @Test(
        "sets of any density give the rows, order and bits of a full sort", arguments: FactorKind.allCases,
        Kernels.available)
    func densities(kind: FactorKind, path: KernelPath) throws {
        let kernels = try #require(Kernels(path))
        for (seed, share) in [0, 0.001, 0.02, 0.5, 0.999, 1].enumerated() {
            var rng = SplitMix64(seed: UInt64(seed))
            for (rows, factors) in [(1700, 33), (500, 64), (400, 128)] {
                let c = Case(kind, rows: rows, factors: factors, using: &rng, kernels: kernels)
                let (first, second) = (some(rows, share, using: &rng), some(rows, 0.5, using: &rng))
                let (one, two) = (Set(first), Set(second))
                for k in [0, 1, 10, rows + 1] {
                    let note: Comment = "seed \(seed), \(rows) × \(factors), share \(share), k \(k)"
                    let allowed = PlaceFilter(allowed: c.set(first))
                    let expected = c.bruteForce(k: k) { one.contains($0) }
                    #expect(isSame(scan(kernels, c, k: k, allowed), expected), note)
                    #expect(isSame(scored(kernels, c, k: k, allowed), expected), note)
                    #expect(
                        isSame(
                            scan(kernels, c, k: k, PlaceFilter(excluded: c.set(first))),
                            c.bruteForce(k: k) { !one.contains($0) }), note)
                    let both = PlaceFilter(allowed: c.set(first), alsoAllowed: c.set(second))
                    let common = c.bruteForce(k: k) { one.contains($0) && two.contains($0) }
                    #expect(isSame(scan(kernels, c, k: k, both, parts: 3), common), note)
                    let all = PlaceFilter(alsoAllowed: c.set(second), excluded: c.set(first))
                    let left = c.bruteForce(k: k) { two.contains($0) && !one.contains($0) && $0 % 3 != 1 }
                    #expect(isSame(scan(kernels, c, k: k, all, asksRows: true) { $0 % 3 != 1 }, left), note)
                }
            }
        }
    }

    @Test("sets that end around a word", arguments: [1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 319, 320, 321])
    func wordEnds(rows: Int) {
        var rng = SplitMix64(seed: UInt64(rows))
        for kind in [FactorKind.random, .allEqual, .longTailed] {
            let c = Case(kind, rows: rows, factors: 16, using: &rng)
            for last in [0, rows / 2, rows - 1] {
                let filter = PlaceFilter(allowed: c.set([UInt32(last)]))
                let expected = c.bruteForce(k: 3) { $0 == UInt32(last) }
                #expect(isSame(scan(.best, c, k: 3, filter), expected), "\(kind), row \(last)")
                #expect(isSame(scored(.best, c, k: 3, filter), expected), "\(kind), row \(last)")
                let others = PlaceFilter(excluded: c.set([UInt32(last)]))
                #expect(isSame(scan(.best, c, k: rows, others), c.bruteForce(k: rows) { $0 != UInt32(last) }))
            }
            // Room beyond the rows, as a scratch that is shared by models has, lets nothing more pass.
            var large = PlaceSet(placeCount: rows + 200)
            for place in 0..<UInt32(rows) { large.insert(place) }
            let everything = c.bruteForce(k: rows) { _ in true }
            #expect(isSame(scan(.best, c, k: rows, PlaceFilter(allowed: large)), everything), "\(kind)")
            #expect(isSame(scored(.best, c, k: rows, PlaceFilter(allowed: large)), everything), "\(kind)")
        }
    }

    @Test("zero, tiny, overflowing and not finite queries obey the sets too")
    func degenerateQueries() {
        var rng = SplitMix64(seed: 8)
        let base = Case(.random, rows: 700, factors: 9, using: &rng)
        let rows = some(700, 0.3, using: &rng)
        let allowed = Set(rows)
        for value in [0, -0.0, .leastNonzeroMagnitude, 3e38, .infinity, .nan] as [Float] {
            let query = [Float](repeating: value, count: 9)
            var scores = [Float](repeating: 0, count: 700)
            var span = scores.mutableSpan
            scoreRows(query.span, base.matrix.span, firstRow: 0, into: &span)
            let expected = rows.map { ScoredRow(row: $0, score: scores[Int($0)]) }.filter { !$0.score.isNaN }
                .sorted { $0.isBetter(than: $1) }
            var best = TopK()
            best.reset(k: 20)
            Kernels.best.topK(
                query.span, base.matrix.span, base.items, scratch: scratch, into: &best,
                filter: PlaceFilter(allowed: base.set(rows)))
            best.sortBestFirst()
            let got = (0..<best.count).map { best[$0] }
            #expect(isSame(got, Array(expected.prefix(20))), "\(value)")
            #expect(got.allSatisfy { allowed.contains($0.row) }, "\(value)")
        }
    }

    @Test(
        "a scan that is given up says so, and one that is not is exact, whatever the effort",
        arguments: 0..<16 as Range<UInt64>)
    func efforts(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        let kind: FactorKind = [.random, .longTailed, .duplicates, .mixedMagnitudes][Int(seed % 4)]
        let c = Case(kind, rows: 3000, factors: 24, using: &rng)
        let rows = some(3000, [0.01, 0.1, 0.5, 1][Int(seed / 4)], using: &rng)
        let allowed = Set(rows)
        let filter = PlaceFilter(allowed: c.set(rows))
        for modulus in [1, 2, 100] as [UInt32] {
            let expected = c.bruteForce(k: 10) { allowed.contains($0) && $0 % modulus == 0 }
            for most in [0, 100, 700, 2000, 6000, 20_000, 1_000_000, .max] {
                for least in [0, most / 2, most] {
                    let effort = ScanEffort(rowsMax: least, rowsMaxIfAllPass: most)
                    let got = scan(.best, c, k: 10, filter, asksRows: modulus > 1, effort: effort) { $0 % modulus == 0 }
                    if let got { #expect(isSame(got, expected), "seed \(seed), effort \(least) to \(most)") }
                    // Every row read, asked for and scored is within this.
                    if effort == .unlimited || modulus == 1 && least >= 1_000_000 { #expect(got != nil) }
                    // Less than a single row.
                    if most == 0 { #expect(got == nil) }
                }
            }
        }
    }

    @Test("the longest rows are counted to the next 64, and no more than there are")
    func longRows() {
        for (long, rows, counted) in [
            (1, 1000, 64), (64, 1000, 64), (65, 1000, 128), (300, 300, 300), (999, 1000, 1000),
        ] {
            let matrix = (0..<rows).map { $0 < long ? Float(4) : 1 }
            #expect(Kernels.best.quantize(matrix.span, factorCount: 1).longRowCount == counted, "\(long) of \(rows)")
        }
        #expect(Kernels.best.quantize([Float]().span, factorCount: 3).longRowCount == 0)
    }

    @Test("a set with room for fewer places is our bug") func setsMustFit() async {
        await #expect(processExitsWith: .failure) {
            let matrix = [Float](repeating: 1, count: 130)
            let query: [Float] = [1, 1]
            var best = TopK()
            best.reset(k: 1)
            Kernels.best.topK(
                query.span, matrix.span, Kernels.best.quantize(matrix.span, factorCount: 2), scratch: TopKScratch(),
                into: &best,
                filter: PlaceFilter(alsoAllowed: PlaceSet(placeCount: 64)))
        }
    }
}
