/// Rows that could not be used, as CSV: where they stand, why, and their columns, so that they can be repaired.
///
/// Columns: `file,line,reason,detail,bytes`, then the known columns of the export. Names of rooms and guests are never
/// among them, nor are columns that this program does not know. A row may be out of step with its header, so a value
/// that is not of its column's shape is written as `(text of N bytes)`; contents are written when they hold an object.
struct RejectsFile: ~Copyable {
    private var output: OutputFile

    init(path: String) throws(OrdersError) {
        // Orders are nobody else's business.
        var output = try OutputFile(path: path, gzip: false, permissions: 0o600)
        try output.append { text in
            text.append(contentsOf: "file,line,reason,detail,bytes".utf8)
            for column in OrderColumn.allCases {
                text.append(CSVScanner.comma)
                text.append(contentsOf: column.name.utf8)
            }
            text.append(CSVScanner.lineFeed)
        }
        self.output = output
    }

    /// A record that could not be split into its columns: nothing of it is written, for a guest may be anywhere in it.
    mutating func addRecord(
        file: String, line: Int, reason: RejectReason, detail: String, byteCount: Int
    ) throws(OrdersError) {
        try output.append { text in
            Self.appendPlace(file, line, reason, detail, byteCount, to: &text)
            for _ in OrderColumn.allCases { text.append(CSVScanner.comma) }
            text.append(CSVScanner.lineFeed)
        }
    }

    mutating func addRow(
        file: String, line: Int, reason: RejectReason, detail: String, byteCount: Int, _ bytes: Span<UInt8>,
        _ fields: [CSVField], _ header: OrderHeader
    ) throws(OrdersError) {
        var row: [UInt8] = []
        Self.appendPlace(file, line, reason, detail, byteCount, to: &row)
        for column in OrderColumn.allCases {
            row.append(CSVScanner.comma)
            guard let place = header[column] else { continue }
            var value: [UInt8] = []
            CSVScanner.appendText(bytes, fields[place], to: &value)
            if Self.isShown(value, column) {
                CSVWriting.append(value, to: &row)
            } else {
                row.append(contentsOf: "(text of \(value.count) bytes)".utf8)
            }
        }
        row.append(CSVScanner.lineFeed)
        try output.append { $0.append(contentsOf: row) }
    }

    mutating func finish() throws(OrdersError) { try output.finish() }

    private static func appendPlace(
        _ file: String, _ line: Int, _ reason: RejectReason, _ detail: String, _ byteCount: Int, to text: inout [UInt8]
    ) {
        CSVWriting.append(Array(file.utf8), to: &text)
        text.append(contentsOf: ",\(line),\(reason.label),".utf8)
        CSVWriting.append(Array(detail.utf8), to: &text)
        text.append(contentsOf: ",\(byteCount)".utf8)
    }

    private static func isShown(_ value: [UInt8], _ column: OrderColumn) -> Bool {
        let range = 0..<value.count
        switch column {
        case .contents:
            return FieldValues.isNull(value.span, range) || value.contains(UInt8(ascii: "{"))
        case .status:
            return OrderStatus.skipReason(value.span, range) != .statusOther || FieldValues.isNull(value.span, range)
        default:
            // Numbers and times, well formed or not.
            return FieldValues.isNull(value.span, range)
                || value.allSatisfy { (0x20...0x3A).contains($0) && $0 != CSVScanner.quote || $0 == UInt8(ascii: "T") }
        }
    }
}

/// Fields as RFC 4180 writes them.
enum CSVWriting {
    /// Appends the field, in quotes when it needs them.
    static func append(_ value: [UInt8], to text: inout [UInt8]) {
        let needsQuotes = value.contains {
            $0 == CSVScanner.comma || $0 == CSVScanner.quote || $0 == CSVScanner.lineFeed
                || $0 == CSVScanner.carriageReturn
        }
        if needsQuotes { appendQuoted(value, to: &text) } else { text.append(contentsOf: value) }
    }

    static func appendQuoted(_ value: [UInt8], to text: inout [UInt8]) {
        text.append(CSVScanner.quote)
        for byte in value {
            if byte == CSVScanner.quote { text.append(byte) }
            text.append(byte)
        }
        text.append(CSVScanner.quote)
    }
}
