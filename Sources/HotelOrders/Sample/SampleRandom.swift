/// Random numbers of the generator: the same keys give the same numbers on every machine.
///
/// SplitMix64 over whole numbers only: no floating point and no standard library hashing, which may differ between
/// machines and runs. State that belongs to a guest, a stay or an order is drawn from a stream keyed by its number, so
/// none of it has to be kept.
struct SampleRandom {
    /// What a stream is for: the same number under another purpose gives other draws.
    enum Purpose: UInt64 { case menu = 1, taste, guest, stay, time, lines, favourite, mess, name }

    private var state: UInt64

    init(seed: UInt64, _ purpose: Purpose, _ number: UInt64 = 0, _ secondNumber: UInt64 = 0) {
        let keyed = hashOfInteger(seed ^ hashOfInteger(purpose.rawValue))
        state = hashOfInteger(keyed ^ hashOfInteger(number ^ hashOfInteger(secondNumber)))
    }

    mutating func next() -> UInt64 {
        let value = hashOfInteger(state)
        state &+= 0x9E37_79B9_7F4A_7C15
        return value
    }

    /// Uniform in 0..<bound, to within bound / 2^64.
    mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

    mutating func chance(percent: Int) -> Bool { below(100) < percent }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    /// A place in `weights`, each as likely as its weight says.
    mutating func place(weights: [Int]) -> Int {
        var rest = below(weights.reduce(0, +))
        for (place, weight) in weights.enumerated() {
            if rest < weight { return place }
            rest -= weight
        }
        return weights.count - 1
    }
}
