import ArgumentParser
import FoundationEssentials
import ModelRegistry
import RecommendService

/// Which models a server serves, from where, and how it follows them.
struct FollowOptions: ParsableArguments {
    @Option(help: "Registry directory.")
    var registry: String

    @Option(
        help: ArgumentHelp(
            """
            Model to serve, with a policy of its own: NAME, NAME=alias:A, NAME=version:N or NAME=latest:N; repeatable. The first \
            answers requests that name none. In NEXTLOOP_MODEL, where colons separate models, write NAME=alias=A.
            """, valueName: "name"))
    var model: [String]

    @Option(
        help:
            "Alias to follow, for models without a policy. Default: production, unless --version or --latest is given.")
    var alias: String?

    @Option(help: "Version to serve, for models without a policy.")
    var version: Int?

    @Option(help: "Follow the newest complete version, for models without a policy, and keep so many ready, 1 to 100.")
    var latest: Int?

    @Flag(help: "Stay up without a version that can be served: /readyz says 503 until one can. Without it serve fails.")
    var waitForModel = false

    @Option(help: "Seconds between looks at the registry where it sends no events, 0.1 to 86400.")
    var pollSeconds = 5.0

    @Option(help: "Versions to keep in memory after another took their place, for an immediate way back, 0 to 10.")
    var keepPrevious = 0

    @Option(help: "Bytes a second that a load reads while another version serves, 1000000 or more. Default: no bound.")
    var loadBytesPerSecond: Int?

    @Option(
        help: ArgumentHelp(
            "Directory of this account's own in which to remember which files passed every check, so that a restart need not read them again. Default: read every file.",
            valueName: "directory"))
    var verificationRecords: String?

    func validate() throws {
        let given = [alias.map { _ in "--alias" }, version.map { _ in "--version" }, latest.map { _ in "--latest" }]
            .compactMap { $0 }
        guard given.count < 2 else {
            throw ValidationError("Got \(given.joined(separator: " and ")); wanted one of them.")
        }
        guard !model.isEmpty else { throw ValidationError("Got no --model; wanted at least one.") }
        // It would be read and mean nothing, and its giver believe that it is followed.
        if let option = given.first, model.allSatisfy({ $0.contains("=") }) {
            throw ValidationError(
                "Got \(option), which is for models without a policy, and every --model has a policy of its own; wanted one of the two."
            )
        }
        let names = try declarations().map(\.name)
        guard names.count <= Self.modelsMax, Set(names).count == names.count else {
            throw ValidationError(
                "Got \(names.joined(separator: ", ")); wanted 1 to \(Self.modelsMax) different models.")
        }
        guard (0.1...86400).contains(pollSeconds) else {
            throw ValidationError("--poll-seconds is \(pollSeconds); wanted 0.1 to 86400.")
        }
        guard (0...10).contains(keepPrevious) else {
            throw ValidationError("--keep-previous is \(keepPrevious); wanted 0 to 10.")
        }
        if let loadBytesPerSecond, loadBytesPerSecond < 1_000_000 {
            throw ValidationError("--load-bytes-per-second is \(loadBytesPerSecond); wanted 1000000 or more.")
        }
    }

    private static let modelsMax = 100

    var opened: Registry { Registry(path: registry) }

    /// The models in order, each with its policy.
    func declarations() throws -> [ModelDeclaration] { try model.map(declaration) }

