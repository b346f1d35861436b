import CLinux
import HTTPMessages

/// The machine's clocks.
enum Clock {
    static func now() -> MonotonicTime { MonotonicTime(nanoseconds: clinux_monotonic_nanoseconds()) }

    /// Seconds since 1970, as of the last clock tick (a few milliseconds): for the `Date` field.
    static func unixSeconds() -> Int64 { clinux_unix_seconds() }
}
