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
                try buffer.withBytes { bytes throws(Refusal) in try checkTrailer(read..<end, bytes) }
            }
            read = end + 2
        case .done: return false
        }
        return true
    }

    /// A header line, and none of those that frame or route a message, which must not come this late (RFC 9110 section
    /// 6.5.1). They would be dropped like the others; who sends them hopes that somebody does not.
    private func checkTrailer(_ line: Range<Int>, _ bytes: Span<UInt8>) throws(Refusal) {
        let field: FieldLine
        do throws(Refusal) { field = try fieldLine(line, bytes) } catch { throw .malformed(.trailerField) }
        let name = bytes.extracting(field.name)
        if name.equalsIgnoringCase("content-length") || name.equalsIgnoringCase("transfer-encoding")
            || name.equalsIgnoringCase("host") || name.equalsIgnoringCase("connection")
        {
            throw .malformed(.trailerField)
        }
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

    /// `1*HEXDIG [ chunk-ext ]`, digits without sign, prefix or white space before them.
    private func chunkSize(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(Refusal) -> Int {
        var index = line.lowerBound
        var size = 0
        while index < line.upperBound, let digit = bytes[index].hexadecimalValue {
            // Kept from overflowing; anything this large is far over the bound on bodies.
            size = min(size, Int.max >> 8) << 4 | Int(digit)
            index += 1
        }
        if index == line.lowerBound { throw .malformed(.chunkSize) }
        try checkExtensions(bytes, index..<line.upperBound)
        return size
    }

    /// `*( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] )` (RFC 9112 section 7.1.1), understood by nobody here
    /// and dropped. Checked, because parsers that skip them in different ways disagree about where the chunk starts.
    private func checkExtensions(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(Refusal) {
        let end = range.upperBound
        var index = range.lowerBound
        func skipWhiteSpace() { while index < end, bytes[index].isOptionalWhiteSpace { index += 1 } }
        func skipToken() -> Bool {
            let start = index
            while index < end, CharacterSet128.token.contains(bytes[index]) { index += 1 }
            return index > start
        }
        if index == end { return }
        skipWhiteSpace()
        guard index < end, bytes[index] == UInt8(ascii: ";") else { throw .malformed(.chunkSize) }
        while index < end {
            guard bytes[index] == UInt8(ascii: ";") else { throw .malformed(.chunkExtension) }
            index += 1
            skipWhiteSpace()
            guard skipToken() else { throw .malformed(.chunkExtension) }
            skipWhiteSpace()
            guard index < end, bytes[index] == UInt8(ascii: "=") else { continue }
            index += 1
            skipWhiteSpace()
            if index < end, bytes[index] == UInt8(ascii: "\"") {
                index = try quotedStringEnd(bytes, index..<end)
            } else if !skipToken() {
                throw .malformed(.chunkExtension)
            }
            skipWhiteSpace()
        }
    }

    /// Where the quoted string that `range` starts with ends (RFC 9110 section 5.6.4).
    private func quotedStringEnd(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(Refusal) -> Int {
        var index = range.lowerBound + 1
        while index < range.upperBound, bytes[index].isFieldContent {
            if bytes[index] == UInt8(ascii: "\"") { return index + 1 }
            if bytes[index] == UInt8(ascii: "\\") {
                index += 1
                guard index < range.upperBound, bytes[index].isFieldContent else { break }
            }
            index += 1
        }
        throw .malformed(.chunkExtension)
    }
}
