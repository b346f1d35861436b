package import HTTPMessages
import Synchronization

/// Lines on their way from one thread that must not wait to one that may: a ring of bytes, with one producer and one consumer.
///
/// ```
///   taken: bytes ever taken ──┐             ┌── put: bytes ever put
///        [ free │ lines not yet taken │ free ]       offset = count & (capacity - 1)
/// ```
/// Each side stores its own count and reads the other's. A count is stored with release after the bytes were copied and loaded with
/// acquire before they are: so the bytes are whole for who sees the count. Only whole lines are put, so what is taken up to `put` ends
/// with one. When a line does not fit it is dropped and counted: the producer never waits.
@safe
package final class LineRing: @unchecked Sendable {  // Sendable: the counts order all access to the bytes, see above.
    private let bytes: UnsafeMutablePointer<UInt8>
    package let capacity: Int
    private let put = Atomic<Int>(0)
    private let taken = Atomic<Int>(0)
    private let linesPut = Atomic<Int>(0)
    private let linesDropped = Atomic<Int>(0)

    /// - Precondition: `capacity` is a power of two.
    package init(capacity: Int) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "BUG: a ring of \(capacity) bytes")
        self.capacity = capacity
        // SAFETY: freed in deinit. Bytes are written before they are read: `put` says up to where.
        unsafe bytes = .allocate(capacity: capacity)
    }

    deinit {
        // SAFETY: allocated in init, and nobody has the ring any more.
        unsafe bytes.deallocate()
    }

    /// Lines that were taken in, and those that found no room.
    package var lineCounts: (put: Int, dropped: Int) {
        (linesPut.load(ordering: .relaxed), linesDropped.load(ordering: .relaxed))
    }

    // MARK: The producer

    /// Puts one line, or drops it when there is no room for all of it. The producer's thread only.
    package func offer(_ line: Span<UInt8>) {
        let end = put.load(ordering: .relaxed)
        guard line.count <= capacity - (end - taken.load(ordering: .acquiring)) else {
            linesDropped.store(linesDropped.load(ordering: .relaxed) + 1, ordering: .relaxed)
            return
        }
        let offset = end & (capacity - 1)
        let first = min(line.count, capacity - offset)
        // SAFETY: the consumer does not touch the line.count bytes behind `put`, which were just found free; the copy is cut
        // where the ring's memory ends.
        unsafe line.withUnsafeBufferPointer { source in
            guard let from = source.baseAddress else { return }
            unsafe (bytes + offset).update(from: from, count: first)
            unsafe bytes.update(from: from + first, count: line.count - first)
        }
        linesPut.store(linesPut.load(ordering: .relaxed) + 1, ordering: .relaxed)
        // Sequentially consistent, for the writer that falls asleep: see AccessLog.wakeIfAsleep().
        put.store(end + line.count, ordering: .sequentiallyConsistent)
    }

    // MARK: The consumer

    package var isEmpty: Bool {
        put.load(ordering: .sequentiallyConsistent) == taken.load(ordering: .relaxed)
    }

    /// Moves whole lines, up to `bytesMax` bytes of them, to the end of `buffer`. The consumer's thread only.
    package func take(into buffer: inout ByteBuffer, bytesMax: Int) {
        let start = taken.load(ordering: .relaxed)
        let held = put.load(ordering: .acquiring) - start
        var count = min(held, bytesMax)
        let offset = start & (capacity - 1)
        let first = min(count, capacity - offset)
        // SAFETY: the producer does not touch the bytes between `taken` and `put`, and has written them.
        unsafe buffer.append(UnsafeBufferPointer(start: bytes + offset, count: first).span)
        unsafe buffer.append(UnsafeBufferPointer(start: bytes, count: count - first).span)
        if count < held {
            let before = buffer.count - count
            count = buffer.withBytes { wholeLines($0.extracting(before..<$0.count)) }
            buffer.truncate(to: before + count)
        }
        taken.store(start + count, ordering: .releasing)
    }
}

/// How many of the bytes are whole lines.
func wholeLines(_ bytes: Span<UInt8>) -> Int {
    for end in stride(from: bytes.count, to: 0, by: -1) where bytes[end - 1] == 0x0A { return end }
    return 0
}
