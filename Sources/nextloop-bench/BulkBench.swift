import ArgumentParser
import FactorModel
import Foundation

struct BulkBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulk", abstract: "Users per second of bulk answers, beside the same users one by one.",
        discussion: "Both on one thread, in turns, through a model file; every answer of the two is compared.")

    @Option(help: "Items.") var items = 100_000
    @Option(help: "Factors, 1-1024.") var factors = 64
    @Option(help: "Users; all are asked for.") var users = 1024
    @Option(name: .short, help: "Items wanted.") var k = 10
    @Option(help: "Items that each user has seen; they are left out. 0 leaves out none.") var seen = 0
    @Option(help: "Hotels that share the items; each user asks for the items of one. 1 asks for all items.")
    var hotels = 1
    @Option(help: "Rounds.") var rounds = 7
    @Option(help: "Seed.") var seed: UInt64 = 42
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        guard items > 0, (1...1024).contains(factors), users > 0, k >= 0, rounds > 0, (1...items).contains(hotels),
            (0...items).contains(seen)
        else { throw ValidationError("sizes must be above 0") }
        let model = try snapshot()
        let queries = (0..<users).map { user in
            RecommendationQuery(
                user: UserIndex(user), k: k, hotels: hotels == 1 ? nil : [HotelIndex(user % hotels)],
                excludeSeen: seen > 0)
        }
        let (single, bulk) = (RecommendationScratch(), BulkScratch())
        var same = true
        var sums = [Int](repeating: 0, count: users)
        func oneByOne() {
            for (number, query) in queries.enumerated() {
                _ = model.recommend(query, scratch: single)
                sums[number] = digest(single)
            }
        }
        func together() {
            model.recommend(many: queries, scratch: bulk) { number, _, answer in
                if digest(answer) != sums[number] { same = false }
            }
        }
        oneByOne()
        together()
        var (alone, shared): ([Double], [Double]) = ([], [])
        for _ in 0..<rounds {
            alone.append(seconds(oneByOne))
            shared.append(seconds(together))
        }
        guard same else { throw ValidationError("BUG: bulk and single answers differ") }
        // The fastest round: what the machine does for others only ever adds.
        let (slow, fast) = (Timings(alone).quantile(0), Timings(shared).quantile(0))
        let rates = (Double(users) / slow, Double(users) / fast)
        if json {
            print(
                "{\"items\":\(items),\"factors\":\(factors),\"users\":\(users),\"k\":\(k),\"hotels\":\(hotels),"
                    + "\"single_users_per_second\":\(rates.0),\"bulk_users_per_second\":\(rates.1),\"ratio\":\(slow / fast)}"
            )
        } else {
            print(
                "top-\(k) of \(items) × \(factors), \(users) users, \(hotels) hotels, \(seen) seen, one thread, same answers"
            )
            print("one by one: \(rounded(rates.0)) users/s, \(readable(slow / Double(users))) a user")
            print("bulk: \(rounded(rates.1)) users/s, \(readable(fast / Double(users))) a user")
            print("ratio \(rounded(slow / fast))")
        }
    }

    private func digest(_ answer: RecommendationScratch) -> Int {
        var hasher = 0
        for rank in 0..<answer.count {
            hasher = hasher &* 31 &+ answer[rank].item.row &+ Int(answer[rank].score.bitPattern) &* 7
        }
        return hasher
    }

    /// A model of random vectors, written and opened.
    private func snapshot() throws -> ModelSnapshot {
        var numbers = SeededNumbers(seed: seed)
        let hotelItems = (0..<hotels).map { hotel in
            (UInt32(items * hotel / hotels)..<UInt32(items * (hotel + 1) / hotels)).map { $0 }
        }
        let seenItems = (0..<users).flatMap { _ in
            (0..<UInt32(seen)).map { UInt32(UInt64($0) * UInt64(items) / UInt64(max(seen, 1))) }
        }
        let catalogue = Catalogue(
            itemIDs: (0..<items).map(String.init), names: [String](repeating: "", count: items),
            prices: [Int64?](repeating: nil, count: items), departmentIDs: [String?](repeating: nil, count: items),
            hotelIDs: (0..<hotels).map(String.init), hotelItems: hotelItems)
        let contents = ModelContents(
            userIDs: (0..<users).map(String.init), catalogue: catalogue,
            factors: Factors(
                factorCount: factors, userFactors: (0..<users * factors).map { _ in numbers.normal() },
                itemFactors: (0..<items * factors).map { _ in numbers.normal() }),
            interactions: InteractionMatrix(
                rowCount: users, columnCount: items, indptr: (0...users).map { UInt64($0 * seen) }, indices: seenItems,
                values: [Float](repeating: 1, count: users * seen)),
            itemPopularity: [Float](repeating: 1, count: items))
        let path = FileManager.default.temporaryDirectory.appending(path: "nextloop-bench-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        try writeModelFile(contents, to: path)
        return try ModelSnapshot.open(path: path, threads: 2)
    }
}
