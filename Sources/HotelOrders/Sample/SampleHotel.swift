/// Part of the day in which an order is placed.
enum SampleDaypart: Int, CaseIterable {
    case breakfast, lunch, afternoon, dinner, late

    /// Seconds after midnight; late ends at two in the morning.
    var window: Range<Int> {
        switch self {
        case .breakfast: 7 * 3600..<10 * 3600
        case .lunch: 11 * 3600..<14 * 3600
        case .afternoon: 14 * 3600..<17 * 3600
        case .dinner: 17 * 3600..<21 * 3600
        case .late: 21 * 3600..<26 * 3600
        }
    }

    /// How the appetite for each category, in the order of `SampleCategory`, goes with the hour.
    var categoryWeights: [Int] {
        switch self {
        case .breakfast: [14, 3, 0, 1, 2, 4, 4, 10, 0, 3, 1, 4, 0]
        case .lunch: [1, 8, 3, 8, 9, 7, 4, 7, 1, 6, 2, 2, 0]
        case .afternoon: [0, 3, 3, 4, 3, 5, 9, 10, 3, 4, 5, 3, 0]
        case .dinner: [0, 10, 8, 10, 6, 5, 5, 3, 7, 6, 4, 2, 0]
        case .late: [0, 2, 12, 4, 8, 1, 4, 2, 12, 1, 4, 1, 0]
        }
    }
}

/// A hidden kind of guest: what a recommender is to find.
enum SampleTaste {
    /// Appetite for each category, in the order of `SampleCategory`.
    static let categoryWeights: [[Int]] = [
        [24, 2, 1, 3, 1, 2, 3, 18, 1, 1, 1, 4, 0],
        [3, 30, 3, 1, 6, 2, 2, 3, 4, 1, 1, 1, 0],
        [1, 4, 30, 3, 3, 1, 2, 1, 20, 1, 1, 1, 0],
        [4, 1, 2, 30, 2, 3, 4, 4, 8, 1, 1, 1, 0],
        [1, 5, 3, 2, 30, 2, 2, 3, 6, 1, 1, 1, 0],
        [5, 2, 1, 2, 2, 30, 2, 6, 1, 1, 8, 1, 0],
        [3, 1, 1, 2, 1, 2, 30, 16, 1, 3, 2, 1, 0],
        [1, 1, 2, 8, 1, 1, 3, 2, 30, 1, 4, 1, 0],
        [5, 4, 6, 5, 3, 2, 8, 2, 1, 30, 1, 1, 0],
        [4, 2, 1, 3, 1, 8, 5, 8, 4, 1, 30, 4, 0],
        [8, 3, 1, 6, 3, 3, 1, 22, 2, 1, 2, 24, 0],
        [4, 8, 8, 8, 8, 4, 6, 6, 6, 3, 2, 2, 0],
    ]
    /// How much one kind of guest likes one item more than others of its category, drawn once for each pair.
    static let itemWeights = [1, 1, 1, 1, 2, 3, 8, 20]

    static var count: Int { categoryWeights.count }
}

/// An invented hotel: its menu, and tables to draw from it.
struct SampleHotel {
    struct Item {
        let itemSeq: Int
        let departmentSeq: Int
        let price: Int
        /// As it stands between the quotes of a JSON string; no name needs an escape.
        let name: [UInt8]
        let category: SampleCategory
    }

    /// What the export tells the hotels apart by.
    let hotelSeq: Int
    let items: [Item]
    let freeItems: [Item]
    let floorCount: Int
    /// [taste × daypart], running sums of the weights of `items`.
    private let sums: [[UInt64]]

    /// Paid items on the menus of the five hotels: 384 in all.
    static let menuSizes = [104, 92, 80, 64, 44]
    private static let hotelSeqs = [3, 7, 12, 18, 25]
    /// In thousandths of the price list.
    private static let priceLevels = [1000, 1250, 900, 1500, 800]
    private static let floorCounts = [22, 18, 14, 12, 7]

    static func all(seed: UInt64) -> [SampleHotel] { hotelSeqs.indices.map { SampleHotel($0, seed: seed) } }

    private init(_ place: Int, seed: UInt64) {
        var random = SampleRandom(seed: seed, .menu, UInt64(place))
        // A shuffle decides what is on the menu and, by its order, how popular it is.
        var paid = SampleMenu.dishes.filter { $0.category != .free }
        for last in stride(from: paid.count - 1, to: 0, by: -1) { paid.swapAt(last, random.below(last + 1)) }
        let hotelSeq = Self.hotelSeqs[place]
        func item(_ dish: SampleDish, _ number: Int) -> Item {
            let price = dish.price * Self.priceLevels[place] / 1000 / 500 * 500
            let name =
                switch place % 3 {
                case 0: dish.korean
                case 1: "\(dish.korean) \(dish.english)"
                default: dish.english
                }
            return Item(
                itemSeq: hotelSeq * 1000 + number, departmentSeq: hotelSeq * 10 + dish.category.department,
                price: price,
                name: Array(name.utf8), category: dish.category)
        }
        let items = paid.prefix(Self.menuSizes[place]).enumerated().map { item($1, $0 + 1) }
        self.hotelSeq = hotelSeq
        self.items = items
        freeItems = SampleMenu.dishes.filter { $0.category == .free }.enumerated().map { item($1, $0 + 901) }
        floorCount = Self.floorCounts[place]
        var sums: [[UInt64]] = []
        for taste in 0..<SampleTaste.count {
            var draw = SampleRandom(seed: seed, .taste, UInt64(taste), UInt64(place))
            let liking = items.map { _ in draw.pick(SampleTaste.itemWeights) }
            for daypart in SampleDaypart.allCases {
                var sum: UInt64 = 0
                sums.append(
                    items.enumerated().map { rank, item in
                        // A long tail: the first item is about ten times as popular as the last of a large menu.
                        let popularity = 40_000 / (rank + 12)
                        let category = item.category.rawValue
                        sum += UInt64(
                            popularity * SampleTaste.categoryWeights[taste][category] * liking[rank]
                                * daypart.categoryWeights[category])
                        return sum
                    })
            }
        }
        self.sums = sums
    }

    /// An item as a guest of this taste chooses it at this time of day.
    func chooseItem(taste: Int, daypart: SampleDaypart, _ random: inout SampleRandom) -> Int {
        let sums = sums[taste * SampleDaypart.allCases.count + daypart.rawValue]
        let draw = UInt64(random.below(Int(sums[sums.count - 1])))
        var low = 0
        var high = sums.count - 1
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] > draw { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
