import ArgumentParser
import FactorModel
import ModelRegistry

struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Publishes factors that were trained elsewhere.",
        discussion: """
            Ids come one a line, in the order of the factor rows. items.csv has the columns \
            item_id,name,price,department_id,hotel_ids (hotel ids joined by |), interactions.csv user_id,item_id,value. \
            Prints the new version number last.
            """)

    @OptionGroup var registry: RegistryOptions

    @Option(help: ".npy file of the user factors, [users x factors].")
    var userFactors: String?

    @Option(help: ".npy file of the item factors, [items x factors].")
    var itemFactors: String?

    @Option(help: ".npz file saved by the Python library implicit; instead of the two .npy files.")
    var implicit: String?

    @Option(help: "File of user ids.")
    var userIds: String

    @Option(help: "File of item ids.")
    var itemIds: String

    @Option(help: "CSV of names, prices, departments and hotels. Default: none are known.")
    var items: String?

    @Option(help: "CSV of who took what, for popularity and exclude_seen. Default: no history.")
    var interactions: String?

    @Option(
        help: """
            Alpha that the .npy factors were trained with, confidence 1 + alpha * value. With --regularization it lets baskets \
            be folded in and scores be explained. A file of implicit says its own.
            """)
    var alpha: Float?

    @Option(help: "Lambda that the .npy factors were trained with, not scaled by interactions.")
    var regularization: Float?

    @Option(help: "Point this alias at the new version.")
    var promote: String?

    @Flag(help: "Print the result as a JSON object.")
    var json = false

    func validate() throws {
        let arrays = [userFactors, itemFactors].compactMap { $0 }.count
        guard (implicit == nil && arrays == 2) || (implicit != nil && arrays == 0) else {
            throw ValidationError("Wanted --user-factors and --item-factors, or --implicit alone.")
        }
        guard (alpha == nil) == (regularization == nil), implicit == nil || alpha == nil else {
            throw ValidationError("Wanted --alpha and --regularization together and with .npy files, or neither.")
        }
        if let reason = foldIn?.badness { throw ValidationError("--alpha and --regularization: \(reason).") }
    }

    func run() throws {
        try reporting { () throws(RegistryError) in
            try registry.opened.prepare(model: registry.model, alias: promote)
        }
        let imported = try reporting { () throws(ImportError) in
            try importModel(
                ImportFiles(
                    factors: factorFiles, userIDs: userIds, itemIDs: itemIds, items: items, interactions: interactions,
                    foldIn: foldIn))
        }
        warn(imported.warnings)
        let sources = [userFactors, itemFactors, implicit, userIds, itemIds, items, interactions]
        let draft = ManifestDraft(
            training: imported.implicitSettings.map { TrainingRecord($0, imported.contents.factors) },
            lineage: LineageRecord(
                command: "import", build: BuildInfo.commit, sources: sources.compactMap { $0.map(fileName) }))
        let version = try reporting { () throws(RegistryError) in
            try registry.opened.publish(
                model: registry.model, contents: imported.contents, manifest: draft, promote: promote)
        }
        try printVersion(version, model: registry.model, promoted: promote, json: json)
    }

    private var foldIn: FoldInParameters? {
        guard let alpha, let regularization else { return nil }
        return FoldInParameters(alpha: alpha, regularization: regularization)
    }

    private var factorFiles: ImportFiles.FactorFiles {
        if let implicit { return .implicit(implicit) }
        return .arrays(userFactors: userFactors ?? "", itemFactors: itemFactors ?? "")
    }

    private func warn(_ warnings: ImportedModel.Warnings) {
        for (count, what) in [
            (warnings.usersWithoutFactors, "users have a vector of zeros and will get what is popular"),
            (warnings.unknownItems, "rows of items.csv are of items without factors and were left out"),
            (warnings.undescribedItems, "items are not in items.csv: no name, no price, sold in no hotel"),
            (warnings.repeatedInteractions, "lines of interactions.csv repeat a user and an item and were added up"),
        ] where count > 0 {
            standardError("note: \(count) \(what)")
        }
    }
}

extension TrainingRecord {
    fileprivate init(_ settings: ImplicitModelFile.Settings, _ factors: Factors) {
        self.init(algorithm: "ALS by the Python library implicit", factors: factors.factorCount)
        iterations = settings.iterations
        regularization = settings.regularization
        alpha = settings.alpha
    }
}
