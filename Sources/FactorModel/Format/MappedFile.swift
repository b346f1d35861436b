import Glibc

/// A whole file, mapped for reading and unmapped when the value goes away.
@safe
final class MappedFile: @unchecked Sendable {  // Sendable: never written, alive as long as the object.
    private let base: UnsafeRawPointer
    let byteCount: Int

    /// - Throws: `system` when it cannot be opened or mapped, `notAFile` for a directory, pipe or device, `tooShort` when it
    ///   has no room for a header.
    init(path: String) throws(ModelFileError) {
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw .system(call: "open", path: path, code: errno) }
        defer { close(file) }
        var status = stat()
        // SAFETY: fstat fills the struct that it is given.
        guard unsafe fstat(file, &status) == 0 else { throw .system(call: "fstat", path: path, code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        let bytes = Int(status.st_size)
        guard bytes > 8 else { throw .tooShort(bytes: bytes) }
        // SAFETY: a read-only mapping of the whole file.
        let mapped = unsafe mmap(nil, bytes, PROT_READ, MAP_SHARED, file, 0)
        guard let start = unsafe mapped, unsafe start != MAP_FAILED else {
            throw .system(call: "mmap", path: path, code: errno)
        }
        unsafe base = UnsafeRawPointer(start)
        byteCount = bytes
    }

    /// Maps all pages that are not yet. A kernel before Linux 5.14 maps them as they are read.
    func populate() {
        Self.inPieces(byteCount) { first, count in
            // SAFETY: a page-aligned part of the mapping; populating it changes no contents.
            unsafe _ = madvise(UnsafeMutableRawPointer(mutating: base + first), count, populateForReading)
        }
    }

    deinit {
        // In pieces, whoever lets go of it: what is left for munmap is the empty mapping.
        releasePages()
        // SAFETY: mapped in init with this address and length, unmapped nowhere else.
        unsafe _ = munmap(UnsafeMutableRawPointer(mutating: base), byteCount)
    }

    /// Gives the pages back. They stay in the page cache: a later read takes page faults and finds the same bytes.
    func releasePages() {
        Self.inPieces(byteCount) { first, count in
            // SAFETY: a page-aligned part of the mapping, which is read-only and shared: its pages can be had again.
            unsafe _ = madvise(UnsafeMutableRawPointer(mutating: base + first), count, MADV_DONTNEED)
        }
    }

    /// The kernel holds the process's map of memory, which a growing heap waits for, until a call is done; and a thread of low
    /// priority may be put aside in the middle of one. So no call is for more than a few megabytes.
    private static func inPieces(_ byteCount: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
        for first in stride(from: 0, to: byteCount, by: pieceBytes) { body(first, min(pieceBytes, byteCount - first)) }
    }

    /// A multiple of every page size; a tenth of a millisecond.
    private static var pieceBytes: Int { 4 << 20 }

    func withBytes<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        // SAFETY: the mapping is byteCount bytes long and lives while `self` does.
        try body(unsafe UnsafeRawBufferPointer(start: base, count: byteCount).bytes)
    }

    /// A column of `count` elements at `offset`.
    ///
    /// - Precondition: inside the file and aligned: ``TensorReader`` has checked the header.
    func column<Element: BitwiseCopyable>(at offset: Int, count: Int) -> Column<Element> {
        let stride = MemoryLayout<Element>.stride
        precondition(
            offset >= 0 && count >= 0 && count <= (byteCount - offset) / stride, "BUG: column outside the file")
        precondition(offset.isMultiple(of: MemoryLayout<Element>.alignment), "BUG: unaligned column")
        // SAFETY: the range was just checked; every bit pattern of these elements is a value.
        return unsafe Column(base: (base + offset).assumingMemoryBound(to: Element.self), count: count)
    }
}

/// MADV_POPULATE_READ of linux/mman.h, which the Glibc module does not have.
private let populateForReading: Int32 = 22

/// One tensor's elements in a mapped file. Valid while the `MappedFile` lives, which its owner sees to.
///
/// A plain pointer and a count: asking it for an element costs a bounds check and no retain.
@safe
struct Column<Element: BitwiseCopyable>: @unchecked Sendable {  // Sendable: read-only memory.
    private let base: UnsafePointer<Element>
    let count: Int

    init(base: UnsafePointer<Element>, count: Int) {
        unsafe self.base = base
        self.count = count
    }

    subscript(index: Int) -> Element {
        precondition(index >= 0 && index < count, "BUG: index outside the column")
        // SAFETY: just checked.
        return unsafe base[index]
    }

    func withSpan<R, E: Error>(_ body: (Span<Element>) throws(E) -> R) throws(E) -> R {
        // SAFETY: the column is count elements long; the caller keeps the file alive.
        try body(unsafe UnsafeBufferPointer(start: base, count: count).span)
    }

    @inline(__always)
    func withSpan<R, E: Error>(
        of range: Range<Int>, _ body: (Span<Element>) throws(E) -> R
    ) throws(E) -> R {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "BUG: range outside the column")
        // SAFETY: just checked.
        return try body(unsafe UnsafeBufferPointer(start: base + range.lowerBound, count: range.count).span)
    }
}

/// Texts in a mapped file: all bytes one after another, and where each begins.
struct TextColumn: Sendable {
    let bytes: Column<UInt8>
    /// [count + 1]
    let offsets: Column<UInt64>

    var count: Int { offsets.count - 1 }

    func range(_ index: Int) -> Range<Int> { Int(offsets[index])..<Int(offsets[index + 1]) }

    @inline(__always)
    func withText<R, E: Error>(_ index: Int, _ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
        try bytes.withSpan(of: range(index), body)
    }
}

/// Texts that can be searched for.
struct IDColumn: Sendable {
    let texts: TextColumn
    /// [slots], see `IDHash`.
    let slots: Column<UInt32>

    var count: Int { texts.count }

    /// The row of `id`, nil when it is none of them.
    ///
    /// Also used to check the table itself, so it ends even when every slot is taken.
    ///
    /// - Complexity: about two slots; never more than `IDHash.probeCountMax`.
    func row(of id: Span<UInt8>) -> Int? {
        var slot = Int(truncatingIfNeeded: IDHash.hash(id)) & (slots.count - 1)
        for _ in 0..<min(slots.count, IDHash.probeCountMax) {
            let row = slots[slot]
            if row == IDHash.empty { return nil }
            if Int(row) < count, texts.withText(Int(row), { equal($0, id) }) { return Int(row) }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }
}

private func equal(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
    guard a.count == b.count else { return false }
    for index in a.indices where a[index] != b[index] { return false }
    return true
}
