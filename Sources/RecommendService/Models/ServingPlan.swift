package import ModelRegistry

/// What a process answers from at one moment: every model it serves, with the versions that are loaded. Immutable.
///
/// A request takes one plan and keeps it to its end, so that nothing it says mixes two moments: the live version, and any
/// other ready version that an experiment or a shadow asks for, belong together.
package final class ServingPlan: Sendable {
    /// The number of the plan: one more with every change.
    package let generation: Int
    /// In the order of the command line: the first answers requests that name none. Never empty.
    package let models: [ModelPlan]

    package init(generation: Int, models: [ModelPlan]) {
        precondition(!models.isEmpty, "BUG: a plan without a model")
        self.generation = generation
        self.models = models
    }

    /// The model that answers requests that name none.
    package var standard: ModelPlan { models[0] }

    /// The model of a name; nil when this process serves none of that name.
    package func model(named name: Span<UInt8>) -> ModelPlan? {
        for model in models where equal(model.name.utf8.span, name) { return model }
        return nil
    }

    package func model(named name: String) -> ModelPlan? { model(named: name.utf8.span) }
}

/// One model of a plan and its loaded versions. Immutable.
///
/// An object, for a request hands it on several times: each time one reference is counted, not one for each field.
package final class ModelPlan: Sendable {
    package let name: String
    package let policy: VersionPolicy
    /// The version that answers; nil until one could be loaded.
    package let live: ServedModel?
    /// The other versions that are loaded, verified and warm, newest first.
    package let others: [ServedModel]
    /// The loaded versions that experiments and the shadow ask for.
    let selections: [(selector: VersionPolicy, model: ServedModel)]
    /// nil when there are none.
    let experiments: ModelExperiments?
    let shadow: Shadow?

    init(
        name: String, policy: VersionPolicy, live: ServedModel?, others: [ServedModel],
        selections: [(selector: VersionPolicy, model: ServedModel)], experiments: ModelExperiments?, shadow: Shadow?
    ) {
        self.name = name
        self.policy = policy
        self.live = live
        self.others = others
        self.selections = selections
        self.experiments = experiments
        self.shadow = shadow
    }

    /// The version that a selector of an experiment or the shadow names, if it is loaded.
    func selected(_ selector: VersionPolicy) -> ServedModel? {
        selections.first { $0.selector == selector }?.model
    }

    /// A loaded version by its number.
    package func version(_ number: Int) -> ServedModel? {
        if let live, live.version == number { return live }
        return others.first { $0.version == number }
    }

    /// All loaded versions, the live one first.
    package var loaded: [ServedModel] { (live.map { [$0] } ?? []) + others }

    /// The alias that is followed, or empty.
    package var alias: String {
        if case .alias(let name) = policy { name } else { "" }
    }
}

/// Whether two texts are the same bytes.
private func equal(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
    guard a.count == b.count else { return false }
    for index in a.indices where a[index] != b[index] { return false }
    return true
}
