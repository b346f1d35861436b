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

    /// Sleeps until the bytes read so far are not too many.
    mutating func wait(afterReading count: Int) {
        bytes += Double(count)
        let ahead = due(afterReading: bytes) - (ContinuousClock.now - began)
        guard ahead > .zero else { return }
        let (seconds, attoseconds) = ahead.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        // SAFETY: reads the struct that it is given. An interrupted sleep is made up for after the next piece.
        unsafe _ = nanosleep(&time, nil)
    }
}
