/// Decodes a chunked body (RFC 9112 section 7.1) in place.
///
/// ```
/// [ head | decoded so far | bytes not looked at yet ]
/// ```
///
/// Between two calls there is no gap: sizes, extensions and trailers are cut out as they are read, so that the buffer holds
/// no more than the body's bound and one read, however small the chunks are. Extensions and trailers are checked and
/// dropped.
struct ChunkedBody: Sendable {
    private enum Phase {
        case size
        case data(left: Int)
        case dataEnd
        case trailers
        case done
    }

    private var phase = Phase.size
    private(set) var decodedCount = 0
    /// The sum of the sizes that chunks said they have; ahead of `decodedCount` within a chunk.
    private var announcedCount = 0
    private var trailerBytes = 0
    private var trailerCount = 0

    /// The longest line that starts a chunk: 16 digits would do; the rest is for extensions nobody uses.
    static var sizeLineBytesMax: Int { 256 }

    /// Decodes what `buffer` holds from `bodyStart` on.
    ///
    /// - Returns: true at the end of the body; what then follows the decoded bytes is the next request.
    mutating func decode(_ buffer: inout ByteBuffer, bodyStart: Int, limits: Limits) throws(Refusal) -> Bool {
        let gapStart = bodyStart + decodedCount
        var write = gapStart
        var read = gapStart
        while try step(&buffer, read: &read, write: &write, limits: limits) {}
        if read > write { buffer.removeSubrange(write..<read) }
        decodedCount = write - bodyStart
        if case .done = phase { return true }
        return false
    }

    /// Takes one line or one piece of data; false when it needs more bytes, or is done.
    private mutating func step(
        _ buffer: inout ByteBuffer, read: inout Int, write: inout Int, limits: Limits
    ) throws(Refusal) -> Bool {
        switch phase {
        case .size:
            guard let end = try line(buffer, from: read, bytesMax: Self.sizeLineBytesMax, .malformed(.chunkExtension))
            else { return false }
            let size = try buffer.withBytes { bytes throws(Refusal) in try chunkSize(bytes, read..<end) }
            announcedCount += size
            if announcedCount > limits.bodyBytesMax { throw .bodyTooLarge(bytesMax: limits.bodyBytesMax) }
            read = end + 2
            phase = size == 0 ? .trailers : .data(left: size)
        case .data(let left):
            let taken = min(left, buffer.count - read)
            if taken == 0 { return false }
            buffer.copyDown(read..<(read + taken), to: write)
            read += taken
            write += taken
            phase = taken == left ? .dataEnd : .data(left: left - taken)
        case .dataEnd:
            let (available, isCRLF) = buffer.withBytes { bytes in
                let available = bytes.count - read
                return (
                    available,
                    (available < 1 || bytes[read] == .carriageReturn)
                        && (available < 2 || bytes[read + 1] == .lineFeed)
                )
            }
            guard isCRLF else { throw .malformed(.chunkEnd) }
            if available < 2 { return false }
            read += 2
            phase = .size
        case .trailers:
            let room = max(0, limits.headerBytesMax - trailerBytes - 2)
            guard
                let end = try line(
                    buffer, from: read, bytesMax: room, .headersTooLarge(bytesMax: limits.headerBytesMax))
            else { return false }
            if end == read {
                phase = .done
            } else {
                trailerBytes += end + 2 - read
                trailerCount += 1
                if trailerCount > limits.headerCountMax { throw .tooManyHeaders(countMax: limits.headerCountMax) }
                _ = try buffer.withBytes { bytes throws(Refusal) in try fieldLine(read..<end, bytes) }
            }
            read = end + 2
        case .done: return false
        }
        return true
    }

    /// The end of the line at `start`, without its CRLF; nil when it is not all there.
    private func line(
        _ buffer: borrowing ByteBuffer, from start: Int, bytesMax: Int, _ tooLong: Refusal
    ) throws(Refusal) -> Int? {
        try buffer.withBytes { bytes throws(Refusal) in
            var index = start
            while index < bytes.count, bytes[index] != .lineFeed {
                index += 1
                // One more than the bound may be the CR.
                if index - start > bytesMax + 1 { throw tooLong }
            }
            if index == bytes.count { return nil }
            guard index > start, bytes[index - 1] == .carriageReturn else { throw .malformed(.lineEnding) }
            return index - 1
        }
    }

    /// `1*HEXDIG *( BWS ";" ... )`.
    private func chunkSize(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(Refusal) -> Int {
        var index = line.lowerBound
        var size = 0
        while index < line.upperBound, let digit = bytes[index].hexadecimalValue {
            // Kept from overflowing; anything this large is far over the bound on bodies.
            size = min(size, Int.max >> 8) << 4 | Int(digit)
            index += 1
        }
        if index == line.lowerBound { throw .malformed(.chunkSize) }
        if index == line.upperBound { return size }
        let rest = bytes.trimmingWhiteSpace(index..<line.upperBound)
        guard !rest.isEmpty, bytes[rest.lowerBound] == UInt8(ascii: ";") else { throw .malformed(.chunkSize) }
        for index in rest where !bytes[index].isFieldContent { throw .malformed(.chunkExtension) }
        return size
    }
}
