import FactorModel
package import ModelRegistry
import PrometheusText

/// The experiments of one model, in order: a guest belongs to the first that has an arm for them.
///
/// So every guest is in one experiment at most, and those that an earlier one took are missing from each arm of a later one in equal
/// shares: the hashes have no relation.
package final class ModelExperiments: Sendable {
    package let experiments: [Experiment]
    private let labels: [[ArmLabel]]
    let set: MetricSet
    private let answers: [[Counter]]
    private let missing: [[Counter]]

    package init(model: String, _ experiments: [Experiment], loops: Int) {
        self.experiments = experiments
        labels = experiments.map { experiment in
            experiment.arms.map { ArmLabel(experiment: experiment.name, arm: $0.name) }
        }
        var schema = MetricSchema()
        func counters(_ name: String, _ help: String) -> [[Counter]] {
            experiments.map { experiment in
                experiment.arms.map { arm in
                    schema.counter(
                        name, help,
                        [Label("model", model), Label("experiment", experiment.name), Label("arm", arm.name)])
                }
            }
        }
        answers = counters("nextloop_experiment_answers_total", "Answers by experiment and arm.")
        missing = counters(
            "nextloop_experiment_missing_total",
            "Requests of an arm whose version was not loaded: answered by the live one and labelled with no arm.")
        set = MetricSet(schema, shards: loops)
    }

    /// Every version that an arm asks for.
    package var selectors: [VersionPolicy] { experiments.flatMap { $0.arms.compactMap(\.selector) } }

    /// Who answers a guest.
    ///
    /// - Returns: the live version unless the guest's arm has another that is loaded, what is said of it, and what counts the answer.
    func choose(
        _ user: Span<UInt8>, _ plan: ModelPlan, live: ServedModel
    ) -> (ServedModel, ArmStatement, Counter?) {
        for (number, experiment) in experiments.enumerated() {
            guard let arm = experiment.arm(of: user) else { continue }
            let chosen = experiment.arms[arm].selector.map { plan.selected($0) } ?? live
            guard let chosen else {
                return (live, .outside, missing[number][arm])
            }
            return (chosen, .arm(labels[number][arm]), answers[number][arm])
        }
        return (live, .outside, nil)
    }
}
