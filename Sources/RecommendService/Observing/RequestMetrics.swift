import HTTPMessages
import HTTPServer
import PrometheusText

/// The request metrics, under the names and labels of prometheus-fastapi-instrumentator, with finer buckets below its
/// first ones and `status` on the duration, as the contract says.
final class RequestMetrics: Sendable {
    let set: MetricSet
    private let requests: [Counter]
    private let requestBytes: [Summary]
    private let responseBytes: [Summary]
    private let durations: [Histogram]
    private let duration: Histogram
    private let inProgress: Gauge
    private let connections: Gauge
    private let activeConnections: Gauge
    private let rejections: [Counter]
    private let ends: [Counter]
    private let refusals: [Counter]
    /// Empty without TLS.
    private let handshakes: [Counter]

    /// Below the instrumentator's first bucket, for answers that take microseconds.
    private static let fineBounds = [2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005]

    init(loops: Int, hasTLS: Bool) {
        var schema = MetricSchema()
        requests = Self.eachMethodRouteStatus { method, route, status in
            schema.counter(
                "http_requests_total", "Total number of requests by method, status and handler.",
                [Label("method", method), Label("status", status), Label("handler", route)], omitsUntouched: true)
        }
        requestBytes = Route.allCases.map {
            schema.summary(
                "http_request_size_bytes", "Content length of incoming requests by handler.",
                [Label("handler", "\($0.template)")], omitsUntouched: true)
        }
        responseBytes = Route.allCases.map {
            schema.summary(
                "http_response_size_bytes", "Content length of outgoing responses by handler.",
                [Label("handler", "\($0.template)")], omitsUntouched: true)
        }
        duration = schema.histogram(
            "http_request_duration_highr_seconds", "Latency with many buckets and no labels.",
            bounds: Self.fineBounds + [
                0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 7.5, 10, 30, 60,
            ])
        durations = Self.eachMethodRouteStatus { method, route, status in
            schema.histogram(
                "http_request_duration_seconds", "Latency with few buckets, by method, handler and status.",
                bounds: Self.fineBounds + [0.01, 0.025, 0.05, 0.1, 0.5, 1],
                [Label("method", method), Label("handler", route), Label("status", status)], omitsUntouched: true)
        }
        inProgress = schema.gauge("http_requests_inprogress", "Requests being answered now.")
        connections = schema.gauge("nextloop_connections", "Open client connections.")
        activeConnections = schema.gauge(
            "nextloop_connections_active",
            "Open client connections with a part of a request, an unsent answer or a stream; the others are idle.")
        rejections = RejectionReason.allCases.map {
            schema.counter(
                "nextloop_connections_rejected_total", "Connections refused or ended by a limit, by reason.",
                [Label("reason", $0.rawValue)])
        }
        ends = ConnectionEnd.allCases.map {
            schema.counter(
                "nextloop_connections_closed_total", "Connections that were open, by how they ended.",
                [Label("reason", $0.rawValue)])
        }
        refusals = RefusalReason.labels.map {
            schema.counter(
                "nextloop_requests_refused_total", "Requests refused by the server or the application, by reason.",
                [Label("reason", $0)])
        }
        handshakes =
            !hasTLS
            ? []
            : TLSHandshakeResult.allCases.map {
                schema.counter(
                    "nextloop_tls_handshakes_total", "TLS handshakes by how they ended.", [Label("result", $0.rawValue)]
                )
            }
        set = MetricSet(schema, shards: loops)
    }

    func began(_ shard: MetricShard) { shard.add(1, to: inProgress) }

    func ended(
        _ shard: MetricShard, route: Route, method: HTTPMethod, status: Int, requestBytes received: Int,
        responseBytes sent: Int, seconds: Double
    ) {
        let place = Self.place(method: method, route: route, status: status)
        shard.add(-1, to: inProgress)
        shard.increment(requests[place])
        shard.observe(seconds, durations[place])
        shard.observe(seconds, duration)
        shard.observe(Double(received), requestBytes[route.rawValue])
        shard.observe(Double(sent), responseBytes[route.rawValue])
    }

    func connectionOpened(_ shard: MetricShard) { shard.add(1, to: connections) }

    func connectionClosed(_ shard: MetricShard, _ end: ConnectionEnd) {
        shard.add(-1, to: connections)
        if let place = ConnectionEnd.allCases.firstIndex(of: end) { shard.increment(ends[place]) }
    }

    func connectionActivityChanged(_ shard: MetricShard, isActive: Bool) {
        shard.add(isActive ? 1 : -1, to: activeConnections)
    }

    func refused(_ shard: MetricShard, _ reason: RefusalReason) { shard.increment(refusals[reason.index]) }

    func rejected(_ shard: MetricShard, _ reason: RejectionReason) {
        if let place = RejectionReason.allCases.firstIndex(of: reason) { shard.increment(rejections[place]) }
    }

    func handshakeEnded(_ shard: MetricShard, _ result: TLSHandshakeResult) {
        if !handshakes.isEmpty, let place = TLSHandshakeResult.allCases.firstIndex(of: result) {
            shard.increment(handshakes[place])
        }
    }

    // MARK: Places in the flat tables of children

    private static let statusClasses = ["1xx", "2xx", "3xx", "4xx", "5xx"]

    private static func eachMethodRouteStatus<Child>(_ make: (String, String, String) -> Child) -> [Child] {
        HTTPMethod.allCases.flatMap { method in
            Route.allCases.flatMap { route in
                statusClasses.map { make("\(method.name)", "\(route.template)", $0) }
            }
        }
    }

    private static func place(method: HTTPMethod, route: Route, status: Int) -> Int {
        let statusClass = min(max(status / 100, 1), statusClasses.count) - 1
        return (Int(method.rawValue) * Route.allCases.count + route.rawValue) * statusClasses.count + statusClass
    }
}
