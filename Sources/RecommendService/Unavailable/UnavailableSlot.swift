import FactorModel
import ModelRegistry
import Synchronization

/// A version in memory, for those who keep its marks up to date without keeping it in memory.
///
/// An object of its own to be referred to weakly: an object that ever was has its references counted in a block beside it, on a
/// slower way, and those of a version are counted in every request.
package final class UnavailableTarget: Sendable {
    private let slot: UnavailableSlot
    /// nil once the version is to be unmapped.
    private let snapshot: Mutex<ModelSnapshot?>

    init(_ slot: UnavailableSlot, _ snapshot: ModelSnapshot) {
        self.slot = slot
        self.snapshot = Mutex(snapshot)
    }

    func apply(_ marks: [UnavailableItem]) {
        snapshot.withLock { snapshot in
            if let snapshot { slot.replace(with: UnavailableRows(marks, snapshot)) }
        }
    }

    /// Lets go of the snapshot, once no request uses the version: whoever is applying marks holds it to the end of that and no longer, so that
    /// it is never the thread of the marks that unmaps a gigabyte. On a thread of normal priority, for that one waits here.
    func letGo() { snapshot.withLock { $0 = nil } }
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
