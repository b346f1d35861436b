import CKernels

extension Kernels {
    /// Adds Σ y·yᵀ over `rows` of `matrix` to the upper triangle of `sums`, in double.
    ///
    /// Summed in float32 over 256 rows at a time, those sums in double, in order: the result depends on the range of
    /// rows and on nothing else.
    ///
    /// - Parameters:
    ///   - sums: [width × width]. Below the diagonal nothing is promised.
    ///   - scratch: [width × width], of the calling thread.
    package func addGram(of matrix: PaddedMatrix, rows: Range<Int>, to sums: inout [Double], scratch: PaddedMatrix) {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= matrix.rowCount, "BUG: rows outside the matrix")
        precondition(sums.count == matrix.width * matrix.width, "BUG: the sums have another shape")
        precondition(scratch.rowCount >= matrix.width && scratch.width == matrix.width, "BUG: scratch too small")
        unsafe sums.withUnsafeMutableBufferPointer { sums in
            guard let to = sums.baseAddress else { return }
            // SAFETY: rows, sums and scratch have the shapes the kernel asks for, checked above.
            unsafe table.pointee.gram(
                matrix.base + rows.lowerBound * matrix.width, rows.count, matrix.width, scratch.base, to)
        }
    }
}
