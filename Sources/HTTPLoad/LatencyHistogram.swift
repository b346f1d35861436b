/// Counts of latencies in buckets whose width grows with the value, after Gil Tene's HdrHistogram.
///
///     nanoseconds     0 ..< 256           one bucket each
///     then            2ⁿ ..< 2ⁿ⁺¹         128 buckets of equal width, up to 2⁴⁰ (18 minutes); more counts as that
///
/// A quantile is told as the upper end of its bucket, so it is at most 1/128 (0.8 %) too large and never too small.
package struct LatencyHistogram: Sendable {
    private static let exactBits = 8
    private static let bitsMax = 40
    private static let half = 1 << (exactBits - 1)
    private static let bucketCount = (bitsMax - exactBits + 2) * half

    private var counts = [UInt64](repeating: 0, count: bucketCount)
    package private(set) var count: UInt64 = 0
    /// The largest value, exactly; 0 when nothing was recorded.
    package private(set) var max: UInt64 = 0
    private var sum = 0.0

    package init() {}

    package var mean: Double { count == 0 ? 0 : sum / Double(count) }

    package mutating func record(_ nanoseconds: UInt64) {
        counts[Self.bucket(nanoseconds)] += 1
        count += 1
        sum += Double(nanoseconds)
        if nanoseconds > max { max = nanoseconds }
    }

    package mutating func add(_ other: LatencyHistogram) {
        for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
        count += other.count
        sum += other.sum
        max = Swift.max(max, other.max)
    }

    /// The value that `share` of the records do not exceed; 0 when nothing was recorded.
    ///
    /// - Precondition: `share` is in 0...1.
    package func quantile(_ share: Double) -> UInt64 {
        precondition((0...1).contains(share), "BUG: a share outside 0...1")
        // The rank counts from 1: p50 of two values is the first of them.
        let rank = Swift.max(1, UInt64((share * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for bucket in counts.indices {
            seen += counts[bucket]
            if seen >= rank { return Swift.min(Self.upperEnd(bucket), max) }
        }
        return max
    }

    private static func bucket(_ value: UInt64) -> Int {
        let value = Int(truncatingIfNeeded: Swift.min(value, 1 << bitsMax - 1))
        let shift = Swift.max(0, Int.bitWidth - value.leadingZeroBitCount - exactBits)
        return shift * half + value >> shift
    }

    /// The largest value of a bucket.
    private static func upperEnd(_ bucket: Int) -> UInt64 {
        if bucket < 2 * half { return UInt64(bucket) }
        let shift = bucket / half - 1
        return UInt64((bucket - shift * half + 1) << shift - 1)
    }
}
