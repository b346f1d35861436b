import ArgumentParser
import ModelRegistry
import RecommendService

/// Versions that answer a share of the guests, and versions that only compute beside the live one.
struct ExperimentOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            A/B experiment: [MODEL/]NAME,ARM=PERCENT@alias=A,...,ARM=PERCENT, where an arm without @alias=A or @version=N is a control; \
            repeatable. A guest is in the first experiment of a model that has an arm for them, by a hash of NAME and the user id.
            """, valueName: "spec"))
    var experiment: [String] = []

    @Option(
        help: ArgumentHelp(
            """
            Shadow: [MODEL/]alias=A,PERCENT or [MODEL/]version=N,PERCENT; repeatable, one a model. That version answers a sample of the \
            requests to /recommend too, for metrics only.
            """, valueName: "spec"))
    var shadow: [String] = []

    func validate() throws {
        _ = try parsedExperiments()
        _ = try parsedShadows()
    }

    /// The models with what is declared here for each.
    ///
    /// - Parameter models: at least one; the first is meant where none is named.
    func completed(_ models: [ModelDeclaration]) throws -> [ModelDeclaration] {
        var models = models
        for (model, experiment) in try parsedExperiments() {
            let place = try place(of: model, in: models, "--experiment")
            guard !models[place].experiments.contains(where: { $0.name == experiment.name }) else {
                throw ValidationError("--experiment \(experiment.name) is given twice for \(models[place].name).")
            }
            models[place].experiments.append(experiment)
        }
        for (model, shadow) in try parsedShadows() {
            let place = try place(of: model, in: models, "--shadow")
            guard models[place].shadow == nil else {
                throw ValidationError("--shadow is given twice for \(models[place].name); wanted one a model.")
            }
            models[place].shadow = shadow
        }
        return models
    }

    private func place(of name: String?, in models: [ModelDeclaration], _ option: String) throws -> Int {
        guard let name else { return 0 }
        guard let place = models.firstIndex(where: { $0.name == name }) else {
            throw ValidationError(
                "\(option) is for '\(withoutControls(name))'; served are \(models.map(\.name).joined(separator: ", "))."
            )
        }
        return place
    }

    private func parsedExperiments() throws -> [(model: String?, Experiment)] {
        try experiment.map { spec in
            let (model, rest) = Self.modelAndRest(spec)
            let parts = rest.split(separator: ",", omittingEmptySubsequences: false)
            do throws(Experiment.Invalid) {
                var arms: [Experiment.Arm] = []
                for part in parts.dropFirst() { arms.append(try Self.arm(part)) }
                return (model, try Experiment(name: String(parts[0]), arms: arms))
            } catch {
                throw ValidationError("--experiment '\(withoutControls(spec))': \(withoutControls(error.description)).")
            }
        }
    }

    private func parsedShadows() throws -> [(model: String?, ShadowDeclaration)] {
        try shadow.map { spec in
            let (model, rest) = Self.modelAndRest(spec)
            let parts = rest.split(separator: ",", omittingEmptySubsequences: false)
            guard parts.count == 2, let selector = Self.selector(parts[0]), let share = BasisPoints(percent: parts[1])
            else {
                throw ValidationError(
                    "--shadow is '\(withoutControls(spec))'; wanted [MODEL/]alias=A,PERCENT or [MODEL/]version=N,PERCENT, "
                        + "PERCENT from 0 to 100 with at most two decimals.")
            }
            return (model, ShadowDeclaration(selector: selector, share: share))
        }
    }

    private static func modelAndRest(_ spec: String) -> (model: String?, rest: Substring) {
        guard let slash = spec.firstIndex(of: "/") else { return (nil, spec[...]) }
        return (String(spec[..<slash]), spec[spec.index(after: slash)...])
    }

    /// `candidate=20@alias=staging` or `control=20`
    private static func arm(_ text: Substring) throws(Experiment.Invalid) -> Experiment.Arm {
        let halves = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        let words = halves[0].split(separator: "=", omittingEmptySubsequences: false)
        guard words.count == 2, let share = BasisPoints(percent: words[1]) else {
            throw Experiment.Invalid(
                description: "'\(text)' is no arm; wanted ARM=PERCENT, PERCENT from 0 to 100 with at most two decimals")
        }
        if halves.count == 1 { return Experiment.Arm(name: String(words[0]), share: share, selector: nil) }
        guard let selector = selector(halves[1]) else {
            throw Experiment.Invalid(description: "'@\(halves[1])' names no version; wanted @alias=A or @version=N")
        }
        return Experiment.Arm(name: String(words[0]), share: share, selector: selector)
    }

    /// `alias=staging` or `version=7`, with a colon just as well.
    private static func selector(_ text: Substring) -> VersionPolicy? {
        let words = text.split(separator: #/[:=]/#, omittingEmptySubsequences: false)
        guard words.count == 2 else { return nil }
        switch words[0] {
        case "alias": return isAliasName(String(words[1])) ? .alias(String(words[1])) : nil
        case "version":
            guard words[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(words[1]),
                (1...999_999_999).contains(number)
            else { return nil }
            return .version(number)
        default: return nil
        }
    }
}
