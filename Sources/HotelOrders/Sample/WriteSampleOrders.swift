/// How large a synthetic export is and how messy.
package struct SampleOrdersConfiguration: Equatable, Sendable {
    /// Guests who may come; with few orders not all of them do.
    package var customers: Int
    /// Rows, those included that are cancelled, free or unusable.
    package var orders: Int
    package var seed: UInt64
    /// Share of rows with contents that are encoded oddly but readable; a fifth of it more are unusable.
    package var messRate: Double

    package static let customersRange = 1...100_000_000
    package static let ordersRange = 1...100_000_000
    package static let messRateRange = 0.0...1.0

    package init(customers: Int, orders: Int, seed: UInt64, messRate: Double = 0.02) {
        self.customers = customers
        self.orders = orders
        self.seed = seed
        self.messRate = messRate
    }
}

/// Writes a synthetic hotel_order export: the same configuration gives the same bytes on every machine.
///
/// Five invented hotels, two years from 2023-01-01, rows in the order in which they were placed. Guests have hidden
/// tastes, favourites they come back to, and a hotel they return to.
///
/// - Parameters:
///   - path: `-` for standard output; compressed when it ends in `.gz` (equal bytes then need an equal zlib). A regular
///     file appears complete or not at all.
///   - progress: called with the number of rows written, once a simulated day.
/// - Throws: `OrdersError`; `.outputClosed` when the reader of standard output has gone.
/// - Complexity: time linear in the rows; memory constant but for a week's orders, see `SampleSchedule`.
package func writeSampleOrders(
    _ configuration: SampleOrdersConfiguration, to path: String, progress: (Int) -> Void = { _ in }
) throws(OrdersError) {
    try check(configuration)
    try withoutBrokenPipeSignal(path: path) { () throws(OrdersError) in
        try writeRows(configuration, to: path, progress)
    }
}

private func writeRows(
    _ configuration: SampleOrdersConfiguration, to path: String, _ progress: (Int) -> Void
) throws(OrdersError) {
    var output = try OutputFile(path: path, gzip: path.hasSuffix(".gz"), permissions: 0o644)
    try output.append { $0.append(contentsOf: SampleRowWriter.header.utf8) }
    let world = SampleWorld(seed: configuration.seed, customers: configuration.customers)
    var schedule = SampleSchedule(world: world, orderCount: configuration.orders)
    var writer = SampleRowWriter(world: world, messRate: configuration.messRate)
    var written = 0
    while let orders = schedule.nextDay() {
        for order in orders {
            written += 1
            try output.append { writer.append(order, orderSeq: 100_000 + written, to: &$0) }
        }
        progress(written)
    }
    precondition(written == configuration.orders, "BUG: \(written) rows scheduled of \(configuration.orders)")
    try output.finish()
}

private func check(_ configuration: SampleOrdersConfiguration) throws(OrdersError) {
    func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws(OrdersError) {
        if !range.contains(value) {
            throw .invalidSetting(name: name, got: "\(value)", wanted: "\(range.lowerBound) to \(range.upperBound)")
        }
    }
    try check("the number of customers", configuration.customers, SampleOrdersConfiguration.customersRange)
    try check("the number of orders", configuration.orders, SampleOrdersConfiguration.ordersRange)
    if !SampleOrdersConfiguration.messRateRange.contains(configuration.messRate) {
        throw .invalidSetting(name: "the mess rate", got: "\(configuration.messRate)", wanted: "0 to 1")
    }
}
