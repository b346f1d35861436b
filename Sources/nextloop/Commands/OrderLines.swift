import ArgumentParser
import HotelOrders

struct OrderLines: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "order-lines",
        abstract: "Writes the order lines that training sees as CSV, for use elsewhere.",
        discussion: """
            One line for each item of an order that counts: the columns of the export without the names of guests and \
            rooms, then the item, its count, prices and periods, the length of the stay and the spending per visitor. Rows \
            are skipped and rejected as by train. The files are read twice: a missing complete_period is the median of \
            the others.
            """)

    @Option(parsing: .upToNextOption, help: "hotel_order exports (CSV, plain or gzip).")
    var orders: [String]

    @Option(help: "CSV file to write, gzipped when its name ends in .gz; - is standard output.")
    var output: String

    @Option(help: "File for the rows that cannot be used, with reasons. Default: counted, not kept.")
    var rejects: String?

    @Option(help: "Largest share of rejected rows, 0 to 1; more stops the run with exit code 65.")
    var maxRejectShare = 0.05

    func run() throws {
        let reporter = ProgressReporter("order lines")
        let summary = try reporting { () throws(OrdersError) in
            try writeOrderLines(of: orders, to: output, rejectsPath: rejects, maxRejectShare: maxRejectShare) {
                progress in
                reporter.update(
                    fraction: progress.fraction,
                    detail: "\(progress.rows) rows, \(progress.rejectedRows) rejected")
            }
        }
        reporter.finish("\(summary.orderLines) lines written")
        standardError(summary.description)
    }
}
