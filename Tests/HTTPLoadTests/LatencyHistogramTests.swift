import HTTPLoad
import TestSupport
import Testing

@Suite("Latency histogram") struct LatencyHistogramTests {
    @Test("small values are exact")
    func exact() {
        var histogram = LatencyHistogram()
        for value: UInt64 in 1...100 { histogram.record(value) }
        #expect(histogram.count == 100)
        #expect([0, 0.01, 0.5, 0.9, 0.99, 1].map(histogram.quantile) == [1, 1, 50, 90, 99, 100])
        #expect(histogram.mean == 50.5)
    }

    @Test("a quantile is never below the true one and at most 1/128 above", arguments: [1, 2, 3] as [UInt64])
    func bounded(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        var histogram = LatencyHistogram()
        var values: [UInt64] = []
        for _ in 0..<5000 {
            let value = UInt64.random(in: 0..<1 << UInt64.random(in: 1...40, using: &rng), using: &rng)
            values.append(value)
            histogram.record(value)
        }
        values.sort()
        for share in [0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1] {
            let exact = values[max(0, Int((share * 5000).rounded(.up)) - 1)]
            let told = histogram.quantile(share)
            #expect(told >= exact && told <= exact + exact / 128 + 1, "seed \(seed), share \(share): \(told), \(exact)")
        }
    }

    @Test("the largest value is told exactly, and one beyond the last bucket is not lost")
    func largest() {
        var histogram = LatencyHistogram()
        histogram.record(1 << 40 - 1)
        #expect(histogram.quantile(1) == 1 << 40 - 1)
        histogram.record(1 << 40)
        histogram.record(.max)
        #expect(histogram.count == 3)
        #expect(histogram.max == .max)
    }

    @Test("adding two is recording both")
    func adds() {
        var (odd, even, all) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        for value: UInt64 in 0..<10_000 {
            if value.isMultiple(of: 2) { even.record(value * 977) } else { odd.record(value * 977) }
            all.record(value * 977)
        }
        odd.add(even)
        #expect(odd.count == all.count && odd.max == all.max && odd.mean == all.mean)
        for share in [0.1, 0.5, 0.99] { #expect(odd.quantile(share) == all.quantile(share)) }
    }

    @Test("nothing recorded is 0")
    func empty() { #expect(LatencyHistogram().quantile(0.5) == 0) }
}
