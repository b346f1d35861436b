import CZlib

/// zlib's inflate over a whole gzip body (RFC 1952), kept and reused.
@safe
final class Inflater {
    enum Failure: Error, Equatable {
        /// Damaged, cut off, or followed by something else.
        case damaged
        case tooLarge
    }

    /// On the heap: zlib keeps the stream's address and refuses one that has moved.
    private let stream: UnsafeMutablePointer<z_stream>
    private static let roomBytes = 16 * 1024

    init() {
        // SAFETY: allocated and initialised here, given back in deinit.
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // SAFETY: 16 asks for the gzip format, so that CRC and length are checked; the size is the struct's own. It fails
        // only when memory runs out or the library is another than the one compiled for.
        let code = unsafe inflateInit2_(stream, 16 + MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "zlib refused to start: \(code)")
    }

    deinit {
        // SAFETY: the pointer came from init.
        unsafe _ = inflateEnd(stream)
        unsafe stream.deinitialize(count: 1)
        unsafe stream.deallocate()
    }

    /// Appends what the members of `coded` hold, at least one and one after the other.
    ///
    /// - Throws: ``Failure/tooLarge`` at once when there is a byte more than `bytesMax`: a bomb costs no more memory or time
    ///   than the largest body that is accepted.
    /// - Precondition: `coded` is shorter than four gigabytes, as the bound on bodies has it.
    func append(_ coded: Span<UInt8>, to output: inout ByteBuffer, bytesMax: Int) throws(Failure) {
        precondition(coded.count <= UInt32.max, "BUG: a body of four gigabytes")
        let before = output.count
        // SAFETY: zlib reads the span's bytes; it does not follow the pointer after the loop, for every call starts anew.
        try unsafe coded.withUnsafeBufferPointer { source throws(Failure) in
            unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
            unsafe stream.pointee.avail_in = UInt32(source.count)
            repeat {
                // SAFETY: the stream was initialised.
                unsafe _ = inflateReset(stream)
                try inflateMember(&output, end: before + bytesMax)
            } while unsafe stream.pointee.avail_in > 0
        }
    }

    private func inflateMember(_ output: inout ByteBuffer, end: Int) throws(Failure) {
        while true {
            // One more than may come, so that it shows.
            let room = min(Self.roomBytes, end + 1 - output.count)
            var code = Z_OK
            // SAFETY: zlib writes at most the room, which it is told anew at each call.
            let made = unsafe output.appendUnsafely(room: room) { target in
                unsafe stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress
                unsafe stream.pointee.avail_out = UInt32(target.count)
                code = unsafe inflate(stream, Z_NO_FLUSH)
                return unsafe target.count - Int(stream.pointee.avail_out)
            }
            if output.count > end { throw .tooLarge }
            switch code {
            case Z_STREAM_END: return
            // Room is left, so it is input that is missing: there is no more.
            case Z_OK, Z_BUF_ERROR: if made < room { throw .damaged }
            default: throw .damaged
            }
        }
    }
}
