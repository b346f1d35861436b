import ArgumentParser
import HotelOrders

struct SampleOrders: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample-orders",
        abstract: "Writes a realistic synthetic hotel_order export, mess included; same seed, same bytes.")

    @Option(help: "Guests, \(spoken(SampleOrdersConfiguration.customersRange)).")
    var customers = 4000

    @Option(help: "Rows, \(spoken(SampleOrdersConfiguration.ordersRange)).")
    var orders = 60_000

    @Option(help: "Seed of every random choice.")
    var seed: UInt64 = 1

    @Option(help: "Share of rows written in one of the messy forms that real exports have, 0 to 1.")
    var messRate = 0.02

    @Option(help: "CSV file to write, gzipped when its name ends in .gz; - is standard output.")
    var output: String

    func run() throws {
        let configuration = SampleOrdersConfiguration(
            customers: customers, orders: orders, seed: seed, messRate: messRate)
        let reporter = ProgressReporter("sample orders")
        try reporting { () throws(OrdersError) in
            try writeSampleOrders(configuration, to: output) { written in
                reporter.update(fraction: Double(written) / Double(orders), detail: "\(written) of \(orders) rows")
            }
        }
        reporter.finish("\(orders) rows written")
    }
}

/// `1 to 100000000`: bounds as the options' help says them.
private func spoken(_ bounds: ClosedRange<Int>) -> String { "\(bounds.lowerBound) to \(bounds.upperBound)" }
