import ArgumentParser
import HotelOrders
import ModelRegistry

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measures how a version ranks orders that it has not seen, beside popularity.",
        discussion: """
            Give exports from after the version was trained. Each guest's last order in them is what should have been \
            recommended, among the whole catalogue of its hotel. Guests, hotels and items that the version does not know \
            are left out and counted.
            """)

    @OptionGroup var registry: RegistryOptions
    @OptionGroup var version: VersionOptions

    @Option(parsing: .upToNextOption, help: "hotel_order exports (CSV, plain or gzip).")
    var orders: [String]

    @Option(help: "Largest share of rejected rows, 0 to 1; more stops the run with exit code 65.")
    var maxRejectShare = 0.05

    @Flag(help: "Print the figures as a JSON object.")
    var json = false

    func run() throws {
        let (number, snapshot) = try reporting { () throws(RegistryError) in
            let number = try registry.opened.resolve(registry.model, version.selection)
            return (number, try registry.opened.open(registry.model, version: number, threads: 1).snapshot)
        }
        let history = try readHistory(orders, rejects: nil, maxRejectShare: maxRejectShare)
        let lastOrders = history.heldOut + history.onlyOrders
        guard let record = evaluate(snapshot, on: history, lastOrders: lastOrders) else {
            throw CommandFailure(
                .badData,
                "nothing to measure: none of the \(lastOrders.count) guests' last orders is of a guest, a hotel and an item "
                    + "that version \(number) knows; wanted exports of the same hotels")
        }
        standardError("\(record.users) of \(lastOrders.count) guests measured on version \(number)")
        if json {
            try printJSON(record)
        } else {
            printColumns(record.table)
        }
    }
}

/// Reads exports with a progress bar and prints the summary to stderr.
func readHistory(_ paths: [String], rejects: String?, maxRejectShare: Double) throws -> OrderHistory {
    let reporter = ProgressReporter("orders")
    let history = try reporting { () throws(OrdersError) in
        try readOrders(paths: paths, rejectsPath: rejects, maxRejectShare: maxRejectShare) { progress in
            reporter.update(
                fraction: progress.totalBytes > 0 ? Double(progress.bytesRead) / Double(progress.totalBytes) : nil,
                detail: "\(progress.rows) rows, \(progress.rejectedRows) rejected")
        }
    }
    reporter.finish("\(history.summary.rows) rows read")
    standardError(history.summary.description)
    return history
}
