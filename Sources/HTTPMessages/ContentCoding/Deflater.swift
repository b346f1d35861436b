import CZlib

/// zlib's deflate in the gzip format (RFC 1952), kept and reused: an answer costs no allocation of zlib's.
@safe
final class Deflater {
    enum Flush {
        /// What came so far can be inflated, and more is to come.
        case piece
        case end
    }

    /// On the heap: zlib keeps the stream's address and refuses one that has moved.
    private let stream: UnsafeMutablePointer<z_stream>

    init(_ settings: GzipSettings) {
        // SAFETY: allocated and initialised here, given back in deinit.
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // SAFETY: 16 asks for the gzip format; the size is the struct's own. It fails only when memory runs out or the
        // library is another than the one compiled for.
        let code = unsafe deflateInit2_(
            stream, Int32(settings.level), Z_DEFLATED, 16 + GzipSettings.windowBits, GzipSettings.memoryLevel,
            Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        precondition(code == Z_OK, "zlib refused to start: \(code)")
    }

    deinit {
        // SAFETY: the pointer came from init.
        unsafe _ = deflateEnd(stream)
        unsafe stream.deinitialize(count: 1)
        unsafe stream.deallocate()
    }

    /// Makes it ready for another answer; the memory stays.
    func reset() {
        // SAFETY: the stream was initialised.
        unsafe _ = deflateReset(stream)
    }

    /// Appends what `bytes` become.
    func append(_ bytes: Span<UInt8>, to output: inout ByteBuffer, _ flush: Flush) {
        var taken = 0
        // avail_in has 32 bits.
        repeat {
            let count = min(bytes.count - taken, 1 << 30)
            let isLast = taken + count == bytes.count
            run(bytes.extracting(taken..<(taken + count)), &output, isLast && flush == .end ? Z_FINISH : Z_SYNC_FLUSH)
            taken += count
        } while taken < bytes.count
    }

    private func run(_ bytes: Span<UInt8>, _ output: inout ByteBuffer, _ mode: Int32) {
        // SAFETY: zlib reads the span's bytes and writes at most the room; it follows neither pointer after the loop, for both
        // are set again before the next call.
        unsafe bytes.withUnsafeBufferPointer { source in
            unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
            unsafe stream.pointee.avail_in = UInt32(source.count)
            // Enough in one go, but for a stream that holds some of the pieces before.
            let room = unsafe Int(deflateBound(stream, UInt(source.count))) + 16
            while true {
                let made = unsafe output.appendUnsafely(room: room) { target in
                    unsafe stream.pointee.next_out = target.bindMemory(to: UInt8.self).baseAddress
                    unsafe stream.pointee.avail_out = UInt32(target.count)
                    // Z_BUF_ERROR, nothing left to do, is no error; others cannot happen to a stream that was started.
                    unsafe _ = deflate(stream, mode)
                    return unsafe target.count - Int(stream.pointee.avail_out)
                }
                if made < room { return }
            }
        }
    }
}
