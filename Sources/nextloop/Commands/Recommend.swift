import ArgumentParser
import FactorModel
import FoundationEssentials
import HTTPMessages
import ModelRegistry
import RecommendService

struct Recommend: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recommend",
        abstract: "The answer of POST /recommend on the command line, as a table or JSON.",
        // Written out: of so many options the parser's own would name only the required ones, and the environment's lists are
        // read off it.
        usage: """
            nextloop recommend --registry <registry> --model <model> [--alias <alias> | --version <version>] --user <user> \
            [-k <k>] [--offset <offset>] [--hotel <hotel> ...] [--department <department> ...] [--min-price <min-price>] \
            [--max-price <max-price>] [--allow <allow> ...] [--deny <deny> ...] [--basket <item[:count]> ...] \
            [--exclude-seen] [--strict] [--explain] [--json]
            """,
        discussion: """
            Items that are taken from sale are left out, as by a server that starts now: a list of them that cannot be read is told, and \
            leaves nothing out.
            """)

    @OptionGroup var registry: RegistryOptions
    @OptionGroup var version: VersionOptions
    @OptionGroup var options: RecommendOptions

    @Flag(help: "Print the same JSON as the server.")
    var json = false

    func run() throws {
        let (number, snapshot) = try reporting { () throws(RegistryError) in
            let number = try registry.opened.resolve(registry.model, version.selection)
            return (number, try registry.opened.open(registry.model, version: number, threads: 1).snapshot)
        }
        let marks = unavailableItems()
        let request = try reporting { () throws(Problem) in
            try options.object().withBytes { object throws(Problem) in
                try RecommendationRequest(object: object, snapshot, without: marks)
            }
        }
        tellUnknown("hotel", options.hotel, number) { snapshot.hotel(id: $0) == nil }
        tellUnknown("department", options.department, number) { snapshot.department(id: $0) == nil }
        let ranked = RecommendationScratch()
        let outcome = snapshot.recommend(request.query, scratch: ranked)
        if json {
            printJSON(outcome, ranked, snapshot, version: number)
        } else {
            printTable(outcome, ranked, snapshot, version: number)
        }
    }

    /// The marks that are in force now.
    private func unavailableItems() -> [UnavailableItem] {
        do throws(RegistryError) {
            let now = Date()
            return try registry.opened.unavailableItems(of: registry.model).filter { !$0.isOver(at: now) }
        } catch {
            standardError("warning: \(registry.model): the unavailable items cannot be read: \(error)")
            return []
        }
    }

    /// An id that the model does not know is a filter that nothing passes, and no error: the server's rule. Here somebody can be told.
    private func tellUnknown(_ kind: String, _ ids: [String], _ version: Int, _ isUnknown: (String) -> Bool) {
        for id in ids where isUnknown(id) {
            standardError("note: version \(version) knows no \(kind) '\(withoutControls(id))', so it matches nothing")
        }
    }

    private func printJSON(
        _ outcome: RecommendationOutcome, _ ranked: RecommendationScratch, _ snapshot: ModelSnapshot, version: Int
    ) {
        var body = ByteBuffer(capacity: 4096)
        writeRecommendation(
            outcome, ranked, userID: options.user.utf8.span, explains: options.explain, model: registry.model,
            version: version, snapshot: snapshot, requestID: newRequestID(), into: &body)
        standardOutput(body.withBytes(text))
    }

    private func printTable(
        _ outcome: RecommendationOutcome, _ ranked: RecommendationScratch, _ snapshot: ModelSnapshot, version: Int
    ) {
        let reason = outcome.fallbackReason.map { " (\($0.rawValue))" } ?? ""
        standardOutput(
            "user \(withoutControls(options.user)), \(registry.model) version \(version), strategy \(outcome.strategy.rawValue)\(reason)\n"
        )
        var rows = [["rank", "item", "score", "price", "name"] + (options.explain ? ["because"] : [])]
        for rank in 0..<ranked.count {
            let entry = ranked[rank]
            var row = [
                String(options.offset + rank + 1), snapshot.withItemID(entry.item, text), entry.score.description,
                snapshot.price(entry.item).map(String.init) ?? "-", snapshot.withItemName(entry.item, text),
            ]
            if options.explain { row.append(because(entry.item, ranked, snapshot)) }
            rows.append(row)
        }
        printColumns(rows)
    }

    /// The three items that carried most of a score, as `310 +0.42`.
    private func because(_ item: ItemIndex, _ ranked: RecommendationScratch, _ snapshot: ModelSnapshot) -> String {
        snapshot.explain(item: item, scratch: ranked).prefix(3).map { entry in
            "\(snapshot.withItemID(entry.item, text)) \(entry.contribution < 0 ? "" : "+")\(entry.contribution)"
        }.joined(separator: ", ")
    }

    private func text(_ bytes: Span<UInt8>) -> String {
        String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}
