/// What a version is held against. The defaults refuse what is broken and let pass what is merely different.
package struct GateSettings: Sendable, Equatable {
    /// Mean share of the live version's top ten that the new one has too, over users that both know. A retraining
    /// shares most of them; ids that belong to other vectors share as good as nothing.
    package var overlapMin = 0.05
    /// Mean difference of the scores of the top ten, as a share of the live version's mean score.
    package var scoreShiftMax = 1.0
    /// Numbers of the manifest's evaluation that must be reached.
    package var metricMins: [MetricMinimum] = []
    /// Distinct items in the answers, as a share of those that there could be. Vectors that are all alike recommend the same ten to everybody.
    package var coverageMin = 0.01
    /// Share of sampled users, all known, that get no item at all.
    package var emptyMax = 0.1
    /// Share of the live version's items that the new one lacks.
    package var shrinkMax = 0.5
    /// Users that are asked for. Comparisons are made when there are at least ``usersMin`` of them.
    package var users = 200

    /// Fewer say nothing.
    package static let usersMin = 20
    /// Ranks that are compared.
    static let k = 10

    package init() {}

    /// What versions are compared by, in words that are the same for the same thresholds.
    var comparison: String {
        "overlap at least \(overlapMin), score_shift at most \(scoreShiftMax), catalogue at most \(shrinkMax)"
    }
}

/// `ndcg@10=0.05`
package struct MetricMinimum: Sendable, Equatable {
    package enum Name: String, Sendable, CaseIterable {
        case recall = "recall@10"
        case ndcg = "ndcg@10"
        case map = "map@10"
        case coverage
    }

    package var name: Name
    package var value: Double

    package init(name: Name, value: Double) {
        self.name = name
        self.value = value
    }

    /// Reads `NAME=VALUE`, a value from 0 to 1; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: "=", omittingEmptySubsequences: false)
        guard parts.count == 2, let name = Name(rawValue: String(parts[0])), let value = Double(String(parts[1])),
            (0...1).contains(value)
        else { return nil }
        self.init(name: name, value: value)
    }
}

/// A gate said no.
struct GateRefusal: Error, Equatable {
    let gate: Gate
    let reason: String
}
