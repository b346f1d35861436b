/// Records of one file, one after the other, in a buffer of fixed size.
///
/// What goes wrong inside a quoted field (it never closes, it closes in the middle, it makes the record too long) costs
/// the physical line that opened it and nothing more: reading goes on at the line after. A stray quote therefore cannot
/// swallow the file, and rescanning stays linear: lines that lie inside an unclosed quote hold quotes in even runs
/// only, and read from their own beginning such lines always close what they open.
struct CSVRecordReader: ~Copyable {
    enum Outcome: Equatable {
        /// `fields` describes the record.
        case record(line: Int, byteCount: Int)
        case malformed(RejectReason, line: Int, byteCount: Int)
        case end
    }

    /// A record's text may have this many bytes, its line end not counted.
    static let recordBytesMax = 1 << 20
    static let fieldCountMax = 256

    private(set) var bytes: [UInt8]
    private(set) var fields: [CSVField] = []
    /// Fields of the last record, those beyond `fieldCountMax` too.
    private(set) var fieldCount = 0

    private var input: InputFile
    private var start = 0
    private var end = 0
    private var line = 1
    private var atEnd = false
    private let blockBytes: Int

    /// - Parameter blockBytes: how much is read at a time; it changes the speed, never the records.
    init(input: consuming InputFile, blockBytes: Int = 256 << 10) {
        precondition(blockBytes > 0, "BUG: empty blocks")
        self.input = input
        self.blockBytes = blockBytes
        // The longest record, its line end and a byte order mark, and a block behind them.
        bytes = [UInt8](repeating: 0, count: Self.recordBytesMax + 8 + blockBytes)
        fields.reserveCapacity(Self.fieldCountMax)
    }

    var path: String { input.path }
    var fileBytesRead: Int { input.fileBytesRead }

    /// Steps over a UTF-8 byte order mark. Call it once, before the first record.
    ///
    /// - Returns: false when the file holds nothing else.
    mutating func skipByteOrderMark() throws(OrdersError) -> Bool {
        while end < 3 && !atEnd { try refill() }
        if end >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF { start = 3 }
        if start == end && !atEnd { try refill() }
        return start < end
    }

    /// Whether the line that comes next, as far as it was read, holds a carriage return outside quotes and not at its end: as in
    /// a file whose lines end with carriage returns alone, which makes all of it one line.
    func holdsLoneCarriageReturn() -> Bool {
        var isQuoted = false
        for place in start..<end {
            switch bytes[place] {
            case CSVScanner.quote: isQuoted.toggle()
            case CSVScanner.lineFeed where !isQuoted: return false
            case CSVScanner.carriageReturn
            where !isQuoted && place + 1 < end && bytes[place + 1] != CSVScanner.lineFeed:
                return true
            default: break
            }
        }
        return false
    }

    /// The next record; empty lines are stepped over.
    mutating func next() throws(OrdersError) -> Outcome {
        while true {
            let window = min(end, start + Self.recordBytesMax + 2)
            let isLast = atEnd && window == end
            if isLast && start == end { return .end }
            let scan = CSVScanner.scan(
                bytes, from: start, limit: window, isLast: isLast, fields: &fields, fieldCount: &fieldCount,
                fieldCountMax: Self.fieldCountMax)
            switch scan {
            case .record(let recordEnd, let next, let lineCount):
                let textEnd =
                    recordEnd > start && bytes[recordEnd - 1] == CSVScanner.carriageReturn
                    ? recordEnd - 1 : recordEnd
                let byteCount = textEnd - start
                if byteCount > Self.recordBytesMax { return try tooLong(openQuote: nil) }
                let recordLine = line
                start = next
                line += lineCount
                if byteCount == 0 { continue }
                return .record(line: recordLine, byteCount: byteCount)
            case .badQuoting(let openQuote, let openLine):
                return try malformed(.badQuoting, openQuote: openQuote, line: line + openLine)
            case .unfinished(let openQuote, let openLine):
                if isLast {
                    // Only a quote can be open here: anything else ends with the bytes.
                    return try malformed(.unterminatedQuote, openQuote: openQuote ?? start, line: line + openLine)
                }
                if window - start == Self.recordBytesMax + 2 { return try tooLong(openQuote: openQuote) }
                try refill()
            }
        }
    }

    private mutating func tooLong(openQuote: Int?) throws(OrdersError) -> Outcome {
        // Outside quotes the rest of the line belongs to the record.
        try malformed(.recordTooLong, openQuote: openQuote ?? start + Self.recordBytesMax, line: line)
    }

    /// Steps over the line that holds `openQuote`.
    private mutating func malformed(
        _ reason: RejectReason, openQuote: Int, line reportedLine: Int
    ) throws(OrdersError) -> Outcome {
        var byteCount = 0
        for place in start..<openQuote where bytes[place] == CSVScanner.lineFeed { line += 1 }
        var place = openQuote
        while true {
            while place < end && bytes[place] != CSVScanner.lineFeed { place += 1 }
            if place < end || atEnd { break }
            byteCount += place - start
            start = end
            try refill()
            place = start
        }
        byteCount += place - start
        start = min(place + 1, end)
        line += 1
        fields.removeAll(keepingCapacity: true)
        fieldCount = 0
        return .malformed(reason, line: reportedLine, byteCount: byteCount)
    }

    /// Moves what is left to the front and reads one more block behind it.
    private mutating func refill() throws(OrdersError) {
        if start > 0 {
            let count = end - start
            for offset in 0..<count { bytes[offset] = bytes[start + offset] }
            start = 0
            end = count
        }
        let room = end..<min(end + blockBytes, bytes.count)
        precondition(!room.isEmpty, "BUG: no room for another block")
        let got = try input.read(into: &bytes, at: room)
        end += got
        atEnd = got == 0
    }
}
