import CKernels

extension Kernels {
    /// See the free function of the same name.
    package func dot(_ a: Span<Float>, _ b: Span<Float>) -> Float {
        precondition(a.count == b.count, "BUG: dot of vectors of different lengths")
        return unsafe a.withUnsafeBufferPointer { a in
            unsafe b.withUnsafeBufferPointer { b in
                guard let first = a.baseAddress, let second = b.baseAddress else { return 0 }
                // SAFETY: both hold a.count elements, checked above.
                return unsafe table.pointee.dot(first, second, a.count)
            }
        }
    }

    /// See the free function of the same name.
    package func scoreRows(
        _ query: Span<Float>, _ matrix: Span<Float>, firstRow: Int, into scores: inout MutableSpan<Float>
    ) {
        let factorCount = query.count
        let rowCount = rowCount(of: matrix, factorCount)
        precondition(firstRow >= 0 && firstRow <= rowCount, "BUG: first row outside the matrix")
        precondition(scores.count <= rowCount - firstRow, "BUG: more scores than rows")
        unsafe query.withUnsafeBufferPointer { query in
            unsafe matrix.withUnsafeBufferPointer { matrix in
                unsafe scores.withUnsafeMutableBufferPointer { scores in
                    guard let to = scores.baseAddress, let q = query.baseAddress, let rows = matrix.baseAddress
                    else { return }
                    // SAFETY: firstRow + scores.count rows of factorCount elements are inside the matrix.
                    unsafe table.pointee.score_rows(q, rows + firstRow * factorCount, factorCount, scores.count, to)
                }
            }
        }
    }

    /// See the free function of the same name.
    package func scoreRows(
        _ query: Span<Float>, _ matrix: Span<Float>, rows: Span<UInt32>, into scores: inout MutableSpan<Float>
    ) {
        let factorCount = query.count
        let rowCount = rowCount(of: matrix, factorCount)
        precondition(scores.count == rows.count, "BUG: not one score for each row")
        // One pass over four bytes a row, against 4 · factorCount bytes a row of the product.
        var highest: UInt32 = 0
        for j in rows.indices { highest = max(highest, rows[j]) }
        precondition(rows.isEmpty || Int(highest) < rowCount, "BUG: row outside the matrix")
        unsafe query.withUnsafeBufferPointer { query in
            unsafe matrix.withUnsafeBufferPointer { matrix in
                unsafe rows.withUnsafeBufferPointer { rows in
                    unsafe scores.withUnsafeMutableBufferPointer { scores in
                        guard let to = scores.baseAddress, let q = query.baseAddress, let from = matrix.baseAddress,
                            let chosen = rows.baseAddress
                        else { return }
                        // SAFETY: every chosen row is inside the matrix and has a score to go to, checked above.
                        unsafe table.pointee.score_gather(q, from, factorCount, chosen, rows.count, to)
                    }
                }
            }
        }
    }

    /// See the free function of the same name.
    package func isAllFinite(_ values: Span<Float>) -> Bool {
        unsafe values.withUnsafeBufferPointer { values in
            guard let from = values.baseAddress else { return true }
            // SAFETY: `from` holds values.count elements.
            return unsafe table.pointee.all_finite(from, values.count)
        }
    }

    /// The first place at or after `from` whose score is at least `threshold`, or `scores.count`.
    func firstIndex(atLeast threshold: Float, in scores: Span<Float>, from: Int) -> Int {
        precondition(from >= 0, "BUG: negative place")
        guard from < scores.count else { return scores.count }
        return unsafe scores.withUnsafeBufferPointer { scores in
            guard let base = scores.baseAddress else { return 0 }
            // SAFETY: reads places from..<scores.count only.
            return unsafe table.pointee.first_at_least(base, from, scores.count, threshold)
        }
    }

    private func rowCount(of matrix: Span<Float>, _ factorCount: Int) -> Int {
        precondition(factorCount > 0, "BUG: empty query")
        precondition(matrix.count.isMultiple(of: factorCount), "BUG: ragged matrix")
        return matrix.count / factorCount
    }
}

/// The inner product of two vectors of the same length; 0 for empty ones.
///
/// Summed in 16 lanes (docs/kernels.md), so every CPU gives the same bits.
package func dot(_ a: Span<Float>, _ b: Span<Float>) -> Float { Kernels.best.dot(a, b) }

/// Scores consecutive rows: `scores[r]` = query · matrix row `firstRow + r`, with the bits of ``dot(_:_:)``.
///
/// - Parameters:
///   - query: [factorCount], at least one.
///   - matrix: [rows × factorCount], row-major.
///   - scores: as many rows as it has elements; all of them inside the matrix.
/// - Complexity: O(scores · factorCount), at the speed of reading the rows.
package func scoreRows(
    _ query: Span<Float>, _ matrix: Span<Float>, firstRow: Int, into scores: inout MutableSpan<Float>
) {
    Kernels.best.scoreRows(query, matrix, firstRow: firstRow, into: &scores)
}

/// Scores chosen rows: `scores[j]` = query · matrix row `rows[j]`, with the bits of ``dot(_:_:)``.
///
/// - Parameters:
///   - rows: in any order, each inside the matrix; ascending is the kindest to memory.
///   - scores: one for each of `rows`.
package func scoreRows(
    _ query: Span<Float>, _ matrix: Span<Float>, rows: Span<UInt32>, into scores: inout MutableSpan<Float>
) {
    Kernels.best.scoreRows(query, matrix, rows: rows, into: &scores)
}

/// Whether no value is NaN or infinite; true for none at all.
package func isAllFinite(_ values: Span<Float>) -> Bool { Kernels.best.isAllFinite(values) }
