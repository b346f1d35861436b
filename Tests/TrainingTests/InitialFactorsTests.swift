import Testing
import Training
import VectorKernels

@Suite("Initial factors") struct InitialFactorsTests {
    private func filled(seed: UInt64, stream: UInt64, indptr: [UInt64]) -> [Float] {
        let matrix = PaddedMatrix(rowCount: indptr.count - 1, columnCount: 20)
        fillInitialFactors(matrix, seed: seed, stream: stream, indptr: indptr)
        return matrix.unpadded()
    }

    private let indptr = (0...500).map { UInt64($0) }

    @Test("are uniform in 0 ..< 0.01") func range() {
        let values = filled(seed: 1, stream: 1, indptr: indptr)
        #expect(values.allSatisfy { $0 >= 0 && $0 < 0.01 })
        // 10,000 values: the mean of a uniform is off by more than 0.0001 once in 1,000 seeds.
        #expect(abs(values.reduce(0, +) / Float(values.count) - 0.005) < 1e-4)
        #expect(Set(values).count > 9_900)
    }

    @Test("differ by seed and by side, and repeat") func seeds() {
        let first = filled(seed: 1, stream: 1, indptr: indptr)
        #expect(filled(seed: 1, stream: 1, indptr: indptr) == first)
        #expect(filled(seed: 2, stream: 1, indptr: indptr) != first)
        #expect(filled(seed: 1, stream: 2, indptr: indptr) != first)
    }

    @Test("a row without interactions stays zero and shifts no other") func emptyRows() {
        var gap = indptr
        for row in 8...500 { gap[row] -= 1 }  // Row 7 is empty now.
        let full = filled(seed: 3, stream: 1, indptr: indptr)
        let got = filled(seed: 3, stream: 1, indptr: gap)
        #expect(got[7 * 20..<8 * 20].allSatisfy { $0 == 0 })
        #expect(got[..<(7 * 20)] == full[..<(7 * 20)] && got[(8 * 20)...] == full[(8 * 20)...])
    }
}
