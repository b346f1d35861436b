import Glibc

/// A file being written for the first time, through one megabyte of memory. What is not finished is removed.
final class NewFile {
    private static let bufferBytes = 1 << 20

    private let path: String
    private let file: Int32
    private var isFinished = false
    private var buffer: [UInt8] = []

    /// - Throws: `system` with `EEXIST` when there is something at `path`: nothing is ever overwritten.
    init(_ path: String) throws(ModelFileError) {
        self.path = path
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        file = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw .system(call: "open", path: path, code: errno) }
        buffer.reserveCapacity(Self.bufferBytes)
    }

    deinit {
        if file >= 0 { close(file) }
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        if !isFinished, file >= 0 { unsafe _ = unlink(path) }
    }

    /// Appends elements as the machine has them: little-endian, as every CPU that this is built for.
    func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(ModelFileError) {
        try flush()
        // SAFETY: the element types of a model file are plain numbers without padding.
        try unsafe write(elements.span.bytes)
    }

    /// Appends bytes from where they are.
    func write(raw bytes: RawSpan) throws(ModelFileError) {
        try flush()
        try write(bytes)
    }

    /// Appends one element after the other without an array of them.
    func write<Elements: Sequence>(
        each elements: Elements
    ) throws(ModelFileError) where Elements.Element: FixedWidthInteger & BitwiseCopyable {
        let stride = MemoryLayout<Elements.Element>.stride
        for element in elements {
            if buffer.count + stride > Self.bufferBytes { try flush() }
            for byte in 0..<stride { buffer.append(UInt8(truncatingIfNeeded: element >> Elements.Element(byte * 8))) }
        }
    }

    func write(text: String) throws(ModelFileError) {
        if buffer.count + text.utf8.count > Self.bufferBytes { try flush() }
        buffer.append(contentsOf: text.utf8)
    }

    /// Brings everything to the disk. Without this call the file goes away with the value.
    func finish() throws(ModelFileError) {
        try flush()
        guard fsync(file) == 0 else { throw .system(call: "fsync", path: path, code: errno) }
        isFinished = true
    }

    private func flush() throws(ModelFileError) {
        guard !buffer.isEmpty else { return }
        // Moved out and back: a span of a property could not be lent to a method of the same object.
        var pending: [UInt8] = []
        swap(&pending, &buffer)
        // SAFETY: bytes have no padding.
        try unsafe write(pending.span.bytes)
        pending.removeAll(keepingCapacity: true)
        swap(&pending, &buffer)
    }

    private func write(_ bytes: RawSpan) throws(ModelFileError) {
        var written = 0
        while written < bytes.byteCount {
            // SAFETY: the range from `written` to the end is inside the span.
            let count = unsafe bytes.withUnsafeBytes { source in
                unsafe Glibc.write(
                    file, source.baseAddress.map { unsafe $0 + written }, min(source.count - written, 1 << 30))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(call: "write", path: path, code: errno) }
            written += count
        }
    }
}
