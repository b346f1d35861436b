/// YᵀY of a row-major matrix, [columnCount × columnCount] in double; on and above the diagonal, below it zeros.
///
/// Summed in float32 over 256 rows at a time and those sums in double, in order, as the training's own Gram matrix is: so the
/// bits depend on the matrix alone.
///
/// - Parameter matrix: [rows × columnCount].
/// - Complexity: O(rows · columnCount²).
package func gramOfRows(_ matrix: Span<Float>, columnCount: Int) -> [Double] {
    precondition(columnCount > 0 && matrix.count.isMultiple(of: columnCount), "BUG: ragged matrix")
    let rowCount = matrix.count / columnCount
    let block = PaddedMatrix(rowCount: gramBlockRows, columnCount: columnCount)
    let tile = PaddedMatrix(rowCount: block.width, columnCount: block.width)
    var sums = [Double](repeating: 0, count: block.width * block.width)
    for first in stride(from: 0, to: rowCount, by: gramBlockRows) {
        let count = min(gramBlockRows, rowCount - first)
        block.copyRows(matrix.extracting(first * columnCount..<(first + count) * columnCount))
        Kernels.best.addGram(of: block, rows: 0..<count, to: &sums, scratch: tile)
    }
    var gram = [Double](repeating: 0, count: columnCount * columnCount)
    for i in 0..<columnCount {
        for j in i..<columnCount { gram[i * columnCount + j] = sums[i * block.width + j] }
    }
    return gram
}

/// What the kernel sums in float32 before it adds to the sum in double.
private let gramBlockRows = 256

extension PaddedMatrix {
    /// Copies whole rows over the first of this matrix.
    fileprivate func copyRows(_ rows: Span<Float>) {
        precondition(rows.count <= rowCount * columnCount, "BUG: more rows than the matrix has")
        unsafe rows.withUnsafeBufferPointer { rows in
            guard let from = rows.baseAddress else { return }
            for row in 0..<rows.count / columnCount {
                // SAFETY: row is inside both, checked above; the padding is not touched.
                unsafe (base + row * width).update(from: from + row * columnCount, count: columnCount)
            }
        }
    }
}
