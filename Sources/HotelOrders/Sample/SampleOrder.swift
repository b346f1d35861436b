/// One order of a stay: what was ordered, and what became of it.
struct SampleOrder {
    struct Line {
        let item: SampleHotel.Item
        let count: Int
        let freeCount: Int
        let couponSeq: Int?
        /// KRW, after free pieces and coupon.
        let resultPrice: Int
    }

    enum Status: String { case complete = "COMPLETE", cancel = "CANCEL", refuse = "REFUSE", check = "CHECK" }

    let lines: [Line]
    let status: Status
    let isRequest: Bool
    /// Seconds after the order; nil when it did not happen.
    let checkDelay: Int?
    let closeDelay: Int?
    let waitingPeriod: Int
    let delayPeriod: Int

    var price: Int { lines.reduce(0) { $0 + $1.resultPrice } }

    init(_ scheduled: SampleSchedule.Order, _ stay: SampleStay, _ world: SampleWorld) {
        var random = SampleRandom(seed: world.seed, .lines, scheduled.stay, UInt64(scheduled.ordinal))
        let hotel = world.hotels[stay.hotel]
        let daypart = SampleDaypart.allCases[Int(scheduled.daypart)]
        isRequest = random.chance(percent: 10)
        if isRequest {
            let item = random.pick(hotel.freeItems)
            let count = 1 + random.below(3)
            lines = [Line(item: item, count: count, freeCount: count, couponSeq: nil, resultPrice: 0)]
        } else {
            lines = Self.chooseLines(stay, hotel, daypart, world, &random)
        }
        let fate = random.below(100)
        status = fate < 91 ? .complete : fate < 95 ? .cancel : fate < 98 ? .refuse : .check
        waitingPeriod = 5 + random.below(40)
        delayPeriod = random.chance(percent: 15) ? 5 + random.below(25) : 0
        let check = 20 + random.below(600)
        checkDelay = status == .cancel ? nil : check
        closeDelay =
            switch status {
            case .complete: check + (waitingPeriod + delayPeriod) * 60
            case .refuse: check + 30
            case .cancel, .check: nil
            }
    }

    private static func chooseLines(
        _ stay: SampleStay, _ hotel: SampleHotel, _ daypart: SampleDaypart, _ world: SampleWorld,
        _ random: inout SampleRandom
    ) -> [Line] {
        let guests = stay.adults + stay.children
        let wanted = 1 + random.below(guests == 1 ? 2 : 3) + (random.chance(percent: 15) ? 1 : 0)
        var chosen: [Int] = []
        // A repeat is dropped, not drawn again: small orders are the common ones.
        for _ in 0..<wanted {
            let item = chooseItem(stay, hotel, daypart, world, &random)
            if !chosen.contains(item) { chosen.append(item) }
        }
        return chosen.map { place in
            let item = hotel.items[place]
            let count = guests > 1 && random.chance(percent: 40) ? 1 + random.below(guests) : 1
            let freeCount = count > 2 && random.chance(percent: 5) ? 1 : 0
            let full = item.price * (count - freeCount)
            let hasCoupon = random.chance(percent: 6)
            return Line(
                item: item, count: count, freeCount: freeCount, couponSeq: hasCoupon ? 500 + random.below(12) : nil,
                resultPrice: hasCoupon ? full * 9 / 10 : full)
        }
    }

    /// One of the guest's own favourites, or by taste and hour, or what everybody orders.
    private static func chooseItem(
        _ stay: SampleStay, _ hotel: SampleHotel, _ daypart: SampleDaypart, _ world: SampleWorld,
        _ random: inout SampleRandom
    ) -> Int {
        let way = random.below(100)
        if way < 30 {
            // Which item the favourite is follows from guest, hotel and its number alone.
            let favourite = random.place(weights: [40, 30, 20, 10])
            var draw = SampleRandom(
                seed: world.seed, .favourite, UInt64(stay.guestNumber) << 3 | UInt64(stay.hotel),
                UInt64(favourite))
            let usual = draw.pick(SampleDaypart.allCases)
            return hotel.chooseItem(taste: stay.guest.taste, daypart: usual, &draw)
        }
        let taste = way < 78 ? stay.guest.taste : way < 95 ? stay.guest.secondTaste : SampleTaste.count - 1
        return hotel.chooseItem(taste: taste, daypart: daypart, &random)
    }
}
