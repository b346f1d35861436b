/// Takes the purchases of exports one by one: what training keeps of them, or order lines, or a count.
protocol PurchaseSink: ~Copyable {
    /// - Parameters:
    ///   - bytes: lent for the call, with the places of the row's `fields` in it.
    ///   - contents: at least one element is usable: those without a problem.
    mutating func add(
        _ row: OrderRow, _ bytes: Span<UInt8>, _ fields: [CSVField], _ header: OrderHeader, _ contents: ContentsParser
    ) throws(OrdersError)
}

/// Reads the files to their end, hands every purchase to the sink, and counts and keeps what cannot be used.
///
/// See `readOrders` for the parameters, the order of the files and the errors.
func readPurchases<Sink: PurchaseSink & ~Copyable>(
    paths: [String], rejectsPath: String?, maxRejectShare: Double, into sink: inout Sink,
    progress: (ReadProgress) -> Void
) throws(OrdersError) -> OrderSummary {
    if paths.isEmpty { throw .noInput }
    guard maxRejectShare >= 0 && maxRejectShare <= 1 else {
        throw .invalidSetting(name: "the allowed share of rejects", got: "\(maxRejectShare)", wanted: "0 to 1")
    }
    let paths = paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let totalBytes = try InputFile.totalBytes(of: paths)
    if let rejectsPath, paths.contains(where: { InputFile.areSame($0, rejectsPath) }) {
        throw .invalidSetting(name: "the rejects file", got: rejectsPath, wanted: "another file than the orders")
    }
    var reading = try OrdersReading(rejectsPath: rejectsPath, totalBytes: totalBytes)
    for path in paths { try reading.read(path, into: &sink, progress) }
    let summary = try reading.finish(progress)
    if summary.rejectShare > maxRejectShare {
        throw .tooManyRejects(summary: summary, maxRejectShare: maxRejectShare, rejectsPath: rejectsPath)
    }
    if summary.orders == 0 { throw .nothingKept(summary: summary, rejectsPath: rejectsPath) }
    return summary
}

/// One run over some files.
private struct OrdersReading: ~Copyable {
    private var summary = OrderSummary()
    private var seenOrders = SeenOrders()
    private var contents = ContentsParser()
    private var rejects: RejectsFile?
    private let totalBytes: Int?
    private let clock = ContinuousClock()
    private var lastProgress: ContinuousClock.Instant

    init(rejectsPath: String?, totalBytes: Int?) throws(OrdersError) {
        self.totalBytes = totalBytes
        lastProgress = clock.now
        if let rejectsPath { rejects = try RejectsFile(path: rejectsPath) } else { rejects = nil }
    }

    mutating func read<Sink: PurchaseSink & ~Copyable>(
        _ path: String, into sink: inout Sink, _ progress: (ReadProgress) -> Void
    ) throws(OrdersError) {
        var reader = CSVRecordReader(input: try InputFile(path: path))
        let bytesBefore = summary.fileBytes
        guard try reader.skipByteOrderMark() else { throw .emptyFile(path: path) }
        let header = try readHeader(&reader)
        var rowsUntilClock = 0
        reading: while true {
            switch try reader.next() {
            case .end: break reading
            case .malformed(let reason, let line, let byteCount):
                summary.rows += 1
                try reject(path, line, reason, byteCount, detail: detail(reason))
            case .record(let line, let byteCount):
                summary.rows += 1
                if reader.fieldCount == header.columnCount {
                    try readRow(reader.bytes.span, reader.fields, header, path, line, byteCount, into: &sink)
                } else {
                    try reject(
                        path, line, .badFieldCount, byteCount,
                        detail: "\(reader.fieldCount) fields, wanted \(header.columnCount)")
                }
            }
            // The clock is asked once in a thousand rows: that is every few milliseconds.
            rowsUntilClock -= 1
            if rowsUntilClock <= 0 {
                rowsUntilClock = 1000
                summary.fileBytes = bytesBefore + reader.fileBytesRead
                let now = clock.now
                if now - lastProgress >= .milliseconds(100) {
                    lastProgress = now
                    report(progress)
                }
            }
        }
        summary.fileBytes = bytesBefore + reader.fileBytesRead
        summary.files += 1
    }

    consuming func finish(_ progress: (ReadProgress) -> Void) throws(OrdersError) -> OrderSummary {
        try rejects?.finish()
        report(progress)
        return summary
    }

    private func report(_ progress: (ReadProgress) -> Void) {
        progress(
            ReadProgress(
                bytesRead: summary.fileBytes, totalBytes: totalBytes, rows: summary.rows,
                rejectedRows: summary.rejectedRows))
    }

    private func readHeader(_ reader: inout CSVRecordReader) throws(OrdersError) -> OrderHeader {
        // Told first: whatever else is wrong with such a header comes of it.
        if reader.holdsLoneCarriageReturn() { throw .loneCarriageReturn(path: reader.path) }
        switch try reader.next() {
        case .end: throw .emptyFile(path: reader.path)
        case .malformed(let reason, _, _): throw .headerMalformed(path: reader.path, reason: reason)
        case .record:
            return try OrderHeader(
                reader.bytes.span, reader.fields, fieldCount: reader.fieldCount, path: reader.path)
        }
    }

