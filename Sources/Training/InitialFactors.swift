package import VectorKernels

/// Fills a matrix with the seed's numbers, uniform in [0, 0.01): the range the Python library implicit starts from.
///
/// Element (row, column) is a function of seed, stream, row and column alone (the output function of SplitMix64 over a
/// counter), so it does not matter who fills which row. Rows without interactions stay zero: their vectors are never
/// made up, and never counted in a Gram matrix.
package func fillInitialFactors(_ matrix: PaddedMatrix, seed: UInt64, stream: UInt64, indptr: [UInt64]) {
    let start = mix(seed ^ mix(stream &+ 0x9E37_79B9_7F4A_7C15))
    for row in 0..<matrix.rowCount where indptr[row] < indptr[row + 1] {
        for column in 0..<matrix.columnCount {
            let counter = UInt64(row) &* UInt64(matrix.columnCount) &+ UInt64(column) &+ 1
            let bits = mix(start &+ counter &* 0x9E37_79B9_7F4A_7C15)
            matrix[row, column] = Float(bits >> 40) * (0.01 / Float(1 << 24))
        }
    }
}

/// The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
private func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}
