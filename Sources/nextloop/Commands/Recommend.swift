import ArgumentParser
import FactorModel
import Foundation
import HTTPMessages
import ModelRegistry
import RecommendService

struct Recommend: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recommend",
        abstract: "The answer of GET /recommend on the command line, as a table or JSON.")

    @OptionGroup var registry: RegistryOptions
    @OptionGroup var version: VersionOptions

    @Option(help: "User id, 1 to 256 bytes.")
    var user: String

    @Option(name: [.customShort("k"), .customLong("k")], help: "Items, 1 to 1000.")
    var k = 10

    @Option(help: "Ranks to skip, 0 to 10000.")
    var offset = 0

    @Option(help: "Only items that this hotel sells; repeatable.")
    var hotel: [String] = []

    @Flag(help: "Leave out what the user already ordered.")
    var excludeSeen = false

    @Flag(help: "Fail with exit code 66 for an unknown user instead of falling back.")
    var strict = false

    @Flag(help: "Print the same JSON as the server.")
    var json = false

    func validate() throws {
        guard (1...ModelLimits.idBytesMax).contains(user.utf8.count) else {
            throw ValidationError("--user has \(user.utf8.count) bytes; wanted 1 to \(ModelLimits.idBytesMax).")
        }
        guard (1...1000).contains(k) else { throw ValidationError("-k is \(k); wanted 1 to 1000.") }
        guard (0...10_000).contains(offset) else { throw ValidationError("--offset is \(offset); wanted 0 to 10000.") }
    }

    func run() throws {
        let (number, snapshot) = try reporting { () throws(RegistryError) in
            let number = try registry.opened.resolve(registry.model, version.selection)
            return (number, try registry.opened.open(registry.model, version: number, threads: 1).snapshot)
        }
        let known = snapshot.user(id: user)
        if known == nil, strict {
            throw CommandFailure(
                .inputMissing, "version \(number) holds no user '\(user)', and --strict asks for no fallback")
        }
        let query = RecommendationQuery(
            user: known, k: k, offset: offset,
            hotels: hotel.isEmpty ? nil : hotel.compactMap { snapshot.hotel(id: $0) }, excludeSeen: excludeSeen)
        for id in hotel where snapshot.hotel(id: id) == nil {
            standardError("note: version \(number) knows no hotel '\(withoutControls(id))', so it matches nothing")
        }
        let ranked = RecommendationScratch()
        let outcome = snapshot.recommend(query, scratch: ranked)
        if json {
            printJSON(outcome, ranked, snapshot, version: number)
        } else {
            printTable(outcome, ranked, snapshot, version: number)
        }
    }

    private func printJSON(
        _ outcome: RecommendationOutcome, _ ranked: RecommendationScratch, _ snapshot: ModelSnapshot, version: Int
    ) {
        var body = ByteBuffer(capacity: 4096)
        writeRecommendation(
            outcome, ranked, userID: user.utf8.span, model: registry.model, version: version, snapshot: snapshot,
            requestID: newRequestID(), into: &body)
        let text = body.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
        standardOutput(text)
    }

    private func printTable(
        _ outcome: RecommendationOutcome, _ ranked: RecommendationScratch, _ snapshot: ModelSnapshot, version: Int
    ) {
        let reason = outcome.fallbackReason.map { " (\($0.rawValue))" } ?? ""
        standardOutput(
            "user \(withoutControls(user)), \(registry.model) version \(version), strategy \(outcome.strategy.rawValue)\(reason)\n"
        )
        var rows = [["rank", "item", "score", "price", "name"]]
        for rank in 0..<ranked.count {
            let entry = ranked[rank]
            rows.append([
                String(offset + rank + 1), snapshot.withItemID(entry.item, text), entry.score.description,
                snapshot.price(entry.item).map(String.init) ?? "-", snapshot.withItemName(entry.item, text),
            ])
        }
        printColumns(rows)
    }

    private func text(_ bytes: Span<UInt8>) -> String {
        String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
    }
}
