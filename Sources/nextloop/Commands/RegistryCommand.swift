import ArgumentParser
import FoundationEssentials
import ModelRegistry

struct RegistryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registry",
        abstract: "Looks after versions and aliases.",
        subcommands: [
            List.self, Show.self, History.self, Verify.self, Promote.self, Rollback.self, Prune.self,
        ])
}

extension RegistryCommand {
    /// What `registry list` and `show` say of one model.
    private struct ModelEntry: Encodable {
        let model: String
        let versions: [Int]
        let aliases: [String: Int]
        /// Why the aliases cannot be read. One damaged table must not hide the other models.
        let problem: String?
        /// The same as what a command ends with, once it has printed what there is.
        let failure: CommandFailure?

        enum CodingKeys: CodingKey { case model, versions, aliases, problem }

        init(_ registry: Registry, _ model: String) throws(RegistryError) {
            self.model = model
            versions = try registry.versions(of: model)
            do throws(RegistryError) {
                aliases = try registry.aliases(of: model)
                (problem, failure) = (nil, nil)
            } catch {
                aliases = [:]
                problem = "\(error)"
                failure = CommandFailure(error.exitCode, "\(error)")
            }
        }

        /// Aliases whose version is not there any more.
        var dangling: [String: Int] { aliases.filter { !versions.contains($0.value) } }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Models, versions and aliases.")

        @Option(help: "Registry directory.")
        var registry: String

        @Option(help: "Only this model.")
        var model: String?

        @Flag(help: "Print JSON.")
        var json = false

        func run() throws {
            let entries = try reporting { () throws(RegistryError) in
                let registry = Registry(path: registry)
                var entries: [ModelEntry] = []
                let names = if let model { [model] } else { try registry.models() }
                for name in names { entries.append(try ModelEntry(registry, name)) }
                return entries
            }
            let failures = entries.compactMap(\.failure)
            defer { for other in failures.dropFirst() { standardError("nextloop: \(other.message)") } }
            if json {
                try printJSON(entries)
            } else {
                printTable(entries)
            }
            if let failure = failures.first { throw failure }
        }

        private func printTable(_ entries: [ModelEntry]) {
            var rows = [["model", "version", "aliases"]]
            for entry in entries {
                for version in entry.versions.reversed() {
                    let aliases = entry.aliases.filter { $0.value == version }.keys.sorted()
                    rows.append([entry.model, String(version), aliases.joined(separator: ", ")])
                }
                for (alias, version) in entry.dangling.sorted(by: { $0.key < $1.key }) {
                    rows.append([entry.model, "\(version) (gone)", alias])
                }
            }
            printColumns(rows)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "A version's manifest, or a model's aliases, their history and what servers refused.")

        @OptionGroup var registry: RegistryOptions

        @Option(help: "Version number. Default: what --alias names.")
        var version: Int?

        @Option(help: "Alias. Without it and --version: the aliases and their history.")
        var alias: String?

        @Flag(help: "Print JSON.")
        var json = false

        func validate() throws { try VersionOptions.check(alias: alias, version: version) }

        func run() throws {
            if let selection = version.map({ .version($0) }) ?? alias.map({ VersionSelection.alias($0) }) {
                let bytes = try reporting { () throws(RegistryError) in
                    let number = try registry.opened.resolve(registry.model, selection)
                    return try registry.opened.manifest(of: registry.model, version: number).bytes
                }
                standardOutput(String(decoding: bytes, as: UTF8.self))
            } else {
                try showAliases()
            }
        }

