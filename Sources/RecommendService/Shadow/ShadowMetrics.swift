import PrometheusText
import Synchronization

/// What comparing a shadow with the live version has shown, by the shadow's version: a new one begins anew.
final class ShadowMetrics: Sendable {
    private let model: String
    private let current = Mutex<OfVersion?>(nil)
    private let dropped = Atomic<Int>(0)

    init(model: String) { self.model = model }

    /// The numbers of one version. Written by the shadow's thread only.
    final class OfVersion: Sendable {
        let version: Int
        let set: MetricSet
        private let requests: Counter
        private let failures: Counter
        private let overlap: Histogram
        private let scoreShift: Histogram
        private let liveSeconds: Histogram
        private let shadowSeconds: Histogram

        init(model: String, version: Int) {
            self.version = version
            let labels = [Label("model", model), Label("version", String(version))]
            var schema = MetricSchema()
            requests = schema.counter(
                "nextloop_shadow_requests_total", "Requests that the shadow answered too.", labels)
            failures = schema.counter(
                "nextloop_shadow_failures_total", "Requests that the live version answered and the shadow could not.",
                labels)
            overlap = schema.histogram(
                "nextloop_shadow_overlap_ratio",
                "Share of the live version's ten best that the shadow's ten best hold.",
                bounds: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1], labels)
            scoreShift = schema.histogram(
                "nextloop_shadow_score_shift_ratio",
                "Difference of the ten best's mean scores, as a share of the live version's mean.",
                bounds: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5], labels)
            let bounds = [
                1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.1, 1,
            ]
            liveSeconds = schema.histogram(
                "nextloop_shadow_topk_duration_seconds", "Time to rank the compared requests, by who ranked.",
                bounds: bounds, labels + [Label("role", "live")])
            shadowSeconds = schema.histogram(
                "nextloop_shadow_topk_duration_seconds", "Time to rank the compared requests, by who ranked.",
                bounds: bounds, labels + [Label("role", "shadow")])
            set = MetricSet(schema, shards: 1)
        }

        func countFailure() { set.shard(0).increment(failures) }

        func count(_ live: RankedIDs, _ shadow: RankedIDs, liveTook: Double, shadowTook: Double) {
            let shard = set.shard(0)
            shard.increment(requests)
            shard.observe(Self.overlap(live, shadow), overlap)
            if let shift = Self.scoreShift(live, shadow) { shard.observe(shift, scoreShift) }
            shard.observe(liveTook, liveSeconds)
            shard.observe(shadowTook, shadowSeconds)
        }

        /// 1 when the live version had nothing to show and the shadow has not either.
        static func overlap(_ live: RankedIDs, _ shadow: RankedIDs) -> Double {
            if live.ids.isEmpty { return shadow.ids.isEmpty ? 1 : 0 }
            let shown = Set(shadow.ids)
            return Double(live.ids.count { shown.contains($0) }) / Double(live.ids.count)
        }

        /// Nil when the scores of the two mean different things, or nothing.
        static func scoreShift(_ live: RankedIDs, _ shadow: RankedIDs) -> Double? {
            guard live.isByVector, shadow.isByVector, !live.scores.isEmpty, !shadow.scores.isEmpty else { return nil }
            func mean(_ scores: [Float]) -> Double { scores.reduce(0) { $0 + Double($1) } / Double(scores.count) }
            let difference = abs(mean(shadow.scores) - mean(live.scores))
            return difference == 0 ? 0 : difference / max(abs(mean(live.scores)), .leastNormalMagnitude)
        }
    }

    /// The numbers of a version, begun when it is new.
    func of(version: Int) -> OfVersion {
        current.withLock { current in
            if let current, current.version == version { return current }
            let next = OfVersion(model: model, version: version)
            current = next
            return next
        }
    }

    func countDropped() { dropped.add(1, ordering: .relaxed) }

    func add(to exposition: inout Exposition) {
        if let current = current.withLock({ $0 }) { exposition.add(current.set) }
        exposition.add(
            "nextloop_shadow_dropped_total",
            "Sampled requests that nobody compared: the shadow was too slow, or not loaded.", .counter,
            [Label("model", model)], value: Double(dropped.load(ordering: .relaxed)))
    }
}
