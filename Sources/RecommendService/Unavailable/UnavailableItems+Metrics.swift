import PrometheusText

extension UnavailableItems {
    func addMetrics(to exposition: inout Exposition, models: [String]) {
        for model in models {
            exposition.add(
                "nextloop_unavailable_items", "Items taken from sale, at one hotel or at all.", .gauge,
                [Label("model", model)], value: Double(inForce(model).count))
        }
        for model in models {
            exposition.add(
                "nextloop_unavailable_items_readable",
                "1 when the unavailable items could be read at the last look; else the last good ones are in force.",
                .gauge, [Label("model", model)], value: isReadable(model) ? 1 : 0)
        }
    }
}
