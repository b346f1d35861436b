import PrometheusText
import Testing

@Suite("Exposition") struct ExpositionTests {
    @Test("writes every kind of metric as the text format wants it") func goldenText() {
        var schema = MetricSchema()
        let requests = schema.counter(
            "http_requests_total", "Requests.", [Label("method", "GET"), Label("status", "2xx")])
        let sizes = schema.summary("http_request_size_bytes", "Sizes.", [Label("handler", "/recommend")])
        let seconds = schema.histogram("topk_seconds", "Time.", bounds: [0.001, 1])
        let inProgress = schema.gauge("http_requests_inprogress", "Now.")
        let set = MetricSet(schema, shards: 2)
        set.shard(0).increment(requests, by: 2)
        set.shard(1).increment(requests)
        set.shard(0).observe(10, sizes)
        set.shard(1).observe(5, sizes)
        for value in [0.0005, 0.001, 0.5, 2] { set.shard(1).observe(value, seconds) }
        set.shard(0).add(3, to: inProgress)
        set.shard(1).add(-1, to: inProgress)
        var exposition = Exposition()
        exposition.add(set)
        exposition.add("model_bytes", "Bytes.", .gauge, [Label("model", "m")], value: 12)
        #expect(
            exposition.text() == """
                # HELP http_requests_total Requests.
                # TYPE http_requests_total counter
                http_requests_total{method="GET",status="2xx"} 3
                # HELP http_request_size_bytes Sizes.
                # TYPE http_request_size_bytes summary
                http_request_size_bytes_count{handler="/recommend"} 2
                http_request_size_bytes_sum{handler="/recommend"} 15.0
                # HELP topk_seconds Time.
                # TYPE topk_seconds histogram
                topk_seconds_bucket{le="0.001"} 2
                topk_seconds_bucket{le="1.0"} 3
                topk_seconds_bucket{le="+Inf"} 4
                topk_seconds_sum 2.5015
                topk_seconds_count 4
                # HELP http_requests_inprogress Now.
                # TYPE http_requests_inprogress gauge
                http_requests_inprogress 2.0
                # HELP model_bytes Bytes.
                # TYPE model_bytes gauge
                model_bytes{model="m"} 12.0

                """)
    }

    @Test("pieces make the same text, whatever their size", arguments: [1, 100, 1000, 100_000], [1, 100])
    func pieces(bytesMax: Int, shards: Int) {
        var exposition = Exposition()
        for model in ["a", "b"] {
            var schema = MetricSchema()
            let counters = (0..<700).map { number in
                schema.counter("requests_total", "R.", [Label("n", "\(model)\(number)")], omitsUntouched: true)
            }
            let time = schema.histogram("seconds", "S.", bounds: [1, 2], [Label("model", model)])
            let set = MetricSet(schema, shards: shards)
            for number in stride(from: 0, to: 700, by: 3) { set.shard(0).increment(counters[number]) }
            set.shard(0).observe(1.5, time)
            exposition.add(set)
            exposition.add("bytes", "B.", .gauge, [Label("model", model)], value: 1)
        }
        let whole = exposition.text()
        var text = ""
        var hasMore = true
        for _ in 0..<10_000 where hasMore {
            var piece = ""
            hasMore = exposition.writePiece(into: &piece, bytesMax: bytesMax)
            #expect(piece.utf8.count < bytesMax + 1000)
            text += piece
        }
        #expect(text == whole)
        #expect(whole.split(separator: "\n").filter { $0.hasPrefix("# TYPE requests_total") }.count == 1)
        #expect(whole.contains("requests_total{n=\"b699\"} 1\n") && !whole.contains("n=\"b698\""))
    }

    @Test("a family spread over two sets has one head") func mergesFamilies() {
        let sets = ["7", "8"].map { version in
            var schema = MetricSchema()
            let counter = schema.counter("recommendations_total", "Answers.", [Label("version", version)])
            let set = MetricSet(schema, shards: 1)
            set.shard(0).increment(counter)
            return set
        }
        var exposition = Exposition()
        sets.forEach { exposition.add($0) }
        #expect(
            exposition.text() == """
                # HELP recommendations_total Answers.
                # TYPE recommendations_total counter
                recommendations_total{version="7"} 1
                recommendations_total{version="8"} 1

                """)
    }

    @Test("untouched children are left out where the family says so, and so is a family without any")
    func omitsUntouched() {
        var schema = MetricSchema()
        let used = schema.counter("a_total", "A.", [Label("x", "1")], omitsUntouched: true)
        _ = schema.counter("a_total", "A.", [Label("x", "2")], omitsUntouched: true)
        _ = schema.histogram("b_seconds", "B.", bounds: [1], omitsUntouched: true)
        let set = MetricSet(schema, shards: 1)
        set.shard(0).increment(used)
        var exposition = Exposition()
        exposition.add(set)
        #expect(exposition.text() == "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"1\"} 1\n")
    }

    @Test("quote, backslash and newline in a label value cannot forge a sample") func escapesLabelValues() {
        var exposition = Exposition()
        exposition.add("m", "Line\nwith \\ and \"quotes\".", .gauge, [Label("l", "a\"b\\c\nm 1")], value: 0)
        #expect(
            exposition.text() == """
                # HELP m Line\\nwith \\\\ and "quotes".
                # TYPE m gauge
                m{l="a\\"b\\\\c\\nm 1"} 0.0

                """)
    }

    @Test(
        "infinities and NaN are written as Prometheus reads them",
        arguments: [
            (Double.infinity, "+Inf"), (-Double.infinity, "-Inf"), (Double.nan, "NaN"), (1e-5, "1e-05"), (30, "30.0"),
        ])
    func specialValues(value: Double, text: String) {
        var exposition = Exposition()
        exposition.add("m", "M.", .gauge, value: value)
        #expect(exposition.text().hasSuffix("\nm \(text)\n"))
    }
}

