package import FactorModel
import HTTPMessages
import Synchronization
import VectorKernels

/// What answers say of each item but its score, written once: an answer then copies two texts an item instead of looking into six
/// columns and writing a dozen pieces.
///
/// Only for catalogues whose texts are short together, as menus are. Immutable.
@safe
package final class WrittenItems: @unchecked Sendable {
    // Sendable: nothing is written after init.
    /// Bytes of all texts; items of a larger catalogue are written from its columns.
    package static let bytesMax = 4 << 20

    // Plain memory: an array would be counted at each of an answer's items.
    private let texts: UnsafeMutablePointer<UInt8>
    /// [2 · items + 1], where in `texts` the part before an item's score begins, where the part behind it does, and the end.
    private let starts: UnsafeMutablePointer<UInt32>
    private let partCount: Int

    /// - Returns: nil when the texts are longer than `bytesMax`.
    /// - Complexity: O(bytes), up to the bound.
    package init?(_ snapshot: ModelSnapshot, bytesMax: Int = WrittenItems.bytesMax) {
        // What is written of an item without a name takes more.
        guard snapshot.itemCount <= bytesMax / 64 else { return nil }
        var texts = ByteBuffer(capacity: 4096)
        var starts: [UInt32] = []
        starts.reserveCapacity(2 * snapshot.itemCount + 1)
        for row in 0..<snapshot.itemCount {
            let item = ItemIndex(row)
            snapshot.withTexts(of: item) { id, name, department in
                starts.append(UInt32(texts.count))
                writeItemStart(id, into: &texts)
                starts.append(UInt32(texts.count))
                writeAttributes(name, snapshot.price(item), department, into: &texts)
            }
            if texts.count > bytesMax { return nil }
        }
        starts.append(UInt32(texts.count))
        partCount = starts.count - 1
        // SAFETY: allocated, filled in full and freed in deinit.
        unsafe self.starts = .allocate(capacity: starts.count)
        for place in starts.indices { unsafe (self.starts + place).initialize(to: starts[place]) }
        // SAFETY: as above.
        unsafe self.texts = .allocate(capacity: max(texts.count, 1))
        texts.withBytes { bytes in
            for place in bytes.indices { unsafe (self.texts + place).initialize(to: bytes[place]) }
        }
    }

    deinit {
        // SAFETY: allocated in init; lent only for calls.
        unsafe starts.deallocate()
        unsafe texts.deallocate()
    }

    /// Lends parts `first`..<`end`, which lie one behind the other.
    private func withParts(_ first: Int, _ end: Int, _ body: (Span<UInt8>) -> Void) {
        precondition(first >= 0 && first < end && end <= partCount, "BUG: no such item")
        // SAFETY: starts has partCount + 1 places, which ascend to the count of texts.
        let (from, to) = unsafe (Int(starts[first]), Int(starts[end]))
        body(unsafe UnsafeBufferPointer(start: texts + from, count: to - from).span)
    }

    /// Asks for the texts of an item that will be written soon.
    func expect(_ item: ItemIndex) {
        withParts(2 * item.row, 2 * item.row + 2) { parts in
            // SAFETY: a byte has no padding that reading could leak.
            unsafe prefetch(parts.extracting(0..<min(parts.count, 256)).bytes)
        }
    }

    /// Writes what ``writeItemStart(_:into:)`` does.
    func writeBeforeScore(of item: ItemIndex, into body: inout ByteBuffer) { write(2 * item.row, into: &body) }

    /// Writes what ``writeAttributes(_:_:_:into:)`` does.
    func writeBehindScore(of item: ItemIndex, into body: inout ByteBuffer) { write(2 * item.row + 1, into: &body) }

    private func write(_ part: Int, into body: inout ByteBuffer) {
        withParts(part, part + 1) { body.append($0) }
    }
}

/// Where a version keeps its ``WrittenItems`` once they are made.
@safe
final class WrittenItemsSlot: @unchecked Sendable {
    // Sendable: `made` is written once, under the lock, before `isMade` says so, and only read after that.
    private var made: WrittenItems?
    private let isMade = Atomic<Bool>(false)
    private let making = Mutex(())

    /// nil before they are made, and for a large catalogue.
    var items: WrittenItems? {
        // Acquiring: what was written before the flag was set is seen.
        isMade.load(ordering: .acquiring) ? made : nil
    }

    /// Makes them, unless that was done or tried before.
    func fill(_ snapshot: ModelSnapshot) {
        making.withLock { _ in
            if isMade.load(ordering: .relaxed) { return }
            made = WrittenItems(snapshot)
            isMade.store(true, ordering: .releasing)
        }
    }
}
