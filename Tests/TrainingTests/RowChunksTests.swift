import TestSupport
import Testing
import Training

@Suite("Row chunks") struct RowChunksTests {
    @Test("chunks cover every row once, in order, and are few", arguments: [1, 2, 255, 256, 257, 5000])
    func cover(rowCount: Int) {
        var rng = SplitMix64(seed: 12)
        var indptr: [UInt64] = [0]
        for row in 0..<rowCount { indptr.append(indptr[row] + (rng.next() % 10 == 0 ? rng.next() % 1000 : 0)) }
        let chunks = rowChunks(indptr: indptr, rowCost: 3, chunkCountMax: 16)
        #expect(chunks.first?.lowerBound == 0 && chunks.last?.upperBound == rowCount)
        #expect(zip(chunks, chunks.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        #expect(chunks.allSatisfy { !$0.isEmpty } && chunks.count <= 16)
    }

    @Test("no rows, no chunks") func none() { #expect(rowChunks(indptr: [0], rowCost: 1).isEmpty) }

    @Test("one row with nearly everything does not drag the others into its chunk")
    func heavyRow() {
        let indptr: [UInt64] = [0, 1, 2, 1_000_002, 1_000_003, 1_000_004]
        let chunks = rowChunks(indptr: indptr, rowCost: 1, chunkCountMax: 8)
        #expect(chunks == [0..<3, 3..<5])
    }
}
