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
    @Flag(help: "Before the codes are there, as in a process's first moments: float32 scans.") var unprepared = false
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        guard items > 0, (1...1024).contains(factors), users > 0, k >= 0, rounds > 0, (1...items).contains(hotels),
            (0...items).contains(seen)
        else { throw ValidationError("sizes must be above 0") }
        let model = try benchModel(items: items, factors: factors, users: users, seen: seen, hotels: hotels, seed: seed)
        if !unprepared { model.prepare() }
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
                "{\"items\":\(items),\"factors\":\(factors),\"users\":\(users),\"k\":\(k),\"hotels\":\(hotels),\"prepared\":\(!unprepared),"
                    + "\"single_users_per_second\":\(rates.0),\"bulk_users_per_second\":\(rates.1),\"ratio\":\(slow / fast)}"
            )
        } else {
            print(
                "top-\(k) of \(items) × \(factors), \(users) users, \(hotels) hotels, \(seen) seen, one thread, same answers, "
                    + (unprepared ? "float32 scans" : "prepared")
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
}
