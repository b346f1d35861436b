import CZlib
import Glibc

/// A file that appears under its name complete or not at all; or standard output, a pipe, a device, as it goes.
///
/// A regular path is written as `NAME.partial-PID` beside its place and renamed by `finish`. Without `finish` the partial
/// file is removed again.
struct OutputFile: ~Copyable {
    private let path: String
    private let descriptor: FileDescriptor
    /// Nil when there is nothing to rename.
    private var partialPath: String?
    private var deflater: Deflater?
    private var pending: [UInt8] = []

    private static let blockBytes = 256 << 10

    /// - Parameters:
    ///   - path: `-` is standard output.
    ///   - gzip: compress what is written.
    ///   - permissions: of a new file, before the umask.
    init(path: String, gzip: Bool, permissions: mode_t) throws(OrdersError) {
        if path == "-" {
            self.init(path: path, partialPath: nil, FileDescriptor(STDOUT_FILENO), gzip: gzip)
            return
        }
        var status = stat()
        // SAFETY: both arguments live for the length of the call.
        let exists = unsafe stat(path, &status) == 0
        let kind = status.st_mode & S_IFMT
        if exists && kind == S_IFDIR { throw .unwritable(path: path, operation: "write", code: EISDIR) }
        let isReplaced = !exists || kind == S_IFREG
        let target = isReplaced ? "\(path).partial-\(getpid())" : path
        let flags = O_WRONLY | O_CLOEXEC | (isReplaced ? O_CREAT | O_TRUNC | O_NOFOLLOW : 0)
        // SAFETY: the path is passed as a terminated string for the length of the call.
        let number = unsafe open(target, flags, permissions)
        if number < 0 { throw .unwritable(path: target, operation: "create", code: errno) }
        self.init(path: path, partialPath: isReplaced ? target : nil, FileDescriptor(number), gzip: gzip)
    }

    private init(path: String, partialPath: String?, _ descriptor: consuming FileDescriptor, gzip: Bool) {
        self.path = path
        self.partialPath = partialPath
        self.descriptor = descriptor
        deflater = gzip ? Deflater() : nil
        pending.reserveCapacity(Self.blockBytes * 2)
    }

    deinit {
        // SAFETY: the path is passed as a terminated string for the length of the call.
        if let partialPath { unsafe _ = unlink(partialPath) }
    }

    /// Appends what `body` appends to the buffer, and writes the buffer out when it is full.
    mutating func append(_ body: (inout [UInt8]) -> Void) throws(OrdersError) {
        body(&pending)
        if pending.count >= Self.blockBytes { try flush(isLast: false) }
    }

    /// Writes what is left and gives the file its name.
    ///
    /// The bytes reach the disk before the name does: after a power failure the name has the old file or the whole new
    /// one, never an empty one.
    mutating func finish() throws(OrdersError) {
        try flush(isLast: true)
        guard let partialPath else { return }
        while fsync(descriptor.number) != 0 {
            if errno != EINTR { throw .unwritable(path: partialPath, operation: "sync", code: errno) }
        }
        // SAFETY: the paths are passed as terminated strings for the length of the call.
        if unsafe rename(partialPath, path) != 0 { throw .unwritable(path: path, operation: "rename to", code: errno) }
        self.partialPath = nil
    }

    private mutating func flush(isLast: Bool) throws(OrdersError) {
        if deflater == nil {
            try write(pending)
        } else {
            var compressed: [UInt8] = []
            deflater?.deflate(pending, isLast: isLast, to: &compressed)
            try write(compressed)
        }
        pending.removeAll(keepingCapacity: true)
    }

    private func write(_ bytes: [UInt8]) throws(OrdersError) {
        let number = descriptor.number
        var done = 0
        while done < bytes.count {
            // SAFETY: rebasing checks the range; the array is held for the length of the call.
            let wrote = unsafe bytes.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
                return unsafe Glibc.write(number, rest.baseAddress, rest.count)
            }
            if wrote >= 0 {
                done += wrote
            } else if errno == EPIPE && number == STDOUT_FILENO {
                throw .outputClosed
            } else if errno != EINTR {
                throw .unwritable(path: partialPath ?? path, operation: "write", code: errno)
            }
        }
    }
}

/// Runs `work` so that a reader of standard output who goes away is an error, not the end of the process: when `path` is
/// `-`, the signal that would come before write could answer EPIPE is ignored meanwhile.
func withoutBrokenPipeSignal<R>(path: String, _ work: () throws(OrdersError) -> R) throws(OrdersError) -> R {
    guard path == "-" else { return try work() }
    let previous = signal(SIGPIPE, SIG_IGN)
    defer { _ = signal(SIGPIPE, previous) }
    return try work()
}

/// zlib's deflate as one gzip member, with no name and no time in it: the same text gives the same bytes.
@safe struct Deflater: ~Copyable {
    /// On the heap: zlib keeps the stream's address.
    private let stream: UnsafeMutablePointer<z_stream>

    init() {
        // SAFETY: allocated and initialised here, given back in deinit.
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // SAFETY: 16 asks for a gzip header; level 6 and memory level 8 are zlib's defaults.
        let code = unsafe deflateInit2_(
            stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "BUG: zlib refused constant settings: \(code)")
    }

    deinit {
        // SAFETY: the pointer came from init.
        unsafe _ = deflateEnd(stream)
        unsafe stream.deinitialize(count: 1)
        unsafe stream.deallocate()
    }

    mutating func deflate(_ text: [UInt8], isLast: Bool, to compressed: inout [UInt8]) {
        var block = [UInt8](repeating: 0, count: 128 << 10)
        let stream = unsafe self.stream
        // SAFETY: zlib reads avail_in bytes from next_in during the loop below only, where the array is held.
        unsafe text.withUnsafeBufferPointer { input in
            unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            unsafe stream.pointee.avail_in = UInt32(input.count)
            while true {
                // SAFETY: room for avail_out bytes at next_out, for the length of the call.
                let made = unsafe block.withUnsafeMutableBufferPointer { output in
                    unsafe stream.pointee.next_out = output.baseAddress
                    unsafe stream.pointee.avail_out = UInt32(output.count)
                    unsafe _ = CZlib.deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    return unsafe output.count - Int(stream.pointee.avail_out)
                }
                compressed.append(contentsOf: block[..<made])
                if made < block.count { return }
            }
        }
    }
}
