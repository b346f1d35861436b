import ArgumentParser
import FactorModel
import Foundation

struct EngineBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "engine", abstract: "Time of each kind of answer, with each filter.",
        discussion: "One thread, through a model file; the fastest tenth of the answers, since machines are shared.")

    @Option(help: "Items.") var items = 100_000
    @Option(help: "Factors, 1-1024.") var factors = 64
    @Option(help: "Items in each user's history.") var seen = 30
    @Option(help: "Hotels that share the items.") var hotels = 20
    @Option(help: "Answers timed of each kind.") var queries = 300
    @Option(help: "Seed.") var seed: UInt64 = 42
    @Flag(help: "Map the codes from a file, as of a published version, instead of making them.") var mapped = false

    func run() throws {
        guard items >= 1000, (1...1024).contains(factors), (1...items).contains(seen), (1...items).contains(hotels),
            queries > 0
        else { throw ValidationError("sizes must be above 0, items at least 1000") }
        let users = 64
        let model = try benchModel(
            items: items, factors: factors, users: users, seen: seen, hotels: hotels, seed: seed)
        let scratch = RecommendationScratch()
        print("\(items) × \(factors), \(hotels) hotels, histories of \(seen), one thread, k = 10")
        let path = mapped ? try benchCodes(model) : nil
        defer { if let path { try? FileManager.default.removeItem(atPath: path) } }
        let ahead = try seconds {
            let published = try path.map { try ItemCodes(path: $0, of: model, modelDigest: "") }
            model.prepare { published }
        }
        print("prepare, once (codes\(mapped ? " mapped" : ""), YᵀY and lengths): \(readable(ahead))")

        func report(_ name: String, _ answer: (Int) -> Void) {
            var number = 0
            let times = Timings(runs: queries, warmUp: 10) {
                answer(number)
                number += 1
            }
            print("\(name): \(readable(times.quantile(0.1)))")
        }
        func recommend(_ name: String, _ change: (inout RecommendationQuery) -> Void) {
            var query = RecommendationQuery(user: UserIndex(0), k: 10)
            change(&query)
            report(name) { number in
                if query.user != nil { query.user = UserIndex(number % users) }
                _ = model.recommend(query, scratch: scratch)
            }
        }
        let departments = ["3"].compactMap { model.department(id: $0) }
        func spread(_ count: Int) -> [ItemIndex] { (0..<count).map { ItemIndex($0 * items / count) } }
        let basket = [7, 77, 300, 512, 900].map { BasketItem(item: ItemIndex($0), count: 1) }
        recommend("recommend, all items") { _ in }
        recommend("  exclude_seen") { $0.excludeSeen = true }
        recommend("  deny 1000") { $0.filter.deny = spread(1000) }
        recommend("  one hotel") { $0.filter.hotels = [HotelIndex(hotels / 2)] }
        recommend("  one department of ten") { $0.filter.departments = departments }
        recommend("  a tenth of the prices") { ($0.filter.minPrice, $0.filter.maxPrice) = (10_000, 19_000) }
        recommend("  allow 300") { $0.filter.allow = spread(300) }
        recommend("  allow 300 of one hotel") {
            $0.filter.allow = spread(300)
            $0.filter.hotels = [HotelIndex(hotels / 2)]
        }
        // An allow-list of one leaves the solve alone.
        recommend("fold-in of a basket of 5, solve") {
            ($0.user, $0.basket, $0.filter.allow) = (nil, basket, [ItemIndex(0)])
        }
        recommend("fold-in of a history of \(seen) and a basket of 5, solve") {
            ($0.basket, $0.filter.allow) = (basket, [ItemIndex(0)])
        }
        recommend("popular, all items") { $0.user = nil }
        recommend("popular, one department of ten") { ($0.user, $0.filter.departments) = (nil, departments) }
        report("similar") { number in
            _ = model.similar(to: ItemIndex(number), RecommendationQuery(user: nil, k: 10), scratch: scratch)
        }
        report("explain, first item of an answer") { number in
            var query = RecommendationQuery(user: UserIndex(number % users), k: 1)
            query.filter.allow = [ItemIndex(0)]
            _ = model.recommend(query, scratch: scratch)
            _ = model.explain(item: ItemIndex(number), scratch: scratch)
        }
        report("explain, each further item") { _ = model.explain(item: ItemIndex($0), scratch: scratch) }
    }
}
