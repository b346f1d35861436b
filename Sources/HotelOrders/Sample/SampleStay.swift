/// A guest's lasting traits, drawn again from the guest's number whenever they are needed.
struct SampleGuest {
    enum Party: Int { case alone, couple, family, group }

    let customerSeq: Int
    let homeHotel: Int
    /// The taste that most orders follow, and a second one.
    let taste: Int
    let secondTaste: Int
    let party: Party

    private static let hotelWeights = [30, 25, 20, 15, 10]

    init(_ number: Int, _ world: SampleWorld) {
        var random = SampleRandom(seed: world.seed, .guest, UInt64(number))
        customerSeq = world.customerSeq(of: number)
        homeHotel = random.place(weights: Self.hotelWeights)
        taste = random.below(SampleTaste.count)
        secondTaste = random.below(SampleTaste.count)
        party = [.alone, .alone, .couple, .couple, .couple, .family, .family, .group][random.below(8)]
    }
}

/// One stay, drawn from its number and the day of its check-in.
struct SampleStay {
    let guestNumber: Int
    let guest: SampleGuest
    /// Place among the hotels.
    let hotel: Int
    let nights: Int
    /// Seconds since 1970.
    let checkIn: Int64
    let checkOutExpected: Int64
    let checkOut: Int64
    let adults: Int
    let children: Int
    let babies: Int
    let building: Int
    let floor: Int
    /// On the floor, from 1.
    let room: Int
    /// Orders as far as the stay is concerned; the export may end before the last.
    let orderCount: Int

    static let nightsMax = 7
    private static let nightWeights = [34, 30, 16, 9, 5, 3, 3]

    init(_ number: UInt64, day: Int64, _ world: SampleWorld) {
        var random = SampleRandom(seed: world.seed, .stay, number)
        // The square of a uniform number: a hundredth of the guests has a tenth of the stays.
        let uniform = random.next() >> 32
        let squared = (uniform * uniform) >> 32
        guestNumber = Int((squared * UInt64(world.customers)) >> 32)
        guest = SampleGuest(guestNumber, world)
        hotel = random.chance(percent: 85) ? guest.homeHotel : random.below(world.hotels.count)
        nights = 1 + random.place(weights: Self.nightWeights)
        checkIn = day * 86_400 + Int64(15 * 3600 + random.below(5 * 3600))
        let lastDay = day + Int64(nights)
        checkOutExpected = lastDay * 86_400 + 11 * 3600
        checkOut = lastDay * 86_400 + Int64(10 * 3600 + random.below(2 * 3600))
        switch guest.party {
        case .alone: (adults, children, babies) = (1, 0, 0)
        case .couple: (adults, children, babies) = (2, 0, 0)
        case .family: (adults, children, babies) = (2, random.below(3), random.chance(percent: 25) ? 1 : 0)
        case .group: (adults, children, babies) = (3 + random.below(3), 0, 0)
        }
        building = 1 + random.below(2)
        floor = 2 + random.below(world.hotels[hotel].floorCount)
        room = 1 + random.below(24)
        orderCount = 1 + random.below(2 + nights)
    }

    /// When the stay's order `ordinal` is placed: never before the check-in, never after the check-out.
    func orderTime(_ ordinal: Int, _ number: UInt64, _ world: SampleWorld) -> (seconds: Int64, daypart: SampleDaypart) {
        var random = SampleRandom(seed: world.seed, .time, number, UInt64(ordinal))
        let night = random.below(nights + 1)
        let day = checkIn / 86_400 + Int64(night)
        let isWeekend = CivilTime.weekday(days: day) >= 4
        var weights = isWeekend ? [16, 14, 14, 30, 26] : [22, 14, 10, 34, 20]
        if night == 0 { weights[0] = 0; weights[1] = 0; weights[2] = 0 }
        if night == nights { weights = [1, 0, 0, 0, 0] }
        let daypart = SampleDaypart.allCases[random.place(weights: weights)]
        let window = daypart.window
        let seconds = day * 86_400 + Int64(window.lowerBound + random.below(window.count))
        return (max(seconds, checkIn + 300), daypart)
    }
}

/// What all draws of one sample share.
struct SampleWorld {
    let seed: UInt64
    let customers: Int
    let hotels: [SampleHotel]
    private let stride: Int

    init(seed: UInt64, customers: Int) {
        self.seed = seed
        self.customers = customers
        hotels = SampleHotel.all(seed: seed)
        // Without a common divisor, so that n · stride mod customers meets every number once.
        var stride = customers * 5 / 8 | 1
        while Self.greatestCommonDivisor(stride, customers) != 1 { stride += 2 }
        self.stride = stride
    }

    /// Busy guests are spread over the numbers.
    func customerSeq(of number: Int) -> Int {
        10_001 + Int((UInt64(number) * UInt64(stride)) % UInt64(customers))
    }

    private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
        b == 0 ? a : greatestCommonDivisor(b, a % b)
    }
}
