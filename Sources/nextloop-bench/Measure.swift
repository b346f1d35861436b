/// Seconds that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    try body()
    return seconds(clock.now - start)
}

func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}

/// Times of many runs of one thing.
struct Timings {
    private var sorted: [Double]

    init(_ seconds: [Double]) {
        precondition(!seconds.isEmpty, "BUG: nothing measured")
        sorted = seconds.sorted()
    }

    /// Runs `body` `warmUp` times for nothing and `runs` times for the clock.
    init(runs: Int, warmUp: Int, _ body: () -> Void) {
        for _ in 0..<warmUp { body() }
        self.init((0..<max(1, runs)).map { _ in seconds(body) })
    }

    /// The time that `share` of the runs did not exceed.
    func quantile(_ share: Double) -> Double { sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))] }

    var median: Double { quantile(0.5) }
}

/// A seconds value in the unit that suits it.
func readable(_ seconds: Double) -> String {
    switch seconds {
    case ..<1e-3: "\(rounded(seconds * 1e6)) µs"
    case ..<1: "\(rounded(seconds * 1e3)) ms"
    default: "\(rounded(seconds)) s"
    }
}

/// Four significant digits or so; for tables, not for machines.
func rounded(_ value: Double) -> String {
    let scale: Double = value < 1 ? 10_000 : value < 10 ? 1_000 : value < 100 ? 100 : 10
    return "\((value * scale).rounded() / scale)"
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the same numbers on every machine.
struct SeededNumbers: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Uniform in [0, 1).
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// Roughly normal with variance 1: the sum of twelve uniforms.
    mutating func normal() -> Float { Float((0..<12).reduce(-6.0) { sum, _ in sum + uniform() }) }
}
