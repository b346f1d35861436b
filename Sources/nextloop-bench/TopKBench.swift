import ArgumentParser
import VectorKernels

struct TopKBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topk", abstract: "Time of an exact float32 top-k scan, and how fast it reads.",
        discussion: "A query scores every item in blocks and keeps the best k. One thread.")

    @Option(help: "Items.") var items = 5120
    @Option(help: "Factors.") var factors = 64
    @Option(name: .short, help: "Items wanted.") var k = 10
    @Option(help: "Queries timed, each with another vector.") var queries = 1000
    @Option(help: "Seed.") var seed: UInt64 = 42
    @Option(help: "Kernels: avx512, avx2, neon, portable. Default: the best here.") var kernels: String?
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        guard items > 0, factors > 0, k >= 0, queries > 0 else { throw ValidationError("sizes must be above 0") }
        var chosen = Kernels.best
        if let kernels {
            guard let path = KernelPath(rawValue: kernels), let named = Kernels(path) else {
                let here = Kernels.available.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--kernels is \(kernels); wanted one of \(here)")
            }
            chosen = named
        }
        var numbers = SeededNumbers(seed: seed)
        let matrix = (0..<items * factors).map { _ in numbers.normal() }
        let users = (0..<64).map { _ in (0..<factors).map { _ in numbers.normal() } }
        let blockRows = 1024
        var block = [Float](repeating: 0, count: min(items, blockRows))
        var tail = [Float](repeating: 0, count: items % blockRows)
        var top = TopK()
        var query = 0
        var checksum: UInt64 = 0
        func score(_ first: Int, _ scores: inout [Float]) {
            let user = users[query % users.count]
            var span = scores.mutableSpan
            chosen.scoreRows(user.span, matrix.span, firstRow: first, into: &span)
            top.offer(firstRow: first, scores: scores.span)
        }
        let times = Timings(runs: queries, warmUp: min(queries, 10)) {
            query += 1
            top.reset(k: k)
            var first = 0
            while items - first >= blockRows {
                score(first, &block)
                first += blockRows
            }
            if first < items { score(first, &tail) }
            top.sortBestFirst()
            if top.count > 0 { checksum &+= UInt64(top[0].row) }
        }
        let bytes = Double(items * factors * 4)
        let read = Timings(runs: max(5, min(queries, 200)), warmUp: 2) {
            if !chosen.isAllFinite(matrix.span) { checksum &+= 1 }
        }
        if json {
            print(
                "{\"items\":\(items),\"factors\":\(factors),\"k\":\(k),\"kernels\":\"\(chosen.name)\","
                    + "\"p50_seconds\":\(times.median),\"p99_seconds\":\(times.quantile(0.99)),"
                    + "\"bytes_per_second\":\(bytes / times.median),"
                    + "\"read_bytes_per_second\":\(bytes / read.median),\"checksum\":\(checksum)}")
        } else {
            print("top-\(k) of \(items) × \(factors), kernels \(chosen.name), one thread, checksum \(checksum)")
            print("scan: p50 \(readable(times.median)), p99 \(readable(times.quantile(0.99)))")
            print(
                "reads \(rounded(bytes / times.median / 1e9)) GB/s; isAllFinite over the same bytes "
                    + "\(rounded(bytes / read.median / 1e9)) GB/s")
        }
    }
}
