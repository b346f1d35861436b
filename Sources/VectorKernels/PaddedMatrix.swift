#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A float32 matrix whose rows are padded with zeros to a multiple of 16 columns and lie on 64-byte boundaries.
///
/// What the training kernels work on: no row has a tail, and padding changes no sum. It is shared by threads that
/// write different rows of it.
@safe
package final class PaddedMatrix: @unchecked Sendable {
    // Sendable: a phase of the training gives each row to one thread, and phases are separated by joins.
    package let rowCount: Int
    package let columnCount: Int
    /// Columns with padding: floats from one row to the next.
    package let width: Int
    let base: UnsafeMutablePointer<Float>

    /// All zeros.
    ///
    /// - Precondition: at least one column, and the size in bytes fits an Int.
    package init(rowCount: Int, columnCount: Int) {
        precondition(rowCount >= 0 && columnCount > 0, "BUG: a matrix needs columns")
        self.rowCount = rowCount
        self.columnCount = columnCount
        width = (columnCount + 15) / 16 * 16
        let count = max(rowCount * width, 16)
        // SAFETY: freed once, in deinit. Whole 2 MiB pages when it is large: its rows are read in random order.
        let isLarge = count * 4 >= 4 << 20
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: count * 4, alignment: isLarge ? 2 << 20 : 64)
        #if os(Linux)
            if isLarge { _ = unsafe madvise(bytes, count * 4, MADV_HUGEPAGE) }
        #endif
        unsafe base = bytes.initializeMemory(as: Float.self, repeating: 0, count: count)
    }

    deinit {
        // SAFETY: allocated in init, freed nowhere else; Float needs no deinitialisation.
        unsafe UnsafeMutableRawPointer(base).deallocate()
    }

    /// One element. For set-up and results, not for kernels.
    package subscript(row: Int, column: Int) -> Float {
        get {
            precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount, "BUG: outside the matrix")
            // SAFETY: inside the allocation, checked above.
            return unsafe base[row * width + column]
        }
        set {
            precondition(row >= 0 && row < rowCount && column >= 0 && column < columnCount, "BUG: outside the matrix")
            // SAFETY: inside the allocation, checked above.
            unsafe base[row * width + column] = newValue
        }
    }

    /// [rowCount × columnCount], row-major, without the padding.
    package func unpadded() -> [Float] {
        unsafe [Float](unsafeUninitializedCapacity: rowCount * columnCount) { out, count in
            if let to = out.baseAddress {
                for row in 0..<rowCount {
                    // SAFETY: row rowCount - 1 ends at the end of both allocations.
                    unsafe (to + row * columnCount).initialize(from: base + row * width, count: columnCount)
                }
            }
            count = rowCount * columnCount
        }
    }
}
