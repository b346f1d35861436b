import ArgumentParser
import HotelOrders
import ModelRegistry

struct Evaluate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measures how a version ranks orders that it has not seen, beside popularity.",
        discussion: """
            Give exports from after the version was trained; a warning says when they reach back before its last order. \
            Each guest's last order in them is what should have been recommended, among the whole catalogue of its hotel. \
            Orders of guests and in hotels that the version does not know are left out and counted; items that it does \
            not know count as missed. Popularity is over all hotels: the model file does not count by hotel.
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
        let (number, manifest, snapshot) = try reporting { () throws(RegistryError) in
            let number = try registry.opened.resolve(registry.model, version.selection)
            let opened = try registry.opened.open(registry.model, version: number, threads: 1)
            return (number, opened.manifest, opened.snapshot)
        }
        let history = try readHistory(orders, rejects: nil, maxRejectShare: maxRejectShare)
        let trainedUntil = manifest.data?.lastOrderAt
        let guests = history.heldOut.count + history.onlyOrders.count
        guard
            let evaluation = VersionEvaluation(snapshot, version: number, trainedUntil: trainedUntil, on: history)
        else {
            throw CommandFailure(
                .badData,
                "nothing to measure: none of the \(guests) guests' last orders is of a guest and in a hotel that version "
                    + "\(number) knows; wanted exports of the same hotels")
        }
        report(evaluation, guests: guests, firstOrderAt: history.summary.firstOrderAt, trainedUntil: trainedUntil)
        if json {
            try printJSON(evaluation)
        } else {
            printColumns(evaluation.ranking.table)
        }
    }

    /// What the figures rest on, for the reader of stderr.
    private func report(_ evaluation: VersionEvaluation, guests: Int, firstOrderAt: String?, trainedUntil: String?) {
        standardError(
            "\(evaluation.ranking.users) of \(guests) guests measured on version \(evaluation.version); left out: "
                + "\(evaluation.guestsLeftOut) guests and \(evaluation.hotelsLeftOut) orders in hotels that it does not "
                + "know; counted as missed: \(evaluation.itemsMissed) items that it does not know")
        switch evaluation.seenInTraining {
        case true?:
            standardError(
                "warning: these orders begin at \(firstOrderAt ?? "an unknown time"), and version \(evaluation.version) was "
                    + "trained on orders up to \(trainedUntil ?? "an unknown time"): it may have learned what it is asked, "
                    + "and the figures are then too good; wanted orders from after that")
        case nil:
            standardError(
                "note: the manifest of version \(evaluation.version) does not say up to when it was trained: whether it "
                    + "learned from these orders is not known")
        case false?: break
        }
    }
}

/// Reads exports with a progress bar and prints the summary to stderr.
func readHistory(_ paths: [String], rejects: String?, maxRejectShare: Double) throws -> OrderHistory {
    let reporter = ProgressReporter("orders")
    let history = try reporting { () throws(OrdersError) in
        try readOrders(paths: paths, rejectsPath: rejects, maxRejectShare: maxRejectShare) { progress in
            reporter.update(
                fraction: progress.fraction,
                detail: "\(progress.rows) rows, \(progress.rejectedRows) rejected")
        }
    }
    reporter.finish("\(history.summary.rows) rows read")
    standardError(history.summary.description)
    return history
}
