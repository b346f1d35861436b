import TestSupport
import Testing

@testable import HotelOrders

@Suite("Parts of a history") struct HistoryPartsTests {
    @Test("seen orders are a set, dense or scattered", arguments: 1...6 as ClosedRange<UInt64>)
    func seenOrders(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        var seen = SeenOrders()
        var oracle: Set<Int64> = []
        for _ in 0..<5000 {
            let number = Bool.random(using: &rng) ? Int64.random(in: 0...9000, using: &rng) : Int64(rng.next() >> 1)
            #expect(seen.contains(number) == oracle.contains(number))
            seen.insert(number)
            oracle.insert(number)
        }
        for number in [0, 63, 64, 9000, .max] as [Int64] {
            #expect(seen.contains(number) == oracle.contains(number))
            seen.insert(number)
            #expect(seen.contains(number))
        }
    }

    @Test("a number keeps its index, new ones count up", arguments: 1...6 as ClosedRange<UInt64>)
    func numberIndex(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        var index = NumberIndex()
        var oracle: [UInt64: UInt32] = [:]
        for _ in 0..<5000 {
            let number = Bool.random(using: &rng) ? UInt64.random(in: 0...900, using: &rng) : rng.next()
            let wanted = oracle[number] ?? UInt32(oracle.count)
            oracle[number] = wanted
            #expect(index.index(of: number) == wanted)
        }
        #expect(index.count == oracle.count)
        #expect(index.sortedIndices().map { index.numbers[Int($0)] } == oracle.keys.sorted())
    }

    @Test(
        "pairs are counted as a dictionary counts them, however often they are merged", arguments: [1, 2, 7, 100_000])
    func pairCounter(pendingMin: Int) {
        var rng = SplitMix64(seed: UInt64(pendingMin))
        var counter = PairCounter(pendingMin: pendingMin)
        var oracle: [UInt64: UInt32] = [:]
        for _ in 0..<3000 {
            let user = UInt32.random(in: 0...40, using: &rng)
            let item = UInt32.random(in: 0...20, using: &rng)
            counter.add(user, item)
            oracle[UInt64(user) << 32 | UInt64(item), default: 0] += 1
        }
        counter.merge()
        #expect(counter.pairs == oracle.keys.sorted())
        #expect(counter.counts == oracle.keys.sorted().compactMap { oracle[$0] })
    }

    @Test(
        "the last order is the greatest by date, then number, in any order of arrival",
        arguments: 1...20 as ClosedRange<UInt64>)
    func lastOrders(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        var orders = LastOrders()
        var oracle: [[(date: Int64, seq: Int64, hotel: UInt32, items: [UInt32])]] = []
        for seq in (0..<600).map({ Int64($0) }).shuffled(using: &rng) {
            let user = oracle.isEmpty ? 0 : Int.random(in: 0...min(oracle.count, 30), using: &rng)
            if user == oracle.count { oracle.append([]) }
            let date = Int64.random(in: 0...9, using: &rng)
            let items = (0..<Int.random(in: 1...9, using: &rng)).map { _ in UInt32.random(in: 0...99, using: &rng) }
            let hotel = UInt32.random(in: 0...3, using: &rng)
            orders.add(user: UInt32(user), regDate: date, orderSeq: seq, hotel: hotel, items: items)
            oracle[user].append((date, seq, hotel, items))
        }
        for (user, all) in oracle.enumerated() {
            let got = orders.latest(user: UInt32(user))
            let last = all.max { ($0.date, $0.seq) < ($1.date, $1.seq) }
            #expect(got.hotel == last?.hotel && Array(got.items) == last?.items, "seed \(seed), user \(user)")
            #expect(got.hasSeveral == (all.count > 1), "seed \(seed), user \(user)")
        }
    }

    @Test("each attribute of an item comes from the latest order that knows it")
    func itemDetails() {
        var parser = ContentsParser()
        var details = ItemDetails()
        func add(_ date: Int64, _ seq: Int64, _ place: Int32, _ text: String) {
            let bytes = Array(text.utf8)
            try? parser.parse(bytes.span)
            for element in parser.elements {
                details.add(
                    item: 0, stamp: ItemDetails.Stamp(regDate: date, orderSeq: seq, place: place), element,
                    names: parser.names)
            }
        }
        add(5, 1, 0, #"{"itemName":"new","price":3}"#)
        add(4, 9, 0, #"{"itemName":"old","price":2,"departmentSeq":8}"#)
        add(5, 0, 9, #"{"itemName":"older number"}"#)
        add(6, 0, 0, #"{"price":-1,"departmentSeq":null,"itemName":" "}"#)
        #expect(details.name(0) == "new")
        #expect(details.price(0) == 3)
        #expect(details.departmentID(0) == "8")
        add(5, 1, 1, #"{"itemName":"same order, later line","price":0}"#)
        #expect(details.name(0) == "same order, later line")
        #expect(details.price(0) == 0)
    }
}
