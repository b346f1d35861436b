/// Reads hotel_order exports and writes what training sees of them: one CSV line for each order line.
///
/// The rows that count, and the ones that are skipped and rejected, are those of `readOrders`. The files are read twice:
/// a missing complete period becomes the median of all others, which is known only after the last row. Lines come in the
/// order of the paths and of the rows in them.
///
/// - Parameters:
///   - output: `-` for standard output; compressed when it ends in `.gz`. A regular file appears complete or not at all.
///   - rejectsPath: as for `readOrders`; written by the first reading, also when an error for too many rejects follows.
///   - progress: called about ten times a second, and at the end of each reading; bytes are counted over both.
/// - Returns: what was read; the counts that only training has (users, items, hotels, interactions) are 0.
/// - Throws: `OrdersError`; nothing is written to `output` when too many rows are rejected. `.changedWhileReading` when the
///   second reading finds other rows, as in a file that is still being written; `.outputClosed` when the reader of
///   standard output has gone.
/// - Complexity: time linear in the text, twice; memory one bit an order and the 512 KB of the median.
package func writeOrderLines(
    of paths: [String], to output: String, rejectsPath: String? = nil, maxRejectShare: Double = 0.05,
    progress: (ReadProgress) -> Void = { _ in }
) throws(OrdersError) -> OrderSummary {
    try checkFiles(paths, output: output, rejectsPath: rejectsPath)
    var periods = CompletePeriods()
    let summary = try readPurchases(
        paths: paths, rejectsPath: rejectsPath, maxRejectShare: maxRejectShare, into: &periods,
        progress: { progress($0.of(readings: 2, done: 0)) })
    return try withoutBrokenPipeSignal(path: output) { () throws(OrdersError) in
        var file = try OrderLinesFile(path: output, completePeriodMedian: periods.median.median)
        let again = try readPurchases(
            paths: paths, rejectsPath: nil, maxRejectShare: 1, into: &file,
            progress: { progress($0.of(readings: 2, done: 1)) })
        guard again == summary else { throw .changedWhileReading(paths: paths) }
        try file.finish()
        return summary
    }
}

/// The first reading: only the periods count.
private struct CompletePeriods: PurchaseSink {
    var median = CompletePeriodMedian()

    mutating func add(_: OrderRow, _: Span<UInt8>, _: [CSVField], _: OrderHeader, _ contents: ContentsParser) {
        for element in contents.elements where element.problem == nil {
            if let period = element.completePeriod.value { median.add(period) }
        }
    }
}

/// What would be lost or could not work is refused before anything is read.
private func checkFiles(_ paths: [String], output: String, rejectsPath: String?) throws(OrdersError) {
    for path in paths where try !InputFile.isRegular(path) {
        throw .invalidSetting(
            name: "an orders file", got: "\(path), which cannot be read twice", wanted: "a regular file")
    }
    if paths.contains(where: { InputFile.areSame($0, output) }) {
        throw .invalidSetting(name: "the output", got: output, wanted: "another file than the orders")
    }
    if let rejectsPath, rejectsPath == output || InputFile.areSame(rejectsPath, output) {
        throw .invalidSetting(name: "the output", got: output, wanted: "another file than the rejects")
    }
}

extension ReadProgress {
    /// Progress of one of several equal readings as progress of the whole.
    fileprivate func of(readings: Int, done: Int) -> ReadProgress {
        guard let totalBytes else { return self }
        // A file that grows must not take what belongs to the next reading.
        return ReadProgress(
            bytesRead: done * totalBytes + min(bytesRead, totalBytes), totalBytes: readings * totalBytes, rows: rows,
            rejectedRows: rejectedRows)
    }
}
