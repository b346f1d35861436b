import CZlib

/// zlib's inflate over a run of gzip members.
@safe struct Inflater: ~Copyable {
    private let path: String
    /// On the heap: zlib keeps the stream's address and refuses one that has moved.
    private let stream: UnsafeMutablePointer<z_stream>
    /// True when the last member is complete and the next one has not begun.
    private(set) var isBetweenMembers = false

    init(path: String) throws(OrdersError) {
        self.path = path
        // SAFETY: allocated and initialised here, given back in deinit.
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        // SAFETY: 16 asks for a gzip header and trailer, so CRC and length are checked; the size is this struct's own.
        let code = unsafe inflateInit2_(
            stream, 16 + MAX_WBITS, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        if code != Z_OK { throw .gzipCorrupt(path: path, detail: "zlib refused to start: \(code)") }
    }

    deinit {
        // SAFETY: the pointer came from init; inflateEnd accepts a stream whose start failed.
        unsafe _ = inflateEnd(stream)
        unsafe stream.deinitialize(count: 1)
        unsafe stream.deallocate()
    }

    /// Takes from `input[source]` and writes to `output[target]` as far as both reach.
    ///
    /// - Precondition: neither range is empty.
    mutating func inflate(
        _ input: [UInt8], _ source: Range<Int>, into output: inout [UInt8], at target: Range<Int>
    ) throws(OrdersError) -> (taken: Int, made: Int) {
        if isBetweenMembers {
            if input[source.lowerBound] == 0 { return (1, 0) }
            // SAFETY: the stream was initialised.
            unsafe _ = inflateReset(stream)
            isBetweenMembers = false
        }
        let stream = unsafe self.stream
        // SAFETY: rebasing checks both ranges, and both arrays are held for the length of the call; zlib follows no
        // pointer into them after it, for next_in and next_out are set again before the next.
        let code = unsafe input.withUnsafeBytes { inputBytes in
            unsafe output.withUnsafeMutableBytes { outputBytes in
                let from = unsafe UnsafeRawBufferPointer(rebasing: inputBytes[source]).assumingMemoryBound(
                    to: UInt8.self)
                let to = unsafe UnsafeMutableRawBufferPointer(rebasing: outputBytes[target])
                    .assumingMemoryBound(to: UInt8.self)
                unsafe stream.pointee.next_in = UnsafeMutablePointer(mutating: from.baseAddress)
                unsafe stream.pointee.avail_in = UInt32(from.count)
                unsafe stream.pointee.next_out = to.baseAddress
                unsafe stream.pointee.avail_out = UInt32(to.count)
                return unsafe CZlib.inflate(stream, Z_NO_FLUSH)
            }
        }
        // SAFETY: counters of the stream that inflate has just set.
        let taken = unsafe source.count - Int(stream.pointee.avail_in)
        let made = unsafe target.count - Int(stream.pointee.avail_out)
        switch code {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: isBetweenMembers = true
        default:
            // SAFETY: msg is nil or one of zlib's own constant strings.
            let detail = unsafe stream.pointee.msg.map { unsafe String(cString: $0) } ?? "zlib error \(code)"
            throw .gzipCorrupt(path: path, detail: detail)
        }
        return (taken, made)
    }
}
