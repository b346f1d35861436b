import TestSupport
import Testing
import VectorKernels

@Suite("Top-k") struct TopKTests {
    private func fullSort(_ rows: [ScoredRow], _ k: Int) -> [ScoredRow] {
        Array(rows.sorted { $0.score != $1.score ? $0.score > $1.score : $0.row < $1.row }.prefix(k))
    }

    private func contents(_ top: borrowing TopK) -> [ScoredRow] {
        var rows: [ScoredRow] = []
        for place in 0..<top.count { rows.append(top[place]) }
        return rows
    }

    @Test(
        "agrees with a full sort in any order of offering", arguments: [0, 1, 2, 3, 10, 15, 16, 17, 256, 257, 300],
        [1, 2, 3])
    func matchesFullSort(k: Int, seed: Int) {
        var rng = SplitMix64(seed: UInt64(seed))
        // Few values: many ties.
        let rows = (0..<257).map { ScoredRow(row: UInt32($0), score: Float(Int.random(in: -4...4, using: &rng))) }
        var top = TopK()
        for order in [rows, rows.reversed(), rows.shuffled(using: &rng)] {
            top.reset(k: k)
            for row in order { top.offer(row: row.row, score: row.score) }
            top.sortBestFirst()
            #expect(contents(top) == fullSort(rows, k), "seed \(seed)")
        }
    }

    @Test("offering a span is offering its rows", arguments: [1, 5, 64, 2000], [0, 1, 63, 64, 65, 1000])
    func spans(k: Int, count: Int) {
        var rng = SplitMix64(seed: 7)
        let scores = (0..<count).map { _ in Float(Int.random(in: 0...40, using: &rng)) }
        let rows = scores.enumerated().map { ScoredRow(row: UInt32($0.offset + 5), score: $0.element) }
        var top = TopK()
        top.reset(k: k)
        // The second half first: a tie may then go to a row that comes later.
        top.offer(firstRow: 5 + count / 2, scores: scores.span.extracting((count / 2)..<count))
        top.offer(firstRow: 5, scores: scores.span.extracting(0..<(count / 2)))
        top.sortBestFirst()
        #expect(contents(top) == fullSort(rows, k))
    }

    @Test("the threshold is -∞ until k are kept, then the worst kept score")
    func threshold() {
        var top = TopK()
        #expect(top.threshold == .infinity)
        top.reset(k: 2)
        #expect(top.threshold == -.infinity)
        top.offer(row: 9, score: 3)
        #expect(top.threshold == -.infinity)
        top.offer(row: 8, score: 1)
        #expect(top.threshold == 1)
        top.offer(row: 7, score: 2)
        #expect(top.threshold == 2)
        top.sortBestFirst()
        #expect(top.threshold == 2)
        top.reset(k: 0)
        top.offer(row: 0, score: .infinity)
        #expect(top.count == 0)
        #expect(top.threshold == .infinity)
    }

    @Test("equal scores go to the lower row, zeros of both signs are equal")
    func ties() {
        var top = TopK()
        top.reset(k: 2)
        for row in [4, 2, 9, 0, 7] as [UInt32] { top.offer(row: row, score: row.isMultiple(of: 2) ? 0 : -0.0) }
        top.sortBestFirst()
        #expect(contents(top).map(\.row) == [0, 2])
    }

    @Test("NaN is never kept, infinities are ordered")
    func notANumber() {
        var top = TopK()
        top.reset(k: 3)
        let scores: [Float] = [.nan, -.infinity, .nan, .infinity, 0]
        top.offer(firstRow: 0, scores: scores.span)
        top.sortBestFirst()
        #expect(contents(top).map(\.row) == [3, 4, 1])
        top.reset(k: 3)
        for (row, score) in scores.enumerated() { top.offer(row: UInt32(row), score: score) }
        top.sortBestFirst()
        #expect(contents(top).map(\.row) == [3, 4, 1])
    }

    @Test("the highest row number is taken") func highestRow() {
        var top = TopK()
        top.reset(k: 1)
        let scores: [Float] = [1]
        top.offer(firstRow: Int(UInt32.max), scores: scores.span)
        #expect(top[0].row == UInt32.max)
    }

    @Test(
        "keeps the same on every path, sorted in vectors or in a heap", arguments: KernelPath.allCases,
        [1, 2, 9, 10, 15, 16, 17, 40])
    func everyPath(path: KernelPath, k: Int) throws {
        guard let kernels = Kernels(path) else { return }
        var rng = SplitMix64(seed: 11)
        for count in [0, 1, 15, 16, 17, 31, 64, 200] {
            let scores: [Float] = (0..<count).map { _ in
                [.nan, .infinity, -.infinity, 0, -0.0, 1, -1, .leastNonzeroMagnitude].randomElement(using: &rng) ?? 0
            }
            // Rows in any order, with the least and the greatest that there are.
            let numbers = [0, UInt32.max] + (1...1000).map { UInt32($0) }.shuffled(using: &rng)
            let rows = Array(numbers.prefix(count)).shuffled(using: &rng)
            let offered = zip(rows, scores).map { ScoredRow(row: $0, score: $1) }
            let wanted = fullSort(offered.filter { !$0.score.isNaN }, k)
            var top = TopK(kernels)
            top.reset(k: k)
            top.offer(rows: rows.span.extracting(0..<count / 3), scores: scores.span.extracting(0..<count / 3))
            top.offer(rows: rows.span.extracting(count / 3..<count), scores: scores.span.extracting(count / 3..<count))
            #expect(top.count == wanted.count)
            #expect(top.threshold == (wanted.count < k ? -.infinity : wanted[k - 1].score))
            top.sortBestFirst()
            #expect(contents(top).map(\.row) == wanted.map(\.row))
            // Zeros keep their sign.
            #expect(contents(top).map(\.score.bitPattern) == wanted.map(\.score.bitPattern))
            let fromSecond = Array(top.rows.dropFirst())
            #expect(fromSecond == Array(wanted.dropFirst()))
        }
    }
}
