import Glibc

/// Seconds since it was made. Of whole nanoseconds: `ContinuousClock` measures in 128 bits, whose division costs more than both readings.
struct Stopwatch {
    private let began = Self.nanoseconds()

    var seconds: Double { Double(Self.nanoseconds() &- began) * 1e-9 }

    private static func nanoseconds() -> UInt64 {
        var now = timespec()
        // SAFETY: clock_gettime writes the timespec that it is given.
        unsafe _ = clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    }
}
