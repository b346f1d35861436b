/// What was read and what became of it.
package struct OrderSummary: Equatable, Sendable {
    package internal(set) var files = 0
    /// Bytes of the files themselves: compressed bytes of gzip files.
    package internal(set) var fileBytes = 0
    /// Data rows, unusable ones too.
    package internal(set) var rows = 0
    /// Rows that became at least one order line.
    package internal(set) var orders = 0
    package internal(set) var orderLines = 0
    /// Rows that are no purchases.
    package internal(set) var skipped = ReasonCounts<SkipReason>()
    /// Rows that cannot be used.
    package internal(set) var rejected = ReasonCounts<RejectReason>()
    /// Unusable elements of rows that were used.
    package internal(set) var rejectedLines = ReasonCounts<RejectReason>()
    package internal(set) var users = 0
    package internal(set) var items = 0
    package internal(set) var hotels = 0
    package internal(set) var interactions = 0
    /// Users whose last order is held out.
    package internal(set) var heldOutOrders = 0
    /// Seconds since 1970 on the hotels' clocks; nil when no order was kept.
    package internal(set) var firstOrderSeconds: Int64?
    package internal(set) var lastOrderSeconds: Int64?

    package init() {}

    package var rejectedRows: Int { rejected.total }
    /// Rejected rows among all rows; 0 when there are none.
    package var rejectShare: Double { rows == 0 ? 0 : Double(rejectedRows) / Double(rows) }
    /// `YYYY-MM-DD hh:mm:ss`.
    package var firstOrderAt: String? { firstOrderSeconds.map { CivilTime.text(seconds: $0) } }
    package var lastOrderAt: String? { lastOrderSeconds.map { CivilTime.text(seconds: $0) } }

    /// The reason most rows were rejected for, the first declared of equals.
    package var commonestReject: RejectReason? {
        var best: RejectReason?
        for (reason, count) in rejected.nonZero where count > best.map({ rejected[$0] }) ?? 0 { best = reason }
        return best
    }
}

extension OrderSummary: CustomStringConvertible {
    /// A table of counts, one a line, without a line end after the last.
    package var description: String {
        var rows: [(label: String, value: String)] = [
            ("files", String(files)), ("rows", String(self.rows)), ("orders kept", String(orders)),
            ("order lines", String(orderLines)), ("rows skipped", String(skipped.total)),
        ]
        rows += skipped.nonZero.map { ("  " + $0.reason.label, String($0.count)) }
        rows.append(("rows rejected", String(rejectedRows)))
        rows += rejected.nonZero.map { ("  " + $0.reason.label, String($0.count)) }
        if rejectedLines.total > 0 {
            rows.append(("lines rejected in kept rows", String(rejectedLines.total)))
            rows += rejectedLines.nonZero.map { ("  " + $0.reason.label, String($0.count)) }
        }
        // Counted by training only: no order is kept without a guest.
        if users > 0 {
            rows += [
                ("guests", String(users)), ("items", String(items)), ("hotels", String(hotels)),
                ("interactions", String(interactions)), ("last orders held out", String(heldOutOrders)),
            ]
        }
        if let firstOrderAt, let lastOrderAt {
            rows += [("first order", firstOrderAt), ("last order", lastOrderAt)]
        }
        let labelWidth = rows.map(\.label.utf8.count).max() ?? 0
        let valueWidth = rows.map(\.value.utf8.count).max() ?? 0
        return rows.map { label, value in
            label + String(repeating: " ", count: labelWidth - label.utf8.count + 2)
                + String(repeating: " ", count: valueWidth - value.utf8.count) + value
        }.joined(separator: "\n")
    }
}
