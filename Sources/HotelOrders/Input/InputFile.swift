import CZlib
import Glibc

/// One orders file read from front to back: plain, or gzip told by its first two bytes.
///
/// Several gzip members in a row are one text, as gzip itself reads them; zero bytes after the last are padding.
/// Anything that can be opened and read will do, a named pipe too.
struct InputFile: ~Copyable {
    let path: String
    /// Bytes of the file itself taken so far, for progress: compressed bytes when it is gzip.
    private(set) var fileBytesRead: Int
    private let descriptor: FileDescriptor
    private var inflater: Inflater?
    private var compressed: [UInt8]
    private var compressedRange: Range<Int>
    private var atEnd = false

    static let compressedBlockBytes = 128 << 10

    init(path: String) throws(OrdersError) {
        let descriptor = try Self.open(path)
        var head = [UInt8](repeating: 0, count: Self.compressedBlockBytes)
        // Enough of the beginning to tell gzip from text: a pipe may hand out one byte at a time.
        var count = 0
        while count < 2 {
            let got = try Self.read(descriptor, path, into: &head, at: count..<head.count)
            if got == 0 { break }
            count += got
        }
        let isGzip = count >= 2 && head[0] == 0x1F && head[1] == 0x8B
        self.init(path, descriptor, try isGzip ? Inflater(path: path) : nil, head, count)
    }

    private init(
        _ path: String, _ descriptor: consuming FileDescriptor, _ inflater: consuming Inflater?, _ head: [UInt8],
        _ headCount: Int
    ) {
        self.path = path
        self.descriptor = descriptor
        self.inflater = inflater
        compressed = head
        compressedRange = 0..<headCount
        fileBytesRead = headCount
    }

    private static func open(_ path: String) throws(OrdersError) -> FileDescriptor {
        // SAFETY: the path is passed as a terminated string for the length of the call.
        let number = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw failure(path, "open", errno) }
        return FileDescriptor(number)
    }

    /// Fills `buffer` from `range.lowerBound`, as far as the next read reaches.
    ///
    /// - Returns: bytes written, at most `range.count`; 0 only at the end of the text (or for an empty range).
    mutating func read(into buffer: inout [UInt8], at range: Range<Int>) throws(OrdersError) -> Int {
        if range.isEmpty { return 0 }
        if inflater == nil { return try readPlain(into: &buffer, at: range) }
        while true {
            if compressedRange.isEmpty && !atEnd { try refillCompressed() }
            if compressedRange.isEmpty {
                guard inflater?.isBetweenMembers == true else { throw .gzipTruncated(path: path) }
                return 0
            }
            guard let step = try inflater?.inflate(compressed, compressedRange, into: &buffer, at: range) else {
                return 0
            }
            compressedRange = compressedRange.lowerBound + step.taken..<compressedRange.upperBound
            if step.made > 0 { return step.made }
        }
    }

    private mutating func readPlain(into buffer: inout [UInt8], at range: Range<Int>) throws(OrdersError) -> Int {
        if compressedRange.isEmpty {
            let got = try Self.read(descriptor, path, into: &buffer, at: range)
            fileBytesRead += got
            return got
        }
        // The bytes looked at to tell gzip from text.
        let count = min(range.count, compressedRange.count)
        for offset in 0..<count { buffer[range.lowerBound + offset] = compressed[compressedRange.lowerBound + offset] }
        compressedRange = compressedRange.lowerBound + count..<compressedRange.upperBound
        return count
    }

    private mutating func refillCompressed() throws(OrdersError) {
        let got = try Self.read(descriptor, path, into: &compressed, at: 0..<compressed.count)
        fileBytesRead += got
        compressedRange = 0..<got
        atEnd = got == 0
    }

    private static func read(
        _ descriptor: borrowing FileDescriptor, _ path: String, into buffer: inout [UInt8], at range: Range<Int>
    ) throws(OrdersError) -> Int {
        let number = descriptor.number
        while true {
            // SAFETY: rebasing checks that the range lies inside the array, which is held for the length of the call.
            let got = unsafe buffer.withUnsafeMutableBytes { bytes in
                let target = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[range])
                return unsafe Glibc.read(number, target.baseAddress, target.count)
            }
            if got >= 0 { return got }
            if errno != EINTR { throw failure(path, "read", errno) }
        }
    }

    static func failure(_ path: String, _ operation: String, _ code: Int32) -> OrdersError {
        code == ENOENT || code == ENOTDIR
            ? .fileMissing(path: path) : .unreadable(path: path, operation: operation, code: code)
    }

    /// The bytes of all files, looked up before hours of reading, so that a missing file is found first.
    ///
    /// - Returns: nil when one of them has no size, as a pipe has none: how much there is to read is then not known.
    static func totalBytes(of paths: [String]) throws(OrdersError) -> Int? {
        var total: Int? = 0
        for path in paths {
            var status = stat()
            // SAFETY: both arguments live for the length of the call.
            guard unsafe stat(path, &status) == 0 else { throw failure(path, "look up", errno) }
            if status.st_mode & S_IFMT == S_IFDIR { throw .unreadable(path: path, operation: "read", code: EISDIR) }
            total = status.st_mode & S_IFMT == S_IFREG ? total.map { $0 + Int(status.st_size) } : nil
        }
        return total
    }

    /// Whether the file has bytes of its own, which can be read again: not a pipe, not a device.
    static func isRegular(_ path: String) throws(OrdersError) -> Bool {
        var status = stat()
        // SAFETY: both arguments live for the length of the call.
        guard unsafe stat(path, &status) == 0 else { throw failure(path, "look up", errno) }
        if status.st_mode & S_IFMT == S_IFDIR { throw .unreadable(path: path, operation: "read", code: EISDIR) }
        return status.st_mode & S_IFMT == S_IFREG
    }

    /// Whether both paths lead to one file that exists.
    static func areSame(_ path: String, _ otherPath: String) -> Bool {
        var status = stat()
        var otherStatus = stat()
        // SAFETY: all arguments live for the length of their call.
        guard unsafe stat(path, &status) == 0, unsafe stat(otherPath, &otherStatus) == 0 else { return false }
        return status.st_dev == otherStatus.st_dev && status.st_ino == otherStatus.st_ino
    }
}
