package import ModelRegistry

/// A model that a process serves, and which of its versions.
package struct ModelDeclaration: Sendable, Equatable {
    package var name: String
    package var policy: VersionPolicy
    /// In order: a guest belongs to the first that has an arm for them.
    package var experiments: [Experiment]
    package var shadow: ShadowDeclaration?

    package init(
        name: String, policy: VersionPolicy, experiments: [Experiment] = [], shadow: ShadowDeclaration? = nil
    ) {
        self.name = name
        self.policy = policy
        self.experiments = experiments
        self.shadow = shadow
    }

    /// Versions that are wanted beside those of the policy: an experiment's and the shadow's, each once.
    var selectors: [VersionPolicy] {
        var selectors: [VersionPolicy] = []
        for selector in experiments.flatMap({ $0.arms.compactMap(\.selector) }) + [shadow?.selector].compactMap({ $0 })
        where !selectors.contains(selector) {
            selectors.append(selector)
        }
        return selectors
    }
}

/// Where a version stands in this process. docs/lifecycle.md has the arrows between them.
package enum VersionState: String, Sendable, CaseIterable {
    /// In the registry; this process has not been asked for it.
    case available
    /// Being read, verified, warmed and compared.
    case loading
    /// Loaded and fit to answer.
    case ready
    /// Refused, with the reason. What was live before goes on.
    case rejected
}

/// One version as `GET /models` shows it.
package struct VersionStatus: Sendable, Equatable {
    package var version: Int
    package var state: VersionState
    /// Why it was rejected; nil in the other states.
    package var reason: String?
    /// Which gate rejected it; nil in the other states.
    package var gate: Gate?
    /// Seconds since 1970 at which it came into the state; nil of one that was only seen.
    package var since: Double?
    /// A refusal under the followed alias that was taken back, and after which no server compared the version.
    package var takenBack: GateVerdict?

    package init(version: Int, state: VersionState, reason: String? = nil, gate: Gate? = nil, since: Double? = nil) {
        self.version = version
        self.state = state
        self.reason = reason
        self.gate = gate
        self.since = since
    }
}

/// What a version is held against before it may answer. The names are metric labels.
package enum Gate: String, Sendable, CaseIterable {
    /// Manifest, digests, shapes, ids, finiteness, memory: everything that opening checks.
    case verify
    /// Recommending for the version's own sampled users, or sampled ones, does what it should.
    case warmUp = "warm_up"
    /// The golden queries are answered as where the version was made.
    case golden
    /// The top items of users that the live version knows too.
    case overlap
    /// The scores of those.
    case scoreShift = "score_shift"
    /// A number of the manifest's evaluation.
    case metric
    /// How much of the catalogue comes up, and how many answers are empty.
    case coverage
    /// How many items the live version has and this one lacks.
    case catalogue
}

/// One model as `GET /models` shows it: what the registry held at the last look, and what this process made of it.
package struct ModelStatus: Sendable, Equatable {
    package var name: String
    package var policy: VersionPolicy
    /// The version that answers.
    package var live: Int?
    /// The version that the policy wants, while another answers in its place.
    package var standsInFor: Int?
    /// Newest first: everything in the registry and everything loaded.
    package var versions: [VersionStatus]
    package var aliases: [String: Int]
    /// Why the policy cannot be followed at the moment; what is live goes on.
    package var problem: String?
    /// Seconds since 1970 at which the registry was last looked at.
    package var lookedAt: Double?
}
