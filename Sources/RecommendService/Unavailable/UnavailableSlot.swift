import FactorModel
import ModelRegistry
import Synchronization

/// A version in memory, for those who keep its marks up to date without keeping it in memory.
///
/// An object of its own to be referred to weakly: an object that ever was has its references counted in a block beside it, on a
/// slower way, and those of a version are counted in every request.
final class UnavailableTarget: Sendable {
    private let slot: UnavailableSlot
    private let snapshot: ModelSnapshot

    init(_ slot: UnavailableSlot, _ snapshot: ModelSnapshot) {
        self.slot = slot
        self.snapshot = snapshot
    }

    func apply(_ marks: [UnavailableItem]) { slot.replace(with: UnavailableRows(marks, snapshot)) }
}

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