    private mutating func readRow<Sink: PurchaseSink & ~Copyable>(
        _ bytes: Span<UInt8>, _ fields: [CSVField], _ header: OrderHeader, _ path: String, _ line: Int,
        _ byteCount: Int, into sink: inout Sink
    ) throws(OrdersError) {
        let row: OrderRow
        switch OrderRow.read(bytes, fields, header) {
        case .skipped(let reason):
            summary.skipped[reason] += 1
            return
        case .rejected(let reason):
            return try reject(path, line, reason, byteCount, detail: detail(reason), bytes, fields, header)
        case .purchase(let purchase): row = purchase
        }
        if seenOrders.contains(row.orderSeq) {
            summary.skipped[.duplicateOrder] += 1
            return
        }
        if let reason = parseContents(bytes, fields, header) {
            return try reject(path, line, reason, byteCount, detail: detail(reason), bytes, fields, header)
        }
        try add(row, bytes, fields, header, path, line, byteCount, to: &sink)
    }

    private mutating func parseContents(
        _ bytes: Span<UInt8>, _ fields: [CSVField], _ header: OrderHeader
    ) -> RejectReason? {
        guard let place = header[.contents] else { preconditionFailure("BUG: a header without contents") }
        do throws(ContentsProblem) {
            try contents.parse(bytes, fields[place])
            return nil
        } catch {
            return error.reason
        }
    }

    /// Counts and adds a purchase whose contents could be read.
    private mutating func add<Sink: PurchaseSink & ~Copyable>(
        _ row: OrderRow, _ bytes: Span<UInt8>, _ fields: [CSVField], _ header: OrderHeader, _ path: String, _ line: Int,
        _ byteCount: Int, to sink: inout Sink
    ) throws(OrdersError) {
        var unusable = 0
        var firstProblem: RejectReason?
        for element in contents.elements {
            guard let problem = element.problem else { continue }
            unusable += 1
            firstProblem = firstProblem ?? problem
        }
        let lineCount = contents.elements.count - unusable
        if lineCount == 0 {
            let reason = firstProblem ?? .contentsWithoutItems
            return try reject(path, line, reason, byteCount, detail: detail(reason), bytes, fields, header)
        }
        if let firstProblem {
            for element in contents.elements {
                if let problem = element.problem { summary.rejectedLines[problem] += 1 }
            }
            try rejects?.addRow(
                file: path, line: line, reason: firstProblem,
                detail: "\(unusable) of \(contents.elements.count) items left out, the others are used",
                byteCount: byteCount, bytes, fields, header)
        }
        seenOrders.insert(row.orderSeq)
        try sink.add(row, bytes, fields, header, contents)
        summary.orders += 1
        summary.orderLines += lineCount
        summary.firstOrderSeconds = min(summary.firstOrderSeconds ?? row.regDate, row.regDate)
        summary.lastOrderSeconds = max(summary.lastOrderSeconds ?? row.regDate, row.regDate)
    }

    private mutating func reject(
        _ path: String, _ line: Int, _ reason: RejectReason, _ byteCount: Int, detail: String
    ) throws(OrdersError) {
        summary.rejected[reason] += 1
        try rejects?.addRecord(file: path, line: line, reason: reason, detail: detail, byteCount: byteCount)
    }

    private mutating func reject(
        _ path: String, _ line: Int, _ reason: RejectReason, _ byteCount: Int, detail: String, _ bytes: Span<UInt8>,
        _ fields: [CSVField], _ header: OrderHeader
    ) throws(OrdersError) {
        summary.rejected[reason] += 1
        try rejects?.addRow(
            file: path, line: line, reason: reason, detail: detail, byteCount: byteCount, bytes, fields, header)
    }

    /// What was wanted instead, never what stood there.
    private func detail(_ reason: RejectReason) -> String {
        switch reason {
        case .recordTooLong: "wanted at most \(CSVRecordReader.recordBytesMax) bytes"
        case .unterminatedQuote: "the quoted field never ends; reading went on at the next line"
        case .badQuoting: "a quote inside a quoted field is not doubled; reading went on at the next line"
        case .badFieldCount: "wanted as many fields as the header line has"
        case .badOrderSeq, .badHotelSeq, .badCustomerSeq: "wanted a whole number, not negative"
        case .badOrderPrice: "wanted a whole number"
        case .badRegDate: "wanted YYYY-MM-DD hh:mm:ss"
        case .contentsEmpty: "wanted an object or an array of objects"
        case .contentsNotUTF8: "wanted UTF-8; convert the export, for example with iconv -f CP949 -t UTF-8"
        case .contentsNotJSON: "wanted an object or an array of objects"
        case .contentsTooDeep: "wanted at most \(ContentsParser.depthMax) brackets inside one another"
        case .contentsTooManyItems: "wanted at most \(ContentsParser.elementCountMax) items"
        case .contentsWithoutItems: "the array is empty"
        case .itemWithoutID: "wanted itemSeq, a whole number, not negative"
        case .itemWithoutCount: "wanted count"
        case .badItemCount: "wanted count from 1 to \(ContentsElement.countMax)"
        }
    }
}
