import ArgumentParser
import HotelOrders

struct SampleOrders: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sample-orders",
        abstract: "Writes a realistic synthetic hotel_order export, mess included; same seed, same bytes.")

    @Option(help: "Guests, 1 to 100,000,000.")
    var customers = 4000

    @Option(help: "Rows, 0 to 1,000,000,000.")
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
        try reporting { () throws(OrdersError) in try writeSampleOrders(configuration, to: output) }
    }
}
