/// Where one field of a record lies in the read buffer, quotes left out.
struct CSVField {
    var start: Int
    var end: Int
    /// Holds doubled quotes that still stand for one.
    var hasDoubledQuotes: Bool
    var isQuoted: Bool

    var range: Range<Int> { start..<end }
}

/// What the bytes from one record's first byte on turned out to be.
enum CSVScan: Equatable {
    /// A whole record; `end` is past its last field's text, `next` past its line end.
    case record(end: Int, next: Int, lineCount: Int)
    /// The bytes end inside the record; `openQuote` is the place and line offset of a quote that is still open.
    case unfinished(openQuote: Int?, openLine: Int)
    /// A quote inside a quoted field is neither doubled nor at the field's end.
    case badQuoting(openQuote: Int, openLine: Int)
}

/// RFC 4180 over bytes: comma, `"` with `""` for a quote, LF or CRLF.
///
/// A quote in the middle of a field that does not begin with one is an ordinary character, as everywhere.
enum CSVScanner {
    static let quote = UInt8(ascii: "\"")
    static let comma = UInt8(ascii: ",")
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")

    /// Finds the fields of the record that begins at `start` and ends before `limit`.
    ///
    /// - Parameters:
    ///   - isLast: nothing follows `limit`: the end of the bytes ends the record.
    ///   - fields: emptied, then filled with at most `fieldCountMax` fields.
    ///   - fieldCount: all fields of the record, counted beyond `fieldCountMax` too.
    static func scan(
        _ buffer: [UInt8], from start: Int, limit: Int, isLast: Bool, fields: inout [CSVField],
        fieldCount: inout Int,
        fieldCountMax: Int
    ) -> CSVScan {
        let bytes = buffer.span
        fields.removeAll(keepingCapacity: true)
        fieldCount = 0
        var place = start
        var lineCount = 0
        while true {
            var field = CSVField(start: place, end: place, hasDoubledQuotes: false, isQuoted: false)
            if place < limit && bytes[place] == quote {
                if let problem = scanQuoted(
                    bytes, limit: limit, isLast: isLast, field: &field, place: &place, lineCount: &lineCount)
                {
                    return problem
                }
            } else {
                while place < limit && bytes[place] != comma && bytes[place] != lineFeed { place += 1 }
                field.end = place
                let endsLine = place < limit ? bytes[place] == lineFeed : isLast
                if endsLine && place > field.start && bytes[place - 1] == carriageReturn { field.end -= 1 }
            }
            if place >= limit && !isLast { return .unfinished(openQuote: nil, openLine: 0) }
            fieldCount += 1
            if fieldCount <= fieldCountMax { fields.append(field) }
            if place >= limit { return .record(end: place, next: limit, lineCount: lineCount + 1) }
            if bytes[place] == lineFeed { return .record(end: place, next: place + 1, lineCount: lineCount + 1) }
            place += 1
        }
    }

    /// Finds the end of the quoted field that opens at `place`.
    ///
    /// - Parameters:
    ///   - place: at the opening quote; left behind the closing one and a carriage return that belongs to the line end,
    ///     so at a comma, a line feed or `limit`.
    ///   - lineCount: grows by the line feeds inside the quotes.
    /// - Returns: nil when the field is whole.
    @inline(__always)
    private static func scanQuoted(
        _ bytes: Span<UInt8>, limit: Int, isLast: Bool, field: inout CSVField, place: inout Int, lineCount: inout Int
    ) -> CSVScan? {
        let open = place
        let openLine = lineCount
        place += 1
        field.isQuoted = true
        field.start = place
        while true {
            while place < limit {
                let byte = bytes[place]
                if byte == quote { break }
                if byte == lineFeed { lineCount += 1 }
                place += 1
            }
            // A quote that is the last byte may be the first half of a doubled one.
            if place >= limit || (place + 1 == limit && !isLast) {
                return .unfinished(openQuote: open, openLine: openLine)
            }
            if place + 1 == limit || bytes[place + 1] != quote { break }
            field.hasDoubledQuotes = true
            place += 2
        }
        field.end = place
        place += 1
        if place < limit && bytes[place] == carriageReturn {
            if place + 1 == limit && !isLast { return .unfinished(openQuote: nil, openLine: 0) }
            if place + 1 == limit || bytes[place + 1] == lineFeed { place += 1 }
        }
        if place < limit && bytes[place] != comma && bytes[place] != lineFeed {
            return .badQuoting(openQuote: open, openLine: openLine)
        }
        return nil
    }

    /// Appends the field's text with doubled quotes made single.
    static func appendText(_ bytes: Span<UInt8>, _ field: CSVField, to text: inout [UInt8]) {
        var place = field.start
        while place < field.end {
            text.append(bytes[place])
            place += bytes[place] == quote && field.hasDoubledQuotes ? 2 : 1
        }
    }

    /// Writes the field's text with doubled quotes made single to the front of `target`, which has room for the field.
    ///
    /// Every byte is stored, and the second quote of a pair is then overwritten: every tenth byte of contents is a quote,
    /// and a branch on each would be mispredicted.
    ///
    /// - Precondition: the field has doubled quotes, and so no others.
    /// - Returns: bytes written.
    static func copyText(_ bytes: Span<UInt8>, _ field: CSVField, into target: inout MutableSpan<UInt8>) -> Int {
        var count = 0
        // 1 behind the first quote of a pair.
        var isSecond = 0
        for place in field.start..<field.end {
            let byte = bytes[place]
            let isQuote = byte == quote ? 1 : 0
            target[count] = byte
            count &+= 1 ^ (isQuote & isSecond)
            isSecond = isQuote & (1 ^ isSecond)
        }
        return count
    }
}
