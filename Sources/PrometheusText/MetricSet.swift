/// The values of a schema's metrics, one shard per writing thread.
///
/// A shard's cells are written by its thread alone; a scrape sums over the shards. So a request costs plain
/// stores to memory that no other core writes, and a scrape never stalls a loop.
package final class MetricSet: Sendable {
    let schema: MetricSchema
    let shardCount: Int
    /// Cells of one shard, rounded up so that two shards never share a 64-byte cache line.
    private let stride: Int
    private let cells: AtomicCells

    package init(_ schema: MetricSchema, shards: Int) {
        precondition(shards > 0, "BUG: a metric set needs a shard")
        self.schema = schema
        shardCount = shards
        stride = (schema.cellCount + 15) / 8 * 8
        cells = AtomicCells(count: stride * shards)
    }

    /// The shard of one thread. Take it once; nobody else may write through the same number.
    package func shard(_ number: Int) -> MetricShard {
        precondition(number >= 0 && number < shardCount, "BUG: shard \(number) of \(shardCount)")
        return MetricShard(cells: cells, base: number * stride)
    }

    func integer(_ cell: Int) -> UInt64 {
        var sum: UInt64 = 0
        for shard in 0..<shardCount { sum &+= cells[shard * stride + cell] }
        return sum
    }

    func isAnyNonzero(_ range: Range<Int>) -> Bool {
        for shard in 0..<shardCount {
            for cell in range where cells[shard * stride + cell] != 0 { return true }
        }
        return false
    }

    func double(_ cell: Int) -> Double {
        var sum = 0.0
        for shard in 0..<shardCount { sum += Double(bitPattern: cells[shard * stride + cell]) }
        return sum
    }
}

/// One thread's writing end of a `MetricSet`.
package struct MetricShard: Sendable {
    private let cells: AtomicCells
    private let base: Int

    init(cells: AtomicCells, base: Int) {
        self.cells = cells
        self.base = base
    }

    package func increment(_ counter: Counter, by amount: UInt64 = 1) {
        let cell = base + counter.cell
        cells[cell] = cells[cell] &+ amount
    }

    /// Sets this shard's part of a gauge; a scrape shows the sum over the shards.
    package func set(_ gauge: Gauge, to value: Double) {
        cells[base + gauge.cell] = value.bitPattern
    }

    package func add(_ value: Double, to gauge: Gauge) {
        addDouble(value, at: base + gauge.cell)
    }

    package func observe(_ value: Double, _ summary: Summary) {
        let cell = base + summary.cell
        cells[cell] = cells[cell] &+ 1
        addDouble(value, at: cell + 1)
    }

    /// Counts `value` in its bucket.
    ///
    /// - Complexity: linear in the buckets below the value: ours begin where most observations lie.
    package func observe(_ value: Double, _ histogram: Histogram) {
        countBucket(of: value, histogram)
        add(value, toSumOf: histogram)
    }

    /// One half of ``observe(_:_:)``, the bucket alone: for values that come several at a time, whose sum is then added once.
    package func countBucket(of value: Double, _ histogram: Histogram) {
        var bucket = 0
        while bucket < histogram.bounds.count, value > histogram.bounds[bucket] { bucket += 1 }
        let cell = base + histogram.cell + bucket
        cells[cell] = cells[cell] &+ 1
    }

    /// The other half.
    package func add(_ sum: Double, toSumOf histogram: Histogram) {
        addDouble(sum, at: base + histogram.cell + histogram.bounds.count + 1)
    }

    private func addDouble(_ value: Double, at cell: Int) {
        cells[cell] = (Double(bitPattern: cells[cell]) + value).bitPattern
    }
}
