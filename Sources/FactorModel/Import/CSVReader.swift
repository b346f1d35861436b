/// Reads records of comma-separated values as RFC 4180 has them, strictly.
///
/// UTF-8, with or without a byte order mark; lines end with LF or CRLF; `""` is a quote in a quoted field, which may hold commas
/// and line ends. A quote elsewhere, a lone carriage return, or another number of fields than the header is an error with its line.
struct CSVReader {
    static let recordBytesMax = 1 << 20

    let path: String
    /// The line on which the last record begins, from 1.
    private(set) var line = 0
    private var cursor: ByteCursor
    private var nextLine = 1
    /// A byte that was looked at.
    private var peeked: UInt8?
    private var recordBytes = 0
    private var fieldCount: Int?

    init(_ file: InputFile) {
        path = file.path
        cursor = ByteCursor(file.stream())
    }

    /// The place of each of `columns` in the records, from the header line, which must have these and no others in any order.
    mutating func header(_ columns: [String]) throws(ImportError) -> [Int] {
        let wanted = "the header \(columns.joined(separator: ","))"
        guard var names = try nextRecord() else {
            throw .badLine(path: path, line: 1, got: "an empty file", wanted: wanted)
        }
        if let first = names.first, first.utf8.starts(with: [0xEF, 0xBB, 0xBF]) {
            names[0] = String(decoding: first.utf8.dropFirst(3), as: UTF8.self)
        }
        var places: [Int] = []
        for column in columns {
            guard let place = names.firstIndex(of: column) else {
                throw .badLine(path: path, line: 1, got: "no column '\(column)'", wanted: wanted)
            }
            places.append(place)
        }
        guard names.count == columns.count else {
            let extra = names.first { !columns.contains($0) } ?? names[names.count - 1]
            throw .badLine(path: path, line: 1, got: "the column \(ImportError.excerpt(extra)), too", wanted: wanted)
        }
        fieldCount = names.count
        return places
    }

    /// The next record; nil at the end.
    mutating func nextRecord() throws(ImportError) -> [String]? {
        line = nextLine
        recordBytes = 0
        guard let first = try take() else { return nil }
        peeked = first
        recordBytes -= 1
        var fields: [String] = []
        var isLast = false
        while !isLast {
            fields.append(try nextField(&isLast))
        }
        if let fieldCount, fields.count != fieldCount {
            throw fail("\(fields.count) fields", "\(fieldCount), as in the header")
        }
        return fields
    }

    private mutating func nextField(_ isLast: inout Bool) throws(ImportError) -> String {
        var bytes: [UInt8] = []
        var byte = try take()
        if byte == UInt8(ascii: "\"") {
            try takeQuoted(&bytes)
            byte = try take()
        } else {
            while let plain = byte, !Self.ends.contains(plain) {
                guard plain != UInt8(ascii: "\"") else {
                    throw fail("a quote inside a field", "the whole field in quotes")
                }
                bytes.append(plain)
                byte = try take()
            }
        }
        try endField(byte, &isLast)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw fail("bytes that are not UTF-8", "UTF-8")
        }
        return text
    }

    private static let ends = [UInt8(ascii: ","), UInt8(ascii: "\n"), UInt8(ascii: "\r")]

    private mutating func takeQuoted(_ bytes: inout [UInt8]) throws(ImportError) {
        while true {
            guard let byte = try take() else { throw fail("a quoted field without an end", "a closing quote") }
            if byte == UInt8(ascii: "\n") { nextLine += 1 }
            if byte == UInt8(ascii: "\"") {
                let after = try take()
                guard after == UInt8(ascii: "\"") else {
                    peeked = after
                    if after != nil { recordBytes -= 1 }
                    return
                }
            }
            bytes.append(byte)
        }
    }

    /// What stands behind a field: a comma, the end of the line or of the file.
    private mutating func endField(_ byte: UInt8?, _ isLast: inout Bool) throws(ImportError) {
        var byte = byte
        if byte == UInt8(ascii: ",") { return }
        if byte == UInt8(ascii: "\r") {
            byte = try take()
            guard byte == UInt8(ascii: "\n") else {
                throw fail("a carriage return inside a line", "LF or CRLF at its end")
            }
        }
        guard byte == nil || byte == UInt8(ascii: "\n") else {
            throw fail("something behind a closing quote", "a comma or the end of the line")
        }
        nextLine += 1
        isLast = true
    }

    private mutating func take() throws(ImportError) -> UInt8? {
        recordBytes += 1
        guard recordBytes <= Self.recordBytesMax else {
            throw fail("a record over \(Self.recordBytesMax) bytes", "a closing quote before that")
        }
        if let byte = peeked {
            peeked = nil
            return byte
        }
        return try cursor.next()
    }

    /// An error on the line of the last record.
    func fail(_ got: String, _ wanted: String) -> ImportError {
        .badLine(path: path, line: line, got: got, wanted: wanted)
    }
}
