import Dispatch
import TestSupport
import Testing
import VectorKernels

@Suite("Quantized items") struct QuantizedItemsTests {
    private struct Columns: Equatable {
        var blocks: [UInt8]
        var reach: [UInt32]
        var rows: [UInt32]

        init(_ items: QuantizedItems) {
            (blocks, reach, rows) = items.withColumns { blocks, reach, rows in
                (
                    blocks.indices.map { blocks[$0] }, reach.indices.map { reach[$0].bitPattern },
                    rows.indices.map { rows[$0] }
                )
            }
        }
    }

    @Test("the same bytes on every path, whatever the order of the tiles", arguments: FactorKind.allCases)
    func sameBytes(kind: FactorKind) throws {
        for (rows, factors) in [(0, 3), (1, 1), (63, 8), (64, 64), (65, 9), (9000, 20)] {
            var rng = SplitMix64(seed: 1)
            let matrix = kind.matrix(rows: rows, factors: factors, using: &rng)
            let expected = Columns(try #require(Kernels(.portable)).quantize(matrix.span, factorCount: factors))
            for path in Kernels.available {
                let kernels = try #require(Kernels(path))
                #expect(Columns(kernels.quantize(matrix.span, factorCount: factors)) == expected, "\(path) \(rows)")
            }
            let threaded = Kernels.best.quantize(matrix.span, factorCount: factors) { n, body in
                DispatchQueue.concurrentPerform(iterations: n, execute: body)
            }
            #expect(Columns(threaded) == expected, "\(rows) × \(factors)")
        }
    }

    @Test("rows are a permutation, the longest first, equal ones ascending")
    func order() {
        var rng = SplitMix64(seed: 2)
        var matrix = FactorKind.longTailed.matrix(rows: 5000, factors: 3, using: &rng)
        for row in 0..<50 { matrix.replaceSubrange(row * 300..<row * 300 + 3, with: [1, 1, 1]) }
        let items = Kernels.best.quantize(matrix.span, factorCount: 3)
        let rows = Columns(items).rows
        #expect(rows.sorted() == Array(0..<5000))
        let lengths = rows.map { row in
            (0..<3).reduce(0.0) { $0 + Double(matrix[Int(row) * 3 + $1]) * Double(matrix[Int(row) * 3 + $1]) }
        }
        for (a, b) in zip(rows.indices, rows.indices.dropFirst()) {
            #expect(lengths[a] >= lengths[b] * (1 - 1e-6))
            #expect(lengths[a] != lengths[b] || rows[a] < rows[b])
        }
        #expect(rows.prefix(50).elementsEqual((0..<50).map { UInt32($0 * 100) }))
    }

    @Test("reach never falls short of a row's length and never rises", arguments: FactorKind.allCases)
    func reach(kind: FactorKind) {
        var rng = SplitMix64(seed: 6)
        let factors = 12
        let matrix = kind.matrix(rows: 1000, factors: factors, using: &rng)
        let columns = Columns(Kernels.best.quantize(matrix.span, factorCount: factors))
        let reach = columns.reach.map { Float(bitPattern: $0) }
        #expect(zip(reach, reach.dropFirst()).allSatisfy { $0 >= $1 })
        for (place, row) in columns.rows.enumerated() {
            let values = matrix[Int(row) * factors..<(Int(row) + 1) * factors].map(Double.init)
            let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
            #expect(Double(reach[place / 16]) >= length)
        }
    }

    @Test("the stored error is at least the coding error, and a sixth of the length at most for plain rows")
    func errors() {
        var rng = SplitMix64(seed: 8)
        for kind in [FactorKind.random, .huge, .denormal, .mixedMagnitudes] {
            let factors = 19
            let matrix = kind.matrix(rows: 200, factors: factors, using: &rng)
            let columns = Columns(Kernels.best.quantize(matrix.span, factorCount: factors))
            let blockBytes = QuantizedItems.blockBytes(factorCount: factors)
            for (place, row) in columns.rows.enumerated() {
                let at = place / 64 * 4 * blockBytes + place % 64 * 4
                let constants = (0..<4).reduce(UInt32(0)) { $0 | UInt32(columns.blocks[at + $1]) << UInt32(8 * $1) }
                let scale = Double(Float(bitPattern: constants & 0xffff_0000))
                let error = Double(Float(bitPattern: constants << 16))
                var (missed, length) = (0.0, 0.0)
                for i in 0..<factors {
                    let byte = columns.blocks[at + 256 + i / 8 * 256 + i % 4]
                    let level = Double(i % 8 < 4 ? byte & 15 : byte >> 4) - 7.5
                    let y = Double(matrix[Int(row) * factors + i])
                    missed += (y - scale * level) * (y - scale * level)
                    length += y * y
                }
                #expect(error >= missed.squareRoot(), "\(kind), row \(row)")
                if kind == .random { #expect(error <= length.squareRoot() / 6) }
            }
        }
    }

    @Test("columns lent again give the same answers; wrong sizes and row numbers are refused")
    func borrowed() throws {
        var rng = SplitMix64(seed: 7)
        let factors = 10
        let matrix = FactorKind.random.matrix(rows: 400, factors: factors, using: &rng)
        let query = (0..<factors).map { _ in rng.nextFloat() }
        let items = Kernels.best.quantize(matrix.span, factorCount: factors)
        let expected = found(query, matrix, items)
        items.withColumns { blocks, reach, rows in
            unsafe blocks.withUnsafeBytes { blocks in
                unsafe reach.withUnsafeBufferPointer { reach in
                    unsafe rows.withUnsafeBufferPointer { rows in
                        func borrow(
                            _ rowCount: Int, _ factorCount: Int, _ bytes: Int, _ reaches: Int, _ rowNumbers: Int
                        ) -> QuantizedItems? {
                            // SAFETY: shorter pieces of columns that `items` keeps alive.
                            unsafe QuantizedItems(
                                rowCount: rowCount, factorCount: factorCount, blocks: .init(rebasing: blocks[..<bytes]),
                                reach: .init(rebasing: reach[..<reaches]), rows: .init(rebasing: rows[..<rowNumbers]),
                                owner: items)
                        }
                        let same = borrow(400, factors, blocks.count, reach.count, 400)
                        #expect(same.map { found(query, matrix, $0) } == expected)
                        #expect(borrow(400, factors, blocks.count - 1, reach.count, 400) == nil)
                        #expect(borrow(400, factors, blocks.count, reach.count - 1, 400) == nil)
                        #expect(borrow(400, factors, blocks.count, reach.count, 399) == nil)
                        #expect(borrow(400, factors + 8, blocks.count, reach.count, 400) == nil)
                        #expect(borrow(0, factors, 0, 0, 0) == nil)
                        #expect(borrow(400, 0, blocks.count, reach.count, 400) == nil)
                        // A catalogue one shorter has as many blocks, but row 399 is not in it.
                        let place399 = unsafe rows.firstIndex(of: 399)
                        #expect(place399 == 399 || borrow(399, factors, blocks.count, reach.count, 399) == nil)
                    }
                }
            }
        }
    }

    private func found(_ query: [Float], _ matrix: [Float], _ items: QuantizedItems) -> [ScoredRow] {
        var best = TopK()
        best.reset(k: 5)
        Kernels.best.topK(query.span, matrix.span, items, scratch: TopKScratch(), into: &best)
        best.sortBestFirst()
        return (0..<best.count).map { best[$0] }
    }
}