        private func showAliases() throws {
            let (entry, history, verdicts) = try reporting { () throws(RegistryError) in
                (
                    try ModelEntry(registry.opened, registry.model),
                    try registry.opened.aliasHistory(of: registry.model),
                    Result { () throws(RegistryError) in try registry.opened.verdicts(of: registry.model) }
                )
            }
            if json {
                try printJSON(Shown(model: entry, history: history, verdicts))
                if let failure = entry.failure { throw failure }
                return
            }
            printColumns(
                [["alias", "version"]] + entry.aliases.sorted { $0.key < $1.key }.map { [$0.key, String($0.value)] })
            standardOutput("\n")
            RegistryCommand.printHistory(history)
            switch verdicts {
            case .success(let verdicts): if !verdicts.isEmpty { printVerdicts(verdicts) }
            // A damaged list must not hide where the aliases point.
            case .failure(let error): standardError("nextloop: \(error)")
            }
            if let failure = entry.failure { throw failure }
        }

        /// What `--json` prints: `verdicts` is null when they cannot be read, and `problem` says why.
        private struct Shown: Encodable {
            let model: ModelEntry
            let history: [AliasChange]
            let verdicts: [GateVerdict]?
            let problem: String?

            init(model: ModelEntry, history: [AliasChange], _ verdicts: Result<[GateVerdict], RegistryError>) {
                self.model = model
                self.history = history
                switch verdicts {
                case .success(let verdicts): (self.verdicts, problem) = (verdicts, nil)
                case .failure(let error): (self.verdicts, problem) = (nil, "\(error)")
                }
            }

