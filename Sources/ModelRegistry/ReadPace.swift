import Glibc

/// Holds a reader to a number of bytes per second.
struct ReadPace {
    private let bytesPerSecondMax: Int
    private let began = ContinuousClock.now
    private var bytes = 0.0

    /// - Parameter bytesPerSecondMax: below 1 counts as 1.
    init(bytesPerSecondMax: Int) { self.bytesPerSecondMax = max(1, bytesPerSecondMax) }

    /// To read at once: a twentieth of a second's worth, 4 KiB to 1 MiB.
    var chunkBytes: Int { min(max(bytesPerSecondMax / 20, 4 << 10), 1 << 20) }

    /// When the next piece may be read, counted from the beginning.
    func due(afterReading total: Double) -> Duration { .seconds(total / Double(bytesPerSecondMax)) }

    /// Sleeps until the bytes read so far are not too many, or somebody asks for an end.
    mutating func wait(afterReading count: Int, unless interruption: Interruption? = nil) {
        bytes += Double(count)
        while interruption?.isAsked != true {
            let ahead = due(afterReading: bytes) - (ContinuousClock.now - began)
            guard ahead > .zero else { return }
            let (_, attoseconds) = min(ahead, Self.napMax).components
            var time = timespec(tv_sec: 0, tv_nsec: Int(attoseconds / 1_000_000_000))
            // SAFETY: reads the struct that it is given. A sleep that a signal ends is made up for by the next.
            unsafe _ = nanosleep(&time, nil)
        }
    }

    /// Between two looks at whether somebody asks for an end.
    private static var napMax: Duration { .milliseconds(50) }
}
