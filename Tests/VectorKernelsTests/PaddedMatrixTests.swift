import Testing
import VectorKernels

@Suite("Padded matrix") struct PaddedMatrixTests {
    @Test("rows are padded to 16 columns and come back without padding", arguments: [1, 15, 16, 17, 64, 100])
    func padding(columns: Int) {
        let matrix = PaddedMatrix(rowCount: 3, columnCount: columns)
        #expect(matrix.width.isMultiple(of: 16) && matrix.width >= columns && matrix.width < columns + 16)
        #expect(matrix.unpadded() == [Float](repeating: 0, count: 3 * columns))
        for row in 0..<3 {
            for column in 0..<columns { matrix[row, column] = Float(row * columns + column) }
        }
        #expect(matrix.unpadded() == (0..<3 * columns).map { Float($0) })
    }

    @Test("a large one is zero too, and one without rows is empty") func sizes() {
        let large = PaddedMatrix(rowCount: 20_000, columnCount: 64)
        #expect(large.unpadded().allSatisfy { $0 == 0 })
        #expect(PaddedMatrix(rowCount: 0, columnCount: 5).unpadded().isEmpty)
    }

    @Test("an element outside is our bug, not a wild read") func outside() async {
        await #expect(processExitsWith: .failure) { _ = PaddedMatrix(rowCount: 2, columnCount: 3)[2, 0] }
        await #expect(processExitsWith: .failure) { PaddedMatrix(rowCount: 2, columnCount: 3)[0, 3] = 1 }
    }
}