            enum CodingKeys: CodingKey { case model, history, verdicts, problem }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: CodingKeys.self)
                try container.encode(model, forKey: .model)
                try container.encode(history, forKey: .history)
                // Null, not absent: nobody takes it for "none".
                try container.encode(verdicts, forKey: .verdicts)
                try container.encodeIfPresent(problem, forKey: .problem)
            }
        }

        private func printVerdicts(_ verdicts: [GateVerdict]) {
            standardOutput("\n")
            printColumns(
                [["at", "server", "alias", "version", "beside", "gates", "why"]]
                    + verdicts.map {
                        [
                            $0.at.formatted(.iso8601), $0.who, $0.alias, String($0.version), String($0.comparedWith),
                            $0.gate.map { "refused by \($0)" } ?? "passed", Self.why($0),
                        ]
                    })
        }

        private static func why(_ verdict: GateVerdict) -> String {
            let reason = verdict.reason ?? ""
            guard let takenBack = verdict.takenBack else { return reason }
            let because = takenBack.reason.isEmpty ? "" : ": \(takenBack.reason)"
            return
                "taken back by \(takenBack.who) at \(takenBack.at.formatted(.iso8601))\(because) (it said: \(reason))"
        }
    }

    struct History: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "history",
            abstract: "Who pointed which alias where, when and why; the last changes, oldest first.")

        @OptionGroup var registry: RegistryOptions

        @Option(help: "Only this alias.")
        var alias: String?

        @Flag(help: "Print JSON.")
        var json = false

        func run() throws {
            let changes = try reporting { () throws(RegistryError) in
                try registry.opened.aliasHistory(of: registry.model).filter { alias == nil || $0.alias == alias }
            }
            if json { return try printJSON(changes) }
            RegistryCommand.printHistory(changes)
        }
    }

    private static func printHistory(_ changes: [AliasChange]) {
        printColumns(
            [["at", "who", "did", "alias", "from", "to", "why"]]
                + changes.map {
                    [
                        $0.at.formatted(.iso8601), $0.who,
                        $0.action.rawValue + ($0.forced == true ? " (forced)" : ""), $0.alias,
                        $0.from.map(String.init) ?? "-",
                        String($0.to), $0.reason,
                    ]
                })
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify", abstract: "Checks a version as the server would before it serves it.")

        @OptionGroup var registry: RegistryOptions
        @OptionGroup var selected: VersionOptions

        @Flag(help: "Check every version of the model.")
        var all = false

        func validate() throws {
            guard all else { return }
            for (option, isGiven) in [("--alias", selected.alias != nil), ("--version", selected.version != nil)]
            where isGiven {
                throw ValidationError("Got --all and \(option); wanted one of them.")
            }
        }

        func run() throws {
            let numbers = try reporting { () throws(RegistryError) in
                all
                    ? try registry.opened.versions(of: registry.model)
                    : [try registry.opened.resolve(registry.model, selected.selection)]
            }
            var firstFailure: CommandFailure?
            for number in numbers {
                do throws(RegistryError) {
                    let golden = try registry.opened.verify(
                        registry.model, version: number, threads: AvailableProcessors.count())
                    let answered = golden > 0 ? "\(golden) golden queries answered" : "no golden queries"
                    standardOutput("\(registry.model) version \(number): fine, \(answered)\n")
                } catch {
                    // The others are looked at all the same.
                    standardOutput("\(registry.model) version \(number): \(error)\n")
                    if firstFailure == nil { firstFailure = CommandFailure(error.exitCode, "\(error)") }
                }
            }
            if let firstFailure { throw firstFailure }
        }
    }

    struct Promote: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "promote", abstract: "Points an alias at a version, after checking the version.")

        @OptionGroup var registry: RegistryOptions

        @Option(help: "Version number.")
        var version: Int

        @Option(help: "Alias, for example production.")
        var alias: String

        @Flag(help: "Servers that follow the alias let the version through their gates; it is verified all the same.")
        var force = false

        @OptionGroup var change: AliasChangeOptions

        func run() throws {
            try reporting { () throws(RegistryError) in
                try registry.opened.promote(
                    registry.model, version: version, alias: alias, actor: change.actor, reason: change.reason,
                    force: force)
            }
            RegistryCommand.printAlias(alias, version, of: registry.model)
        }
    }

    struct Rollback: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rollback",
            abstract: "Points an alias back at the version before its last promotion that no server refused.")

        @OptionGroup var registry: RegistryOptions

        @Option(help: "Alias.")
        var alias = "production"

        @OptionGroup var change: AliasChangeOptions

        func run() throws {
            let (version, refused) = try reporting { () throws(RegistryError) in
                try registry.opened.rollback(registry.model, alias: alias, actor: change.actor, reason: change.reason)
            }
            if !refused.isEmpty {
                let numbers = refused.map(String.init).joined(separator: ", ")
                standardError(
                    "nextloop: passed over \(numbers), refused by servers; promote it to have it compared anew, with --force to "
                        + "let it through")
            }
            RegistryCommand.printAlias(alias, version, of: registry.model)
        }
    }

    /// What a promotion and a rollback end with.
    private static func printAlias(_ alias: String, _ version: Int, of model: String) {
        let text = "\(model) \(alias) is version \(version)"
        standardOutput("\(text)\n", done: text)
    }

    struct Prune: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "prune",
            abstract:
                "Removes old versions; never one that an alias names, a rollback would return to or a server uses.")

        @OptionGroup var registry: RegistryOptions

        @Option(help: "Newest complete versions to keep, 1 to 1000000.")
        var keep: Int

        @Option(help: "Seconds for which a new version is left alone, 0 to 31536000: somebody may be about to load it.")
        var graceSeconds = 600

        @Flag(help: "Print JSON.")
        var json = false

        private struct Pruned: Encodable {
            struct Kept: Encodable {
                let version: Int
                let reasons: [String]
            }
            let removed: [Int]
            let kept: [Kept]
        }

        func run() throws {
            let report = try reporting { () throws(RegistryError) in
                try registry.opened.prune(registry.model, keep: keep, graceSeconds: graceSeconds)
            }
            let numbers = report.removed.map(String.init).joined(separator: ", ")
            let done = report.removed.isEmpty ? "nothing to remove" : "removed \(numbers)"
            if json {
                let kept = report.kept.map { Pruned.Kept(version: $0.version, reasons: $0.reasons.map(\.description)) }
                return try printJSON(Pruned(removed: report.removed, kept: kept), done: done)
            }
            standardOutput("\(done)\n", done: done)
            for kept in report.kept {
                standardOutput(
                    "kept \(kept.version): \(kept.reasons.map(\.description).joined(separator: "; "))\n", done: done)
            }
        }
    }
}
