import VectorKernels

/// The upper triangle of YᵀY, [width × width] in double; below the diagonal nothing is promised.
///
/// Rows are cut into a number of ranges that depends only on the matrix; the ranges' sums are added in order. So the
/// result has the same bits for any number of threads.
func gramMatrix(of matrix: PaddedMatrix, threads: Int, kernels: Kernels) -> [Double] {
    let width = matrix.width
    let cells = width * width
    // Enough ranges to keep many threads busy, but not more than 64 MB of partial sums.
    let rangeCount = max(1, min(32, (64 << 20) / (cells * 8), (matrix.rowCount + 255) / 256))
    let rangeRows = (matrix.rowCount + rangeCount - 1) / rangeCount
    let partials = parallelMap(
        rangeCount, threads: threads, scratch: { PaddedMatrix(rowCount: width, columnCount: width) }
    ) { range, tile in
        var sums = [Double](repeating: 0, count: cells)
        let first = min(range * rangeRows, matrix.rowCount)
        let rows = first..<min(first + rangeRows, matrix.rowCount)
        kernels.addGram(of: matrix, rows: rows, to: &sums, scratch: tile)
        return sums
    }
    var total = partials[0]
    for partial in partials.dropFirst() {
        for cell in 0..<cells { total[cell] += partial[cell] }
    }
    return total
}
