import Glibc

extension ImportError {
    static let noEntry = ENOENT
}

/// Bytes that come in pieces.
protocol ByteStream: AnyObject {
    /// What is read, for messages.
    var path: String { get }
    /// The next piece; empty at the end and from then on.
    func next() throws(ImportError) -> [UInt8]
}

/// A file to import, read and not mapped: whoever wrote it may still be writing.
final class InputFile {
    let path: String
    let byteCount: Int
    private let file: Int32

    init(_ path: String) throws(ImportError) {
        self.path = path
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw .system(call: "open", path: path, code: errno) }
        var status = stat()
        // SAFETY: fstat fills the struct that it is given.
        guard unsafe fstat(file, &status) == 0 else {
            let code = errno
            close(file)
            throw .system(call: "fstat", path: path, code: code)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(file)
            throw .notAFile(path: path)
        }
        byteCount = Int(status.st_size)
    }

    deinit { close(file) }

    /// The bytes at `offset`: `count` of them, fewer at the end of the file.
    func read(at offset: Int, count: Int) throws(ImportError) -> [UInt8] {
        precondition(offset >= 0 && count >= 0, "BUG: a negative place in a file")
        var failure: Int32 = 0
        // SAFETY: `filled` bytes are initialized when the closure returns.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { room, filled in
            while filled < count {
                // SAFETY: the range from `filled` to `count` is inside the room.
                let got = unsafe pread(
                    file, room.baseAddress.map { unsafe $0 + filled }, count - filled, off_t(offset + filled))
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { return }
                filled += got
            }
        }
        guard failure == 0 else { throw .system(call: "read", path: path, code: failure) }
        return bytes
    }

    /// The bytes of `range`, in pieces.
    func stream(_ range: Range<Int>) -> FileStream { FileStream(self, range) }

    /// The whole file, in pieces.
    func stream() -> FileStream { stream(0..<byteCount) }
}

/// A range of a file. It ends early when the file does.
final class FileStream: ByteStream {
    static let pieceBytes = 1 << 18

    private let file: InputFile
    private var left: Range<Int>

    var path: String { file.path }

    init(_ file: InputFile, _ range: Range<Int>) {
        self.file = file
        left = range
    }

    func next() throws(ImportError) -> [UInt8] {
        let piece = try file.read(at: left.lowerBound, count: min(left.count, Self.pieceBytes))
        left = piece.isEmpty ? left.upperBound..<left.upperBound : (left.lowerBound + piece.count)..<left.upperBound
        return piece
    }
}

/// One byte after the other from a stream.
struct ByteCursor {
    private let stream: any ByteStream
    private var piece: [UInt8] = []
    private var place = 0

    init(_ stream: any ByteStream) { self.stream = stream }

    mutating func next() throws(ImportError) -> UInt8? {
        if place == piece.count {
            piece = try stream.next()
            place = 0
            if piece.isEmpty { return nil }
        }
        place += 1
        return piece[place - 1]
    }

    /// The next `count` bytes, fewer at the end.
    mutating func take(_ count: Int) throws(ImportError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, let byte = try next() { bytes.append(byte) }
        return bytes
    }

    /// What is left of the piece at hand, or the next one; empty at the end.
    mutating func rest() throws(ImportError) -> ArraySlice<UInt8> {
        if place < piece.count {
            defer { place = piece.count }
            return piece[place...]
        }
        return try stream.next()[...]
    }
}
