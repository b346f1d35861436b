import PrometheusText

extension AccessLog {
    /// How many lines were logged and how many were not. Only with an access log.
    func addMetrics(to exposition: inout Exposition) {
        let counts = lineCounts
        exposition.add(
            "nextloop_access_log_lines_total", "Lines of the access log that were written or wait to be.", .counter,
            value: Double(counts.logged))
        exposition.add(
            "nextloop_access_log_dropped_total", "Lines of the access log that were dropped: it is written too slowly.",
            .counter, value: Double(counts.dropped))
    }
}
