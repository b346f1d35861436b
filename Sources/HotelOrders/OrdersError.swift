import FactorModel

/// Why orders could not be read or written. Rows that cannot be used are not errors: they are counted.
package enum OrdersError: Error, Equatable, Sendable {
    /// What kind of failure it is, for the exit status: 64, 66, 65, 74.
    package enum Kind: Sendable { case usage, inputMissing, badData, io }

    case invalidSetting(name: String, got: String, wanted: String)
    case noInput
    case fileMissing(path: String)
    case unreadable(path: String, operation: String, code: Int32)
    case emptyFile(path: String)
    case headerMalformed(path: String, reason: RejectReason)
    /// Not one known column: the header line is probably missing. What the line says is not repeated, it may be a guest.
    case headerMissing(path: String, fieldCount: Int)
    case columnsMissing(path: String, missing: [String], found: [String])
    /// A carriage return inside the first line: lines that end with it alone.
    case loneCarriageReturn(path: String)
    case columnRepeated(path: String, name: String)
    case tooManyColumns(path: String, found: Int, limit: Int)
    case gzipCorrupt(path: String, detail: String)
    case gzipTruncated(path: String)
    case tooManyRejects(summary: OrderSummary, maxRejectShare: Double, rejectsPath: String?)
    case nothingKept(summary: OrderSummary, rejectsPath: String?)
    /// Two readings of the same files gave different rows.
    case changedWhileReading(paths: [String])
    case unwritable(path: String, operation: String, code: Int32)
    /// The program that read our standard output has gone.
    case outputClosed

    package var kind: Kind {
        switch self {
        case .invalidSetting, .noInput: .usage
        case .fileMissing: .inputMissing
        case .emptyFile, .headerMalformed, .headerMissing, .columnsMissing, .loneCarriageReturn, .columnRepeated,
            .tooManyColumns, .gzipCorrupt, .gzipTruncated, .tooManyRejects, .nothingKept:
            .badData
        case .unreadable, .changedWhileReading, .unwritable, .outputClosed: .io
        }
    }
}

extension OrdersError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidSetting(let name, let got, let wanted): "\(name) is \(got), wanted \(wanted)"
        case .noInput: "no orders file given; wanted at least one hotel_order export"
        case .fileMissing(let path): "\(path): no such file"
        case .unreadable(let path, let operation, let code):
            "\(path): cannot \(operation): \(systemMessage(code))"
        case .emptyFile(let path):
            "\(path): is empty, wanted a header line with \(OrderColumn.required.map(\.name).joined(separator: ", "))"
        case .headerMalformed(let path, let reason):
            "\(path): line 1: the header line cannot be read (\(reason.label))"
        case .headerMissing(let path, let fieldCount):
            "\(path): line 1: none of its \(fieldCount) fields is a known column name, wanted a header line with "
                + OrderColumn.required.map(\.name).joined(separator: ", ")
                + " separated by commas; export the table with its column names"
        case .columnsMissing(let path, let missing, let found):
            "\(path): line 1: required column missing: \(missing.joined(separator: ", ")); found "
                + found.joined(separator: ", ")
        case .loneCarriageReturn(let path):
            "\(path): line 1: a carriage return that no line feed follows, wanted lines that end with LF or CRLF; "
                + "turn them with: tr '\\r' '\\n' < FILE"
        case .columnRepeated(let path, let name): "\(path): line 1: column \(name) appears twice, wanted it once"
        case .tooManyColumns(let path, let found, let limit):
            "\(path): line 1: \(found) columns, wanted at most \(limit)"
        case .gzipCorrupt(let path, let detail):
            "\(path): the gzip data is damaged (\(detail)); export or copy the file again"
        case .gzipTruncated(let path):
            "\(path): the gzip data ends too early; export or copy the file again"
        case .tooManyRejects(let summary, let maxRejectShare, let rejectsPath):
            "\(summary.rejectedRows) of \(summary.rows) rows rejected (\(percent(summary.rejectShare))), wanted at most "
                + "\(percent(maxRejectShare)); most often \(summary.commonestReject?.label ?? "none")"
                + nextStep(rejectsPath)
        case .nothingKept(let summary, let rejectsPath):
            "no order is left to learn from: \(summary.rows) rows read, \(summary.skipped.total) skipped, "
                + "\(summary.rejectedRows) rejected" + nextStep(rejectsPath)
        case .changedWhileReading(let paths):
            "\(paths.joined(separator: ", ")): changed while it was read; wait until the export is complete and try again"
        case .unwritable(let path, let operation, let code):
            "\(path): cannot \(operation): \(systemMessage(code))"
        case .outputClosed: "standard output was closed before everything was written"
        }
    }

    private func nextStep(_ rejectsPath: String?) -> String {
        if let rejectsPath { return "; see \(rejectsPath)" }
        return "; name a rejects file to see each row and its reason"
    }

    private func percent(_ share: Double) -> String {
        // Hundredths of a percent, rounded up, so that a share just above a limit never prints as the limit.
        let hundredths = Int((share * 10_000).rounded(.up))
        let rest = hundredths % 100
        return rest == 0 ? "\(hundredths / 100) %" : "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) %"
    }
}