    private func declaration(_ text: String) throws -> ModelDeclaration {
        guard let end = text.firstIndex(of: "=") else {
            return ModelDeclaration(name: try modelName(text), policy: try standardPolicy())
        }
        let name = try modelName(String(text[..<end]))
        let words = text[text.index(after: end)...].split(separator: #/[:=]/#, maxSplits: 1)
        guard words.count == 2, let policy = try policy(String(words[0]), String(words[1])) else {
            throw ValidationError(
                "The policy of --model \(text) is not one; wanted NAME=alias:A, NAME=version:N or NAME=latest:N.")
        }
        return ModelDeclaration(name: name, policy: policy)
    }

    private func standardPolicy() throws -> VersionPolicy {
        let policy =
            if let version { try self.policy("version", String(version)) } else if let latest {
                try self.policy("latest", String(latest))
            } else { try self.policy("alias", alias ?? "production") }
        guard let policy else { throw ValidationError("Got no policy; wanted --alias, --version or --latest.") }
        return policy
    }

    /// Nil for a kind of policy that there is none of.
    private func policy(_ kind: String, _ value: String) throws -> VersionPolicy? {
        switch kind {
        case "alias":
            guard isAliasName(value) else {
                throw ValidationError("\(RegistryError.badAliasName(withoutControls(value)))")
            }
            return .alias(value)
        case "version": return .version(try number(value, in: 1...999_999_999, "version"))
        case "latest": return .latest(try number(value, in: 1...Registry.latestCountMax, "latest"))
        default: return nil
        }
    }

    private func number(_ text: String, in range: ClosedRange<Int>, _ what: String) throws -> Int {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), range.contains(number)
        else {
            throw ValidationError(
                "The \(what) is '\(withoutControls(text))'; wanted \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    private func modelName(_ name: String) throws -> String {
        guard isModelName(name) else {
            throw ValidationError("\(RegistryError.badModelName(withoutControls(name)))")
        }
        return name
    }

    func settings(gates: GateSettings, threads: Int) -> FollowSettings {
        var settings = FollowSettings()
        settings.loadBytesPerSecond = loadBytesPerSecond
        settings.previousKept = keepPrevious
        settings.firstLoadThreads = threads
        settings.gates = gates
        settings.records = verificationRecords.map { VerificationRecords(directory: $0) }
        return settings
    }
}

/// What a version is held against before it may answer.
struct GateOptions: ParsableArguments {
    private static let standard = GateSettings()

    @Option(help: "Least mean share of the live version's top ten that a new version has too, 0 to 1.")
    var gateMinOverlap = Self.standard.overlapMin

    @Option(help: "Largest mean difference of the top ten's scores, as a share of the live version's, 0 to 1000000.")
    var gateMaxScoreShift = Self.standard.scoreShiftMax

    @Option(
        help: ArgumentHelp(
            "Number of the manifest's evaluation that a version must reach: recall@10, ndcg@10, map@10 or coverage; repeatable.",
            valueName: "name=value"))
    var gateMinMetric: [String] = []

    @Option(help: "Least share of the possible items that sampled users get between them, 0 to 1.")
    var gateMinCoverage = Self.standard.coverageMin

    @Option(help: "Largest share of sampled users that get no item, 0 to 1.")
    var gateMaxEmpty = Self.standard.emptyMax

    @Option(help: "Largest share of the live version's items that a new version lacks, 0 to 1.")
    var gateMaxShrink = Self.standard.shrinkMax

    @Option(help: "Users sampled by the gates, 20 to 10000.")
    var gateUsers = Self.standard.users

    func validate() throws {
        for (name, value) in [
            ("gate-min-overlap", gateMinOverlap), ("gate-min-coverage", gateMinCoverage),
            ("gate-max-empty", gateMaxEmpty),
            ("gate-max-shrink", gateMaxShrink),
        ] where !(0...1).contains(value) {
            throw ValidationError("--\(name) is \(value); wanted 0 to 1.")
        }
        guard (0...1_000_000).contains(gateMaxScoreShift) else {
            throw ValidationError("--gate-max-score-shift is \(gateMaxScoreShift); wanted 0 to 1000000.")
        }
        guard (GateSettings.usersMin...10_000).contains(gateUsers) else {
            throw ValidationError("--gate-users is \(gateUsers); wanted \(GateSettings.usersMin) to 10000.")
        }
        for text in gateMinMetric where MetricMinimum(text) == nil {
            throw ValidationError(
                "--gate-min-metric is '\(withoutControls(text))'; wanted NAME=VALUE, a name of "
                    + MetricMinimum.Name.allCases.map(\.rawValue).joined(separator: ", ") + " and a value from 0 to 1.")
        }
    }

    var settings: GateSettings {
        var settings = GateSettings()
        settings.overlapMin = gateMinOverlap
        settings.scoreShiftMax = gateMaxScoreShift
        settings.metricMins = gateMinMetric.compactMap { MetricMinimum($0) }
        settings.coverageMin = gateMinCoverage
        settings.emptyMax = gateMaxEmpty
        settings.shrinkMax = gateMaxShrink
        settings.users = gateUsers
        return settings
    }
}
