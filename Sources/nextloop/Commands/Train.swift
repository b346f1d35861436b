import ArgumentParser
import FactorModel
import FoundationEssentials
import Glibc
import HotelOrders
import ModelRegistry
import Training

struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Turns order exports into a published model version.",
        discussion: """
            Reads the exports, holds back each guest's last order, trains on the rest and measures how well it ranks the \
            held-back items among the hotel's whole catalogue, beside popularity. Then trains on all orders with the same \
            settings and publishes that. Prints the new version number last.
            """)

    @Option(parsing: .upToNextOption, help: "hotel_order exports (CSV, plain or gzip).")
    var orders: [String]

    @OptionGroup var registry: RegistryOptions
    @OptionGroup var training: TrainingOptions

    @Option(help: "File for the rows that cannot be used, with reasons. Default: counted, not kept.")
    var rejects: String?

    @Option(help: "Largest share of rejected rows, 0 to 1; more stops the run with exit code 65.")
    var maxRejectShare = 0.05

    @Flag(help: "Publish without the held-back evaluation: one training run instead of two.")
    var skipEvaluation = false

    @Option(help: "Point this alias at the new version.")
    var promote: String?

    @Flag(help: "Print the result as a JSON object.")
    var json = false

    func run() throws {
        // What can be wrong with the settings is said before hours of work, not after.
        let settings = training.configuration
        try reporting { () throws(TrainingError) in try settings.validate() }
        try reporting { () throws(RegistryError) in
            try registry.opened.prepare(model: registry.model, alias: promote)
        }
        let history = try readHistory(orders, rejects: rejects, maxRejectShare: maxRejectShare)
        let evaluation = skipEvaluation ? nil : try evaluate(history, settings)
        let trained = try train(history.interactions, settings, label: "train on all orders")
        let contents = ModelContents(
            userIDs: history.userIDs, catalogue: history.catalogue, factors: trained.factors,
            interactions: history.interactions, itemPopularity: history.interactions.columnSums(),
            hotelPopularity: history.orderLineCounts.map { $0.map { Float($0) } },
            foldIn: FoldInParameters(alpha: settings.alpha, regularization: settings.regularization))
        let draft = ManifestDraft(
            training: TrainingRecord(settings, trained), data: history.dataRecord, evaluation: evaluation,
            lineage: LineageRecord(command: "train", build: BuildInfo.commit, sources: orders.map(fileName)))
        let version = try reporting { () throws(RegistryError) in
            try registry.opened.publish(
                model: registry.model, contents: contents, manifest: draft, promote: promote)
        }
        try printVersion(version, model: registry.model, promoted: promote, json: json)
    }

    /// Trains on everything but the last orders and ranks those.
    private func evaluate(_ history: OrderHistory, _ settings: ALSConfiguration) throws -> EvaluationRecord? {
        let split = history.trainingSplit()
        guard !history.heldOut.isEmpty else {
            standardError("evaluation: left out, no guest has two orders")
            return nil
        }
        let trained = try train(split, settings, label: "train without the last orders")
        let record = EvaluationRecord(
            als: evaluateRanking(
                factors: trained.factors, heldOut: history.heldOutUsers, candidateSets: history.candidateSets,
                k: evaluationDepth, threads: settings.threads),
            popularity: history.popularityMetrics, method: EvaluationRecord.leaveLastOut)
        standardError("evaluation: \(record.users) guests")
        for row in record.table { standardError("  " + row.map { $0.padded(to: 10) }.joined(separator: "  ")) }
        return record
    }

    private func train(
        _ interactions: InteractionMatrix, _ settings: ALSConfiguration, label: String
    ) throws -> TrainedFactors {
        let reporter = ProgressReporter(label)
        let trained = try reporting { () throws(TrainingError) in
            try trainALS(interactions, settings) { progress in
                let loss = progress.loss.map { ", loss \($0.short)" } ?? ""
                reporter.update(
                    fraction: Double(progress.iteration) / Double(progress.iterations),
                    detail: "iteration \(progress.iteration) of \(progress.iterations)\(loss), "
                        + "\(spokenDuration(seconds: progress.secondsLeft)) left")
            }
        }
        reporter.finish(
            "\(settings.iterations) iterations in \(spokenDuration(seconds: trained.seconds)), loss \(trained.loss.short)"
        )
        return trained
    }
}

extension Double {
    /// Six significant digits: enough to see a loss fall.
    fileprivate var short: String {
        guard isFinite, self != 0 else { return "\(self)" }
        let scale = pow(10, 5 - log10(magnitude).rounded(.down))
        let rounded = (self * scale).rounded() / scale
        return Int(exactly: rounded).map { "\($0)" } ?? "\(rounded)"
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
