import Synchronization

/// What is unavailable of one loaded version now. Replaced whole; loops notice by one atomic load a request.
final class UnavailableSlot: Sendable {
    private let rows = Mutex(UnavailableRows.none)
    private let generation = Atomic<Int>(0)

    func replace(with next: UnavailableRows) {
        rows.withLock { $0 = next }
        // Releasing: whoever sees the new generation then takes the lock, which orders the rest.
        generation.add(1, ordering: .releasing)
    }

    /// A loop's own references to the rows of the versions that it answers from, so that it takes no lock and touches no counter
    /// that other loops touch.
    struct Reader {
        private struct Entry {
            var slot: UnavailableSlot
            var generation: Int
            var rows: UnavailableRows
        }

        private var entries: [Entry] = []
        /// More versions than one process answers from at a time; the oldest goes.
        private static let countMax = 16

        mutating func rows(of slot: UnavailableSlot) -> UnavailableRows {
            let now = slot.generation.load(ordering: .acquiring)
            for place in entries.indices where entries[place].slot === slot {
                if entries[place].generation != now {
                    entries[place].generation = now
                    entries[place].rows = slot.rows.withLock { $0 }
                }
                return entries[place].rows
            }
            let rows = slot.rows.withLock { $0 }
            if entries.count == Self.countMax { entries.removeFirst() }
            entries.append(Entry(slot: slot, generation: now, rows: rows))
            return rows
        }
    }
}
