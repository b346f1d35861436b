import FactorModel
import PrometheusText

/// What is counted per loaded version. Lives and dies with it, so a version's label never lingers.
final class ModelMetrics: Sendable {
    let set: MetricSet
    let shown: ShownItems
    private let recommendations: [Counter]
    private let fallbacks: [Counter]
    private let empty: Counter
    private let score: Histogram
    private let topK: Histogram

    init(model: String, version: Int, itemCount: Int, loops: Int) {
        var schema = MetricSchema()
        let labels = [Label("model", model), Label("version", String(version))]
        recommendations = Strategy.allCases.map {
            schema.counter(
                "nextloop_recommendations_total", "Answers by model version and strategy.",
                labels + [Label("strategy", $0.rawValue)])
        }
        fallbacks = FallbackReason.allCases.map {
            schema.counter(
                "nextloop_recommendation_fallbacks_total", "Answers that fell back, by reason.",
                labels + [Label("reason", $0.rawValue)])
        }
        empty = schema.counter("nextloop_recommendation_empty_total", "Answers without a single item.", labels)
        score = schema.histogram(
            "nextloop_recommendation_score", "Scores of the items recommended by the factors.",
            bounds: [-0.5, -0.1, 0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 5],
            labels)
        topK = schema.histogram(
            "nextloop_topk_duration_seconds", "Time to filter, score and rank for one answer.",
            bounds: [
                1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                0.1, 0.25, 0.5, 1,
            ], labels)
        set = MetricSet(schema, shards: loops)
        shown = ShownItems(itemCount: itemCount, loops: loops)
    }

    /// Counts one answer and the time it took to rank. Called on the loop that gave it.
    ///
    /// - Parameter items: the texts that will be written next, which are asked for on the way: they lie anywhere, and the counting
    ///   hides the wait for them.
    func count(
        _ outcome: RecommendationOutcome, _ scratch: RecommendationScratch, seconds: Double, loop: Int,
        expecting items: WrittenItems?
    ) {
        let shard = set.shard(loop)
        if let items {
            count(outcome, scratch, shard, loop: loop) { items.expect($0) }
        } else {
            count(outcome, scratch, shard, loop: loop) { _ in }
        }
        shard.observe(seconds, topK)
    }

    func count(topKSeconds seconds: Double, loop: Int) { set.shard(loop).observe(seconds, topK) }

    func count(_ outcome: RecommendationOutcome, _ scratch: RecommendationScratch, loop: Int) {
        count(outcome, scratch, set.shard(loop), loop: loop) { _ in }
    }

    private func count(
        _ outcome: RecommendationOutcome, _ scratch: RecommendationScratch, _ shard: MetricShard, loop: Int,
        expect: (ItemIndex) -> Void
    ) {
        if let place = Strategy.allCases.firstIndex(of: outcome.strategy) { shard.increment(recommendations[place]) }
        if let reason = outcome.fallbackReason, let place = FallbackReason.allCases.firstIndex(of: reason) {
            shard.increment(fallbacks[place])
        }
        if scratch.count == 0 { shard.increment(empty) }
        let isScored = outcome.strategy == .als
        var sum = 0.0
        scratch.forEachItem { _, item, value in
            expect(item)
            if isScored {
                shard.countBucket(of: Double(value), score)
                sum += Double(value)
            }
            shown.mark(item, loop: loop)
        }
        if isScored { shard.add(sum, toSumOf: score) }
    }
}

/// Which items were shown since the model was loaded: one bit an item and loop, joined when asked.
final class ShownItems: Sendable {
    private let itemCount: Int
    private let loops: Int
    private let wordsPerLoop: Int
    private let words: AtomicCells

    init(itemCount: Int, loops: Int) {
        self.itemCount = itemCount
        self.loops = loops
        wordsPerLoop = (itemCount + 511) / 512 * 8  // Whole cache lines: loops never write the same one.
        words = AtomicCells(count: wordsPerLoop * loops)
    }

    /// Called on the loop's own thread: it is the only writer of its words.
    func mark(_ item: ItemIndex, loop: Int) {
        let word = loop * wordsPerLoop + item.row / 64
        let bit: UInt64 = 1 << UInt64(item.row % 64)
        if words[word] & bit == 0 { words[word] |= bit }
    }

    /// Share of the catalogue that was shown at least once; 0 for an empty catalogue.
    ///
    /// - Complexity: O(itemCount / 64 × loops).
    var ratio: Double {
        guard itemCount > 0 else { return 0 }
        let shown = (0..<wordsPerLoop).reduce(0) { total, word in
            total + (0..<loops).reduce(UInt64(0)) { $0 | words[$1 * wordsPerLoop + word] }.nonzeroBitCount
        }
        return Double(shown) / Double(itemCount)
    }
}
