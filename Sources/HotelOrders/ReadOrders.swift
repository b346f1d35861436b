/// How far reading is.
package struct ReadProgress: Equatable, Sendable {
    /// Bytes of the files, compressed where they are.
    package let bytesRead: Int
    /// Of all files, as they were when reading began; nil when one of them has no size, as a pipe has none.
    package let totalBytes: Int?
    package let rows: Int
    package let rejectedRows: Int

    /// The share that is read, 0 to 1; nil when the end is not known. A file that grows meanwhile is read to where it ends by then, and
    /// stands at 1 from where it ended before.
    package var fraction: Double? {
        guard let totalBytes, totalBytes > 0 else { return nil }
        return Double(min(bytesRead, totalBytes)) / Double(totalBytes)
    }
}

/// Reads hotel_order exports, plain or gzip, into what training needs.
///
/// Files are taken in the order of their paths, whatever the order given: the same files give the same history and the
/// same rejects file. An order that several exports hold counts once, as soon as one of them shows it as a purchase.
/// Reading goes on to the end however many rows are rejected, so that the whole summary is there.
///
/// - Parameters:
///   - rejectsPath: where the rejects file goes; it is written, with its header at least, whenever the files could be
///     read to the end, also when an error for too many rejects follows.
///   - maxRejectShare: 0 to 1; more rejected rows among all rows than this is an error.
///   - progress: called about ten times a second, and once at the end.
/// - Throws: `OrdersError`; after one no half-written file is left.
/// - Complexity: time linear in the text; memory in interactions, users and items, not in the text.
package func readOrders(
    paths: [String], rejectsPath: String? = nil, maxRejectShare: Double = 0.05,
    progress: (ReadProgress) -> Void = { _ in }
) throws(OrdersError) -> OrderHistory {
    var builder = HistoryBuilder()
    let summary = try readPurchases(
        paths: paths, rejectsPath: rejectsPath, maxRejectShare: maxRejectShare, into: &builder, progress: progress)
    return builder.finish(summary)
}
