/// Growable bytes that are written at the end and taken from the front.
///
/// The one owner of raw memory in this room: parsers and writers see spans. Capacity doubles and is kept, so a
/// connection stops allocating once it has seen its largest message.
///
/// The appends are inlined into the rooms that write answers: one answer is some two hundred of them, and a literal whose length
/// the compiler knows is two or three stores there instead of three calls.
@safe
package struct ByteBuffer: ~Copyable {
    @usableFromInline
    var base: UnsafeMutablePointer<UInt8>
    @usableFromInline
    var capacity: Int
    @usableFromInline
    var start = 0
    @usableFromInline
    var end = 0

    package init(capacity: Int) {
        precondition(capacity > 0, "BUG: a buffer needs room")
        self.capacity = capacity
        // SAFETY: freed once, in deinit; never handed out beyond a closure's call.
        unsafe base = .allocate(capacity: capacity)
    }

    deinit {
        // SAFETY: `base` came from allocate in init or grow and is freed nowhere else.
        unsafe base.deallocate()
    }

    /// Bytes written and not yet taken.
    package var count: Int { end - start }
    package var isEmpty: Bool { end == start }

    /// Bytes of memory held.
    package var allocatedBytes: Int { capacity }

    /// Lends the bytes to `body`; the span cannot outlive the call.
    package borrowing func withBytes<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
        // SAFETY: start...end is inside the allocation and initialised by the appends before.
        try body(unsafe UnsafeBufferPointer(start: base + start, count: end - start).span)
    }

    // MARK: Writing

    @inlinable @inline(__always)
    package mutating func append(_ byte: UInt8) {
        reserve(1)
        // SAFETY: reserve made room for one byte at `end`.
        unsafe base[end] = byte
        end += 1
    }

    @inlinable
    package mutating func append(_ bytes: Span<UInt8>) {
        reserve(bytes.count)
        // SAFETY: reserve made room for count bytes at `end`, and no span of this buffer can be alive here.
        unsafe bytes.withUnsafeBufferPointer { source in
            guard let from = source.baseAddress else { return }
            if source.count >= 16, source.count <= 64 {
                unsafe copy(UnsafeRawPointer(from), source.count)
            } else {
                unsafe (base + end).update(from: from, count: source.count)
            }
        }
        end += bytes.count
    }

    /// Copies 16 to 64 bytes to the end in two or four moves of 16, which overlap: the texts of an item are so long, twenty times an
    /// answer, and a call that finds out takes longer than the moves.
    @usableFromInline
    @inline(__always)
    func copy(_ from: UnsafeRawPointer, _ count: Int) {
        let to = unsafe UnsafeMutableRawPointer(base + end)
        // SAFETY: every move lies inside the first and the last of `count` bytes, at least 16, which the caller has at both places;
        // any bytes are a vector of bytes. The two places are apart.
        unsafe to.storeBytes(of: from.loadUnaligned(as: SIMD16<UInt8>.self), as: SIMD16<UInt8>.self)
        if count > 32 {
            unsafe to.storeBytes(
                of: from.loadUnaligned(fromByteOffset: 16, as: SIMD16<UInt8>.self), toByteOffset: 16,
                as: SIMD16<UInt8>.self)
            unsafe to.storeBytes(
                of: from.loadUnaligned(fromByteOffset: count - 32, as: SIMD16<UInt8>.self), toByteOffset: count - 32,
                as: SIMD16<UInt8>.self)
        }
        unsafe to.storeBytes(
            of: from.loadUnaligned(fromByteOffset: count - 16, as: SIMD16<UInt8>.self), toByteOffset: count - 16,
            as: SIMD16<UInt8>.self)
    }

    /// - Precondition: `text` is a literal of more than one Unicode scalar or plain ASCII: it points at its bytes.
    @inlinable @inline(__always)
    package mutating func append(_ text: StaticString) {
        precondition(text.hasPointerRepresentation, "BUG: a static string without bytes")
        reserve(text.utf8CodeUnitCount)
        // SAFETY: the literal's bytes live as long as the program; reserve made room for them.
        unsafe (base + end).update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        end += text.utf8CodeUnitCount
    }

    /// Appends the `count` lowest bytes of `word`, the lowest first: one store, whatever the count.
    ///
    /// - Precondition: `count` is 0 to 8.
    @inlinable @inline(__always)
    package mutating func append(_ count: Int, lowestBytesOf word: UInt64) {
        precondition(count >= 0 && count <= 8, "BUG: a word has 8 bytes")
        reserve(8)
        // SAFETY: reserve made room for all 8 bytes at `end`; those past `count` are not counted and written over by the next append.
        unsafe UnsafeMutableRawPointer(base + end).storeBytes(of: word.littleEndian, as: UInt64.self)
        end += count
    }

    package mutating func append(_ text: String) {
        append(text.utf8.span)
    }

    /// Appends `value` in decimal digits, with a minus sign when negative.
    package mutating func appendDecimal(_ value: Int) {
        var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
        var first = 20
        var rest = value.magnitude
        repeat {
            first -= 1
            // UInt.max has 20 digits.
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if value < 0 { append(UInt8(ascii: "-")) }
        append(digits.span.extracting(first..<20))
    }

    /// Overwrites bytes that were appended before, for a length that is known only at the end.
    ///
    /// - Precondition: `offset` counts from the first byte not yet taken, and the bytes exist.
    package mutating func overwrite(at offset: Int, with bytes: Span<UInt8>) {
        precondition(offset >= 0 && offset + bytes.count <= count, "BUG: overwriting past the end")
        // SAFETY: the range was just checked to lie in start..<end.
        for index in bytes.indices { unsafe base[start + offset + index] = bytes[index] }
    }

    /// Copies bytes to a place before them; the two may overlap.
    ///
    /// - Precondition: both offsets count from the first byte not yet taken, and `target` is not after `source`.
    package mutating func copyDown(_ source: Range<Int>, to target: Int) {
        precondition(target >= 0 && target <= source.lowerBound && source.upperBound <= count, "BUG: copying outside")
        // SAFETY: the ranges were just checked to lie in start..<end; update copes with overlap.
        unsafe (base + start + target).update(from: base + start + source.lowerBound, count: source.count)
    }

    // MARK: Taking

    /// Drops `byteCount` bytes from the front.
    package mutating func removeFirst(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= count, "BUG: taking more than there is")
        start += byteCount
        if start == end { removeAll() }
    }

    /// Drops bytes from the end until `newCount` are left.
    package mutating func truncate(to newCount: Int) {
        precondition(newCount >= 0 && newCount <= count, "BUG: truncating to more than there is")
        end = start + newCount
    }

    /// Drops bytes from the middle and closes the gap.
    package mutating func removeSubrange(_ range: Range<Int>) {
        let rest = range.upperBound..<count
        copyDown(rest, to: range.lowerBound)
        truncate(to: range.lowerBound + rest.count)
    }

    package mutating func removeAll() {
        start = 0
        end = 0
    }

    /// Puts a literal between bytes that were appended before; those behind it move.
    ///
    /// - Precondition: `offset` counts from the first byte not yet taken and is not behind the last.
    mutating func insert(_ text: StaticString, at offset: Int) {
        precondition(offset >= 0 && offset <= count && text.hasPointerRepresentation, "BUG: inserting outside")
        let added = text.utf8CodeUnitCount
        reserve(added)
        // SAFETY: reserve made room for the bytes behind `offset` to move up by `added`; update copes with overlap. The
        // literal's bytes live as long as the program.
        unsafe (base + start + offset + added).update(from: base + start + offset, count: count - offset)
        unsafe (base + start + offset).update(from: text.utf8Start, count: added)
        end += added
    }

    // MARK: Room

    /// Makes room for `byteCount` more bytes at the end: first by moving what is left to the front, then by growing.
    @inlinable @inline(__always)
    package mutating func reserve(_ byteCount: Int) {
        if end + byteCount > capacity { makeRoom(byteCount) }
    }

    @inline(never)
    @usableFromInline
    mutating func makeRoom(_ byteCount: Int) {
        let held = count
        if held + byteCount <= capacity {
            // SAFETY: update copes with overlap; both ranges lie inside the allocation.
            unsafe base.update(from: base + start, count: held)
        } else {
            let grown = max(capacity * 2, held + byteCount)
            // SAFETY: the new block holds everything the old one did; the old one is freed here and forgotten.
            let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: grown)
            unsafe moved.update(from: base + start, count: held)
            unsafe base.deallocate()
            unsafe base = moved
            capacity = grown
        }
        start = 0
        end = held
    }

    /// Lets `fill` write up to `room` bytes at the end (a socket read) and keeps as many as it says.
    ///
    /// - Precondition: `fill` returns at most `room`.
    package mutating func appendUnsafely(room: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        reserve(room)
        // SAFETY: reserve made `room` bytes at `end`; UInt8 is trivial, so writing raw bytes initialises them.
        let written = unsafe fill(UnsafeMutableRawBufferPointer(start: base + end, count: room))
        precondition(written >= 0 && written <= room, "BUG: wrote past the room")
        end += written
        return written
    }
}
