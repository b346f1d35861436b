import FactorModel
import TestSupport
import VectorKernels

/// Answers by the definition: every item is looked at, everything is sorted. The oracle of the engine's tests.
struct EngineOracle {
    struct Ranked: Equatable {
        let item: Int
        let score: Float
    }

    let contents: ModelContents

    /// Items that pass all filters, ascending.
    func passing(_ query: RecommendationQuery) -> [Int] {
        let (catalogue, filter) = (contents.catalogue, query.filter)
        let departments = Array(Set(catalogue.departmentIDs.compactMap { $0 })).sorted()
        let seen = query.user.map { Set(contents.interactions.indices[contents.interactions.range(ofRow: $0.row)]) }
        let sold = filter.hotels.map { Set($0.flatMap { catalogue.hotelItems[$0.row] }) }
        let allowed = filter.allow.map { Set($0.map(\.row)) }
        let denied = Set((filter.deny + filter.unavailable).map(\.row))
        return (0..<catalogue.itemCount).filter { item in
            if let sold, !sold.contains(UInt32(item)) { return false }
            if let wanted = filter.departments {
                guard let id = catalogue.departmentIDs[item], wanted.contains(where: { departments[$0.row] == id })
                else { return false }
            }
            if filter.minPrice != nil || filter.maxPrice != nil {
                guard let price = catalogue.prices[item], price >= filter.minPrice ?? .min,
                    price <= filter.maxPrice ?? .max
                else { return false }
            }
            if let allowed, !allowed.contains(item) { return false }
            if denied.contains(item) { return false }
            return !(query.excludeSeen && seen?.contains(UInt32(item)) == true)
        }
    }

    func ranked(_ query: RecommendationQuery, _ items: [Int], score: (Int) -> Float) -> [Ranked] {
        let all = items.map { Ranked(item: $0, score: score($0)) }
            .sorted { $0.score > $1.score || ($0.score == $1.score && $0.item < $1.item) }
        return query.k == 0 ? [] : Array(all.dropFirst(query.offset).prefix(query.k))
    }

    func ranked(_ query: RecommendationQuery, by vector: [Float]) -> [Ranked] {
        ranked(query, passing(query)) { dot(vector.span, item($0).span) }
    }

    func popular(_ query: RecommendationQuery) -> [Ranked] {
        guard let hotels = query.filter.hotels, let counts = contents.hotelPopularity else {
            return ranked(query, passing(query)) { contents.itemPopularity[$0] }
        }
        return ranked(query, passing(query)) { item in
            Set(hotels).reduce(0) { sum, hotel in
                let place = contents.catalogue.hotelItems[hotel.row].firstIndex(of: UInt32(item))
                return sum + (place.map { counts[hotel.row][$0] } ?? 0)
            }
        }
    }

    func item(_ row: Int) -> [Float] {
        let n = contents.factors.factorCount
        return Array(contents.factors.itemFactors[row * n..<(row + 1) * n])
    }

    func user(_ row: Int) -> [Float] {
        let n = contents.factors.factorCount
        return Array(contents.factors.userFactors[row * n..<(row + 1) * n])
    }

    // MARK: Fold-in, written out

    /// r of each item of the user's history and the basket, by item row.
    func strengths(user: UserIndex?, basket: [BasketItem]) -> [Int: Double] {
        var strengths: [Int: Double] = [:]
        if let user {
            for place in contents.interactions.range(ofRow: user.row) {
                strengths[Int(contents.interactions.indices[place])] = Double(contents.interactions.values[place])
            }
        }
        for entry in basket { strengths[entry.item.row, default: 0] += Double(entry.count) }
        return strengths
    }

    func confidence(_ strength: Double) -> Double {
        guard let foldIn = contents.foldIn else { return 1 }
        return (foldIn.confidence == .onePlusAlphaR ? 1 : 0) + Double(foldIn.alpha) * strength
    }

    /// A over all items, in double.
    func equations(_ strengths: [Int: Double]) -> (a: [Double], b: [Double]) {
        let n = contents.factors.factorCount
        var a = [Double](repeating: 0, count: n * n)
        var b = [Double](repeating: 0, count: n)
        for row in 0..<contents.catalogue.itemCount {
            let y = item(row).map { Double($0) }
            let c = strengths[row].map(confidence) ?? 1
            for i in 0..<n {
                for j in 0..<n { a[i * n + j] += c * y[i] * y[j] }
                if strengths[row] != nil { b[i] += c * y[i] }
            }
        }
        for i in 0..<n { a[i * n + i] += Double(contents.foldIn?.regularization ?? 0) }
        return (a, b)
    }
}

extension RecommendationScratch {
    var ranked: [EngineOracle.Ranked] {
        (0..<count).map { EngineOracle.Ranked(item: self[$0].item.row, score: self[$0].score) }
    }
}

/// A random query: each condition is there or not, lists may be empty, repeat and overlap.
func randomQuery(_ contents: ModelContents, using rng: inout SplitMix64) -> RecommendationQuery {
    let items = contents.catalogue.itemCount
    func some<Index>(_ count: Int, below: Int, _ make: (Int) -> Index) -> [Index] {
        below == 0
            ? []
            : (0..<Int.random(in: 0...count, using: &rng)).map { _ in make(Int.random(in: 0..<below, using: &rng)) }
    }
    func maybe<Value>(_ value: Value) -> Value? { Int.random(in: 0..<3, using: &rng) == 0 ? value : nil }
    let departments = Set(contents.catalogue.departmentIDs.compactMap { $0 }).count
    let price = Int64(Int.random(in: -1...items + 1, using: &rng)) * 1000
    let filter = ItemFilter(
        hotels: maybe(some(4, below: contents.catalogue.hotelIDs.count) { HotelIndex($0) }),
        departments: maybe(some(3, below: departments) { DepartmentIndex($0) }), minPrice: maybe(price),
        maxPrice: maybe(price + Int64(Int.random(in: -1...items, using: &rng)) * 1000),
        allow: maybe(some(items, below: items) { ItemIndex($0) }),
        deny: maybe(some(items / 2, below: items) { ItemIndex($0) }) ?? [])
    let user = Int.random(in: -1..<contents.userIDs.count, using: &rng)
    let basket =
        maybe(
            some(5, below: items) { BasketItem(item: ItemIndex($0), count: Float($0 % 3 + 1)) }) ?? []
    return RecommendationQuery(
        user: user < 0 ? nil : UserIndex(user), k: [0, 1, 2, 10, items, items + 7].randomElement(using: &rng) ?? 0,
        offset: [0, 0, 0, 1, 5, items - 1, items, items + 1].randomElement(using: &rng) ?? 0, filter: filter,
        excludeSeen: Bool.random(using: &rng), basket: basket)
}
