import CZlib

/// The bytes of one zip entry, inflated if need be, with size and CRC checked at the end.
final class ZipEntryStream: ByteStream {
    private let source: FileStream
    private let entry: ZipArchive.Entry
    private var inflater: Inflater?
    private var made = 0
    private var crc: UInt

    var path: String { "\(source.path):\(entry.name)" }

    init(_ source: FileStream, _ entry: ZipArchive.Entry) {
        self.source = source
        self.entry = entry
        inflater = entry.isDeflated ? Inflater() : nil
        crc = crc32(0, nil, 0)
    }

    func next() throws(ImportError) -> [UInt8] {
        let piece: [UInt8]
        if let inflater {
            guard let inflated = try inflater.next(source) else { throw fail("deflated data that is damaged") }
            piece = inflated
        } else {
            piece = try source.next()
        }
        made += piece.count
        // Before it is kept: an entry never makes more than it said.
        guard made <= entry.byteCount else { throw fail("more than the \(entry.byteCount) bytes it says") }
        if piece.isEmpty {
            guard made == entry.byteCount else { throw fail("\(made) bytes where it says \(entry.byteCount)") }
            guard UInt32(truncatingIfNeeded: crc) == entry.crc else { throw fail("another CRC than it says") }
        } else {
            // SAFETY: crc32 reads the piece's bytes only.
            crc = unsafe piece.withUnsafeBufferPointer { unsafe crc32(crc, $0.baseAddress, UInt32($0.count)) }
        }
        return piece
    }

    private func fail(_ got: String) -> ImportError {
        .badArchive(path: path, got: got, wanted: "an entry as numpy.savez writes it")
    }
}

/// zlib's inflate over a raw deflate stream (RFC 1951).
@safe
private final class Inflater {
    private static let pieceBytes = 1 << 18

    /// On the heap: zlib keeps the stream's address and refuses one that has moved.
    private let stream: UnsafeMutablePointer<z_stream>
    private var input: [UInt8] = []
    private var taken = 0
    private var isAtEnd = false

    init() {
        // SAFETY: allocated and initialized here, given back in deinit.
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // SAFETY: negative window bits mean a stream without header; the size is the struct's own. It fails only when
        // memory runs out or the library is another than the one compiled for.
        let code = unsafe inflateInit2_(stream, -MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "zlib refused to start: \(code)")
    }

    deinit {
        // SAFETY: the pointer came from init.
        unsafe _ = inflateEnd(stream)
        unsafe stream.deinitialize(count: 1)
        unsafe stream.deallocate()
    }

    /// The next piece, empty at the end; nil when the stream is damaged, cut or followed by more.
    func next(_ source: FileStream) throws(ImportError) -> [UInt8]? {
        while !isAtEnd {
            if taken == input.count {
                input = try source.next()
                taken = 0
                if input.isEmpty { return nil }
            }
            let piece = inflate()
            guard let piece else { return nil }
            if isAtEnd {
                let rest = try source.next()
                guard taken == input.count, rest.isEmpty else { return nil }
            }
            if !piece.isEmpty { return piece }
        }
        return []
    }

    private func inflate() -> [UInt8]? {
        var code: Int32 = Z_OK
        let stream = unsafe self.stream
        // SAFETY: `made` bytes are initialized when the closure returns.
        let piece = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { room, made in
            // SAFETY: zlib reads what is left of the input and writes at most the room; it follows neither pointer after the
            // call, for both are set again before the next.
            unsafe input.withUnsafeBufferPointer { source in
                unsafe stream.pointee.next_in = UnsafeMutablePointer(
                    mutating: source.baseAddress.map { unsafe $0 + taken })
                unsafe stream.pointee.avail_in = UInt32(source.count - taken)
                unsafe stream.pointee.next_out = room.baseAddress
                unsafe stream.pointee.avail_out = UInt32(room.count)
                code = unsafe CZlib.inflate(stream, Z_NO_FLUSH)
                taken = unsafe source.count - Int(stream.pointee.avail_in)
                made = unsafe room.count - Int(stream.pointee.avail_out)
            }
        }
        isAtEnd = code == Z_STREAM_END
        return code == Z_OK || code == Z_BUF_ERROR || isAtEnd ? piece : nil
    }
}
