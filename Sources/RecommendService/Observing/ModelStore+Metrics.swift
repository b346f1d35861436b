import FactorModel
import PrometheusText

extension ModelStore {
    /// The metrics of the models: those of every loaded version by model and version, those of the live one by model.
    func addMetrics(to exposition: inout Exposition) {
        for plan in plan.models {
            for model in plan.loaded { model.addMetrics(to: &exposition) }
            if let experiments = plan.experiments { exposition.add(experiments.set) }
            plan.shadow?.metrics.add(to: &exposition)
            if let live = plan.live { live.addLiveMetrics(alias: plan.alias, to: &exposition) }
        }
        let (loads, rejections, swaps) = note { state in
            (state.loads, state.rejections, state.entries.map { ($0.declaration.name, $0.swaps) })
        }
        for plan in plan.models {
            exposition.add(
                "nextloop_model_standing_in",
                "1 while another version answers than the one that the alias, the policy or a pin wants.", .gauge,
                [Label("model", plan.name)], value: standIn(of: plan.name) == nil ? 0 : 1)
        }
        for result in LoadResult.allCases {
            exposition.add(
                "nextloop_model_reloads_total", "Loads of a model version, the first one too, by result.", .counter,
                [Label("result", result.rawValue)], value: Double(loads[result] ?? 0))
        }
        for (name, count) in swaps {
            exposition.add(
                "nextloop_model_swaps_total", "Changes of the version that answers, the first one not counted.",
                .counter, [Label("model", name)], value: Double(count))
        }
        for (name, _) in swaps {
            for gate in Gate.allCases {
                exposition.add(
                    "nextloop_model_rejections_total", "Versions that a gate refused, by model and gate.", .counter,
                    [Label("model", name), Label("gate", gate.rawValue)],
                    value: Double(rejections[Rejection(model: name, gate: gate)] ?? 0))
            }
        }
    }
}

extension ServedModel {
    fileprivate func addMetrics(to exposition: inout Exposition) {
        exposition.add(metrics.set)
        exposition.add(
            "nextloop_recommended_items_ratio", "Share of the catalogue shown since the version was loaded.", .gauge,
            [Label("model", name), Label("version", String(version))], value: metrics.shown.ratio)
    }

    fileprivate func addLiveMetrics(alias: String, to exposition: inout Exposition) {
        let model = [Label("model", name)]
        exposition.add(
            "nextloop_model_info", "The version that answers.", .gauge,
            model + [Label("version", String(version)), Label("alias", alias)], value: 1)
        exposition.add(
            "nextloop_model_created_timestamp_seconds", "When the live version was published.", .gauge, model,
            value: createdAt)
        exposition.add(
            "nextloop_model_loaded_timestamp_seconds", "When the live version was loaded.", .gauge, model,
            value: loadedAt)
        exposition.add(
            "nextloop_model_load_duration_seconds", "Time to open and verify the live version.", .gauge, model,
            value: loadSeconds)
        exposition.add(
            "nextloop_model_bytes", "Bytes of the live version's mapped files.", .gauge, model,
            value: Double(snapshot.mappedBytes))
    }
}
