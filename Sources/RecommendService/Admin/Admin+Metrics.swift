import PrometheusText

extension Admin {
    func addMetrics(to exposition: inout Exposition) {
        for result in AdminResult.allCases {
            exposition.add(
                "nextloop_admin_requests_total", "Requests to /admin by what became of them.", .counter,
                [Label("result", result.rawValue)], value: Double(count(result)))
        }
    }
}
