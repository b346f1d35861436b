import TestSupport
import Testing
import VectorKernels

/// The documented order, written as it is documented: the oracle of every path.
func dotInDocumentedOrder(_ a: [Float], _ b: [Float]) -> Float {
    var lanes = [Float](repeating: 0, count: 16)
    let blocks = (a.count + 15) / 16
    for element in 0..<(blocks * 16) {
        let x = element < a.count ? a[element] : 0
        let y = element < b.count ? b[element] : 0
        lanes[element % 16] = lanes[element % 16].addingProduct(x, y)
    }
    for half in [8, 4, 2, 1] {
        for lane in 0..<half { lanes[lane] += lanes[lane + half] }
    }
    return lanes[0]
}

/// Values that would show another order or a flushed denormal: mixed magnitudes, zeros of both signs, denormals.
func awkwardValues(_ count: Int, using rng: inout SplitMix64) -> [Float] {
    (0..<count).map { _ in
        switch rng.next() % 8 {
        case 0: 0
        case 1: -0.0
        case 2: rng.nextFloat() * 1e-38  // With another small factor the product is denormal or rounds to ±0.
        case 3: rng.nextFloat() * Float.leastNormalMagnitude
        case 4: rng.nextFloat() * 1e6
        default: rng.nextFloat()
        }
    }
}

extension Kernels {
    // `#expect` cannot take a call apart that has a span in it.
    fileprivate func allFinite(_ values: [Float]) -> Bool { isAllFinite(values.span) }
    fileprivate func product(_ a: [Float], _ b: [Float]) -> Float { dot(a.span, b.span) }
}

@Suite("Scores") struct ScoresTests {
    @Test("the portable path is always there and the best is the first available")
    func pathsAvailable() {
        #expect(Kernels.available.contains(.portable))
        #expect(Kernels.best.name == Kernels.available.first?.rawValue)
    }

    @Test("every path sums in the documented order, bit for bit", arguments: Kernels.available)
    func documentedOrder(path: KernelPath) throws {
        let kernels = try #require(Kernels(path))
        var rng = SplitMix64(seed: 1)
        for count in Array(0...130) + [255, 256, 257, 1000, 1024] {
            for round in 0..<4 {
                let a = round == 0 ? (0..<count).map { _ in rng.nextFloat() } : awkwardValues(count, using: &rng)
                let b = awkwardValues(count, using: &rng)
                let got = kernels.dot(a.span, b.span)
                #expect(got.bitPattern == dotInDocumentedOrder(a, b).bitPattern, "\(count) elements, round \(round)")
            }
        }
    }

    @Test("denormal results are not flushed to zero", arguments: Kernels.available)
    func denormals(path: KernelPath) throws {
        let kernels = try #require(Kernels(path))
        let a = [Float](repeating: 1e-20, count: 17)
        let b = [Float](repeating: 1e-20, count: 17)
        #expect(kernels.product(a, b) > 0)
        #expect(kernels.product([.leastNonzeroMagnitude], [1]) == Float.leastNonzeroMagnitude)
    }

    @Test("scores of rows have the bits of dot", arguments: Kernels.available)
    func rowsMatchDot(path: KernelPath) throws {
        let kernels = try #require(Kernels(path))
        var rng = SplitMix64(seed: 2)
        for factorCount in Array(1...36) + [48, 50, 63, 64, 65, 100, 127, 128, 129, 200] {
            let rowCount = 45
            let query = awkwardValues(factorCount, using: &rng)
            let matrix = awkwardValues(factorCount * rowCount, using: &rng)
            let expected = (0..<rowCount).map {
                dotInDocumentedOrder(query, Array(matrix[$0 * factorCount..<($0 + 1) * factorCount])).bitPattern
            }
            for (firstRow, count) in [(0, rowCount), (3, 8), (5, 40), (44, 1), (45, 0), (30, 15)] {
                var scores = [Float](repeating: .nan, count: count)
                var span = scores.mutableSpan
                kernels.scoreRows(query.span, matrix.span, firstRow: firstRow, into: &span)
                #expect(scores.map(\.bitPattern) == Array(expected[firstRow..<firstRow + count]), "\(factorCount)")
            }
            for count in [0, 1, 7, 8, 9, 16, 17, 43] {
                let rows = (0..<count).map { _ in UInt32(rng.next() % UInt64(rowCount)) }
                var scores = [Float](repeating: .nan, count: count)
                var span = scores.mutableSpan
                kernels.scoreRows(query.span, matrix.span, rows: rows.span, into: &span)
                #expect(scores.map(\.bitPattern) == rows.map { expected[Int($0)] }, "\(factorCount) factors")
            }
        }
    }

    @Test("a NaN or an infinity is found at every place", arguments: Kernels.available)
    func finite(path: KernelPath) throws {
        let kernels = try #require(Kernels(path))
        #expect(kernels.allFinite([]))
        for count in [1, 15, 16, 17, 63, 64, 65, 200, 8192, 8300] {
            var values = [Float](repeating: -.greatestFiniteMagnitude, count: count)
            #expect(kernels.allFinite(values))
            for place in Set([0, count / 2, count - 1]) {
                for bad in [Float.nan, .infinity, -.infinity, Float(bitPattern: 0xff80_0001)] {
                    values[place] = bad
                    #expect(!kernels.allFinite(values), "\(bad) at \(place) of \(count)")
                }
                values[place] = 1
            }
        }
    }

    @Test("different lengths are our bug") func lengthsMustMatch() async {
        await #expect(processExitsWith: .failure) {
            let two: [Float] = [1, 2]
            _ = dot(two.span, two.span.extracting(first: 1))
        }
    }

    @Test("a row outside the matrix is our bug, not a wild read") func rowsMustExist() async {
        await #expect(processExitsWith: .failure) {
            let query: [Float] = [1]
            let matrix: [Float] = [1, 2, 3]
            let rows: [UInt32] = [3]
            var scores: [Float] = [0]
            var span = scores.mutableSpan
            scoreRows(query.span, matrix.span, rows: rows.span, into: &span)
        }
        await #expect(processExitsWith: .failure) {
            let query: [Float] = [1]
            let matrix: [Float] = [1, 2, 3]
            var scores: [Float] = [0, 0]
            var span = scores.mutableSpan
            scoreRows(query.span, matrix.span, firstRow: 2, into: &span)
        }
    }
}
