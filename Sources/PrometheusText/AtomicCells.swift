import Synchronization

/// A fixed block of 64-bit cells, each written by one thread and read by any.
///
/// Every operation is relaxed: a scrape reads each cell on its own and needs no order between cells, as
/// Prometheus itself takes a scrape for a set of independent samples. One writer per cell makes an increment a
/// plain load and store, without the locked read-modify-write that a shared counter would pay on each request.
@safe
package final class AtomicCells: @unchecked Sendable {  // Sendable: cells are atomic, the block never moves.
    package let count: Int
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>

    package init(count: Int) {
        self.count = count
        // SAFETY: freed in deinit; count cells are initialised in the loop below before anyone can see them.
        unsafe cells = .allocate(capacity: max(count, 1))
        for cell in 0..<count { unsafe (cells + cell).initialize(to: Atomic(0)) }
    }

    deinit {
        // SAFETY: allocated and initialised in init, in the same number.
        unsafe cells.deinitialize(count: count)
        unsafe cells.deallocate()
    }

    package subscript(cell: Int) -> UInt64 {
        get {
            precondition(cell >= 0 && cell < count, "BUG: cell \(cell) of \(count)")
            // SAFETY: the index was just checked.
            return unsafe cells[cell].load(ordering: .relaxed)
        }
        set {
            precondition(cell >= 0 && cell < count, "BUG: cell \(cell) of \(count)")
            // SAFETY: the index was just checked.
            unsafe cells[cell].store(newValue, ordering: .relaxed)
        }
    }
}