@Suite("Metric names") struct MetricNameTests {
    @Test(
        "metric names",
        arguments: [
            ("a", true), ("a:b_9", true), ("_a", true), ("", false), ("9a", false), ("a-b", false), ("a b", false),
            ("é", false), ("a\n", false), ("0", false), ("a0", true), ("a9", true), ("a5", true),
        ])
    func metricNames(name: String, valid: Bool) { #expect(isMetricName(name) == valid) }

    @Test(
        "label names",
        arguments: [
            ("a", true), ("a:b", false), ("__a", false), ("_a", true), ("le", false), ("quantile", false), ("", false),
        ])
    func labelNames(name: String, valid: Bool) { #expect(isLabelName(name) == valid) }

    @Test("a value on a bound belongs to the bucket of that bound") func boundsAreInclusive() {
        var schema = MetricSchema()
        let histogram = schema.histogram("h", "H.", bounds: [1, 2])
        let set = MetricSet(schema, shards: 1)
        set.shard(0).observe(1, histogram)
        set.shard(0).observe(1.0.nextUp, histogram)
        var exposition = Exposition()
        exposition.add(set)
        let text = exposition.text()
        #expect(text.contains("h_bucket{le=\"1.0\"} 1\nh_bucket{le=\"2.0\"} 2\n"))
    }

    @Test("buckets counted one by one and a sum added once are what observing each is, bounds included")
    func bucketsAndOneSum() {
        var schema = MetricSchema()
        let histogram = schema.histogram("scores", "Scores.", bounds: [-0.5, 0, 0.1, 2])
        let (each, together) = (MetricSet(schema, shards: 1), MetricSet(schema, shards: 1))
        // Sums of these are exact in any order.
        let values = [-8, -0.5, -0.25, 0, 0.0625, 0.5, 2, 2.5, 4096]
        for value in values { each.shard(0).observe(value, histogram) }
        for value in values { together.shard(0).countBucket(of: value, histogram) }
        together.shard(0).add(values.reduce(0, +), toSumOf: histogram)
        func text(_ set: MetricSet) -> String {
            var exposition = Exposition()
            exposition.add(set)
            return exposition.text()
        }
        #expect(text(together) == text(each))
        #expect(text(each).contains("scores_bucket{le=\"-0.5\"} 2\n"))
    }
}
