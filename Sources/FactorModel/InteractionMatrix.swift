/// Who took what, how often: a sparse users × items matrix in compressed-row form (CSR).
///
/// Row `u` is `indices[indptr[u]..<indptr[u + 1]]`, item rows ascending, with the strengths at the same
/// places of `values`. A strength is the number of times the user ordered the item; it is positive and finite.
package struct InteractionMatrix: Equatable, Sendable {
    package let rowCount: Int
    package let columnCount: Int
    /// [rowCount + 1], starts at 0, never falls, ends at `indices.count`.
    package let indptr: [UInt64]
    /// [interactions], each below `columnCount`, ascending and without repeats inside a row.
    package let indices: [UInt32]
    /// [interactions], positive and finite.
    package let values: [Float]

    package var interactionCount: Int { indices.count }

    /// - Precondition: the shape rules above. Outside data is checked before it comes here.
    package init(rowCount: Int, columnCount: Int, indptr: [UInt64], indices: [UInt32], values: [Float]) {
        precondition(indptr.count == rowCount + 1, "BUG: indptr has \(indptr.count) entries for \(rowCount) rows")
        precondition(indices.count == values.count, "BUG: indices and values differ in length")
        precondition(indptr[rowCount] == UInt64(indices.count), "BUG: indptr does not end at the interaction count")
        self.rowCount = rowCount
        self.columnCount = columnCount
        self.indptr = indptr
        self.indices = indices
        self.values = values
    }

    /// The places of row `row` in `indices` and `values`.
    package func range(ofRow row: Int) -> Range<Int> { Int(indptr[row])..<Int(indptr[row + 1]) }

    /// The items × users matrix of the same interactions, user rows ascending.
    ///
    /// - Complexity: O(rowCount + columnCount + interactionCount), one counting sort.
    package func transposed() -> InteractionMatrix {
        var starts = [UInt64](repeating: 0, count: columnCount + 1)
        for column in indices { starts[Int(column) + 1] += 1 }
        for column in 0..<columnCount { starts[column + 1] += starts[column] }
        var next = starts
        var rows = [UInt32](repeating: 0, count: indices.count)
        var strengths = [Float](repeating: 0, count: indices.count)
        for row in 0..<rowCount {
            for place in range(ofRow: row) {
                let column = Int(indices[place])
                let slot = Int(next[column])
                next[column] += 1
                rows[slot] = UInt32(row)
                strengths[slot] = values[place]
            }
        }
        return InteractionMatrix(
            rowCount: columnCount, columnCount: rowCount, indptr: starts, indices: rows, values: strengths)
    }

    /// The sum of the strengths of each column: how often each item was ordered.
    package func columnSums() -> [Float] {
        var sums = [Double](repeating: 0, count: columnCount)
        for place in indices.indices { sums[Int(indices[place])] += Double(values[place]) }
        return sums.map { Float($0) }
    }
}
