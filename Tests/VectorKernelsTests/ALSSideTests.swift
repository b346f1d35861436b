import TestSupport
import Testing
import VectorKernels

private func randomMatrix(_ rows: Int, _ columns: Int, using rng: inout SplitMix64) -> PaddedMatrix {
    let matrix = PaddedMatrix(rowCount: rows, columnCount: columns)
    for row in 0..<rows {
        for column in 0..<columns { matrix[row, column] = rng.nextFloat() }
    }
    return matrix
}

@Suite("Gram matrix") struct GramTests {
    @Test(
        "agrees with double sums, and every path with every other", arguments: [1, 16, 17, 64, 80, 130],
        [0, 1, 257, 600])
    func sums(columns: Int, rows: Int) throws {
        var rng = SplitMix64(seed: 13)
        let matrix = randomMatrix(rows, columns, using: &rng)
        let cells = (0..<columns).flatMap { i in (i..<columns).map { j in (i, j) } }
        let exact = cells.map { i, j in
            (0..<rows).reduce(0.0) { $0 + Double(matrix[$1, i]) * Double(matrix[$1, j]) }
        }
        var bits: [[UInt64]] = []
        for path in Kernels.available {
            let kernels = try #require(Kernels(path))
            var sums = [Double](repeating: 0, count: matrix.width * matrix.width)
            let scratch = PaddedMatrix(rowCount: matrix.width, columnCount: matrix.width)
            kernels.addGram(of: matrix, rows: 0..<rows, to: &sums, scratch: scratch)
            let upper = cells.map { i, j in sums[i * matrix.width + j] }
            // 256 float32 additions of terms up to 1.
            #expect(zip(upper, exact).allSatisfy { abs($0 - $1) < 1e-6 * Double(max(rows, 1)) })
            bits.append(upper.map(\.bitPattern))
        }
        #expect(bits.allSatisfy { $0 == bits[0] })
    }
}

@Suite("ALS side") struct ALSSideTests {
    @Test("rows of any number of interactions, with any path, satisfy A x = b", arguments: Kernels.available)
    func equations(path: KernelPath) throws {
        let kernels = try #require(Kernels(path))
        var rng = SplitMix64(seed: 14)
        for columns in [1, 16, 20, 64, 100] {
            let fixed = randomMatrix(200, columns, using: &rng)
            // Rows of 0, 1, 2, ... interactions: every remainder of the groups of four, and of the packed blocks.
            let counts = Array(0...9) + [63, 64, 65, 130]
            var indptr: [UInt64] = [0]
            var indices: [UInt32] = []
            for count in counts {
                indices += (0..<UInt32(200)).shuffled(using: &rng).prefix(count).sorted()
                indptr.append(UInt64(indices.count))
            }
            let strengths = indices.map { _ in Float(1 + rng.next() % 3) }
            for solver in [RowSolver.cholesky, .conjugateGradient(steps: 400)] {
                let solved = randomMatrix(counts.count, columns, using: &rng)
                let side = ALSSide(
                    fixed: fixed, solved: solved, indptr: indptr, indices: indices, strengths: strengths, alpha: 2)
                var sums = [Double](repeating: 0, count: fixed.width * fixed.width)
                let scratch = PaddedMatrix(rowCount: fixed.width, columnCount: fixed.width)
                kernels.addGram(of: fixed, rows: 0..<200, to: &sums, scratch: scratch)
                side.setGram(sums, regularization: 0.5)
                #expect(side.solve(rows: 0..<counts.count, by: solver, scratch: ALSScratch(), kernels: kernels) == nil)
                for row in counts.indices {
                    let places = Int(indptr[row])..<Int(indptr[row + 1])
                    let x = (0..<columns).map { Double(solved[row, $0]) }
                    guard !places.isEmpty else {
                        #expect(x.allSatisfy { $0 == 0 })
                        continue
                    }
                    var residual = x.map { -0.5 * $0 }
                    var size = 0.0
                    func add(_ item: Int, _ weight: (Double) -> Double) {
                        let score = (0..<columns).reduce(0.0) { $0 + x[$1] * Double(fixed[item, $1]) }
                        for i in 0..<columns { residual[i] += weight(score) * Double(fixed[item, i]) }
                    }
                    for item in 0..<200 { add(item) { -$0 } }
                    for place in places {
                        let t = 2 * Double(strengths[place])
                        add(Int(indices[place])) { (1 + t) - t * $0 }
                        size += 1 + t
                    }
                    let worst = residual.reduce(0) { max($0, abs($1)) }
                    #expect(worst < 1e-4 * (size + 200 * (x.map(abs).max() ?? 0)), "\(columns), row \(row)")
                }
            }
        }
    }

    @Test("solvePositiveDefinite solves, reads the lower triangle only and refuses singular and NaN matrices")
    func plainCholesky() throws {
        let x = try #require(solvePositiveDefinite([4, .nan, 2, 3], [2, -1]))
        #expect(abs(x[0] - 1) < 1e-15 && abs(x[1] + 1) < 1e-15)
        #expect(solvePositiveDefinite([1, 1, 1, 1], [1, 1]) == nil)
        #expect(solvePositiveDefinite([0], [0]) == nil)
        #expect(solvePositiveDefinite([-1], [1]) == nil)
        #expect(solvePositiveDefinite([.nan], [1]) == nil)
        #expect(solvePositiveDefinite([.infinity], [1]) == nil)
        #expect(solvePositiveDefinite([], []) == [])
    }
}
