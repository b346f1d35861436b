import ArgumentParser
import Foundation
import VectorKernels

struct TopKBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topk", abstract: "Time of an exact top-k: quantized scan and float32 scan.",
        discussion: "Both answer the same queries and must agree, row by row and bit by bit. One thread.")

    @Option(help: "Items.") var items = 5120
    @Option(help: "Factors.") var factors = 64
    @Option(name: .short, help: "Items wanted.") var k = 10
    @Option(help: "Queries timed, each with another vector of up to 64.") var queries = 1000
    @Option(help: "Seed.") var seed: UInt64 = 42
    @Option(help: "Kernels: avx512vnni, avx512, avx2, neon, portable. Default: the best here.") var kernels: String?
    @Option(help: "Item factors from this file of raw float32 instead of random ones; --items is ignored.")
    var itemFile: String?
    @Option(help: "User factors from this file of raw float32; the first 64.") var userFile: String?
    @Option(help: "Write the rows found for each user to this file, raw uint32, best first.") var output: String?
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        guard items > 0, factors > 0, k >= 0, queries > 0 else { throw ValidationError("sizes must be above 0") }
        let chosen = try kernelsNamed(kernels)
        var numbers = SeededNumbers(seed: seed)
        let matrix = try itemFile.map(floats) ?? (0..<items * factors).map { _ in numbers.normal() }
        let userRows = try userFile.map(floats) ?? (0..<64 * factors).map { _ in numbers.normal() }
        guard matrix.count.isMultiple(of: factors), userRows.count.isMultiple(of: factors), !matrix.isEmpty,
            !userRows.isEmpty
        else { throw ValidationError("the files do not hold whole rows of \(factors) factors") }
        let users = (0..<min(64, userRows.count / factors)).map { Array(userRows[$0 * factors..<($0 + 1) * factors]) }
        let floatScan = FloatScan(matrix: matrix, factors: factors, k: k, kernels: chosen)
        var coded: QuantizedItems?
        let build = Timings(runs: 3, warmUp: 0) { coded = chosen.quantize(matrix.span, factorCount: factors) }
        guard let coded else { return }

        var exact = TopK()
        var quantized = TopK()
        let scratch = TopKScratch()
        func quantizedQuery(_ user: [Float]) {
            quantized.reset(k: k)
            chosen.topK(user.span, matrix.span, coded, scratch: scratch, into: &quantized)
            quantized.sortBestFirst()
        }
        var found: [UInt32] = []
        for (number, user) in users.enumerated() {
            floatScan.run(user, &exact)
            quantizedQuery(user)
            let same = exact.count == quantized.count && (0..<exact.count).allSatisfy { exact[$0] == quantized[$0] }
            guard same else {
                throw ValidationError("user \(number): the quantized scan differs from the float32 scan")
            }
            found += (0..<quantized.count).map { quantized[$0].row }
        }
        if let output { try MatrixFile.write(found, to: output) }

        var query = 0
        let times = Timings(runs: queries, warmUp: min(queries, 64)) {
            query += 1
            quantizedQuery(users[query % users.count])
        }
        let floatTimes = Timings(runs: max(5, queries / 4), warmUp: min(queries, 10)) {
            query += 1
            floatScan.run(users[query % users.count], &exact)
        }
        let floatBytes = Double(matrix.count * 4)
        let codeBytes = coded.withColumns { blocks, reach, rows in Double(blocks.count + 4 * (reach.count + rows.count))
        }
        var finite = true
        let read = Timings(runs: max(5, min(queries, 200)), warmUp: 2) {
            if !chosen.isAllFinite(matrix.span) { finite = false }
        }
        guard finite else { throw ValidationError("the item factors are not finite") }
        if json {
            print(
                "{\"items\":\(coded.rowCount),\"factors\":\(factors),\"k\":\(k),\"kernels\":\"\(chosen.name)\","
                    + "\"p50_seconds\":\(times.median),\"p99_seconds\":\(times.quantile(0.99)),"
                    + "\"float32_p50_seconds\":\(floatTimes.median),\"build_seconds\":\(build.median),"
                    + "\"float32_bytes\":\(Int(floatBytes)),\"code_bytes\":\(Int(codeBytes)),"
                    + "\"read_bytes_per_second\":\(floatBytes / read.median)}")
        } else {
            print("exact top-\(k) of \(coded.rowCount) × \(factors), kernels \(chosen.name), one thread")
            print("quantized: p50 \(readable(times.median)), p99 \(readable(times.quantile(0.99)))")
            print(
                "float32: p50 \(readable(floatTimes.median)), reads \(rounded(floatBytes / floatTimes.median / 1e9)) GB/s"
            )
            print("isAllFinite over the float32 bytes: \(rounded(floatBytes / read.median / 1e9)) GB/s")
            print(
                "codes: \(rounded(codeBytes / floatBytes * 100)) % of the float32 bytes, made in "
                    + "\(readable(build.median)), \(readable(build.median / floatBytes * 1e9)) a GB")
        }
    }

    private func floats(_ path: String) throws -> [Float] {
        let data = try Data(contentsOf: URL(filePath: path))
        guard data.count.isMultiple(of: 4) else { throw ValidationError("\(path): \(data.count) bytes, not float32") }
        var values = [Float](repeating: 0, count: data.count / 4)
        // SAFETY: the array has exactly that many bytes, and any bits are a Float.
        unsafe values.withUnsafeMutableBytes { to in _ = unsafe data.copyBytes(to: to) }
        return values
    }
}

/// The kernels of a name given on the command line; the best ones for none.
func kernelsNamed(_ name: String?) throws -> Kernels {
    guard let name else { return .best }
    guard let path = KernelPath(rawValue: name), let named = Kernels(path) else {
        let here = Kernels.available.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("--kernels is \(name); wanted one of \(here)")
    }
    return named
}

/// Scores every item in blocks and keeps the best k: the oracle, and the first rung.
private final class FloatScan {
    private let matrix: [Float]
    private let factors: Int
    private let k: Int
    private let kernels: Kernels
    private static let blockRows = 1024
    private var block: [Float]
    private var tail: [Float]

    init(matrix: [Float], factors: Int, k: Int, kernels: Kernels) {
        self.matrix = matrix
        self.factors = factors
        self.k = k
        self.kernels = kernels
        block = [Float](repeating: 0, count: Self.blockRows)
        tail = [Float](repeating: 0, count: matrix.count / factors % Self.blockRows)
    }

    func run(_ user: [Float], _ top: inout TopK) {
        let matrix = self.matrix
        func score(_ first: Int, _ scores: inout [Float]) {
            var span = scores.mutableSpan
            kernels.scoreRows(user.span, matrix.span, firstRow: first, into: &span)
            top.offer(firstRow: first, scores: scores.span)
        }
        let items = matrix.count / factors
        top.reset(k: k)
        var first = 0
        while items - first >= Self.blockRows {
            score(first, &block)
            first += Self.blockRows
        }
        if first < items { score(first, &tail) }
        top.sortBestFirst()
    }
}
