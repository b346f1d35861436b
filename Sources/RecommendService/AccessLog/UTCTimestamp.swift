package import HTTPMessages

/// Writes times as RFC 3339 wants them, in UTC with milliseconds: `2026-11-22T08:03:18.042Z`.
///
/// The text up to the second is kept: a loop writes thousands of lines within one.
package struct UTCTimestamp: ~Copyable {
    private var seconds = Int64.min
    private var text = ByteBuffer(capacity: 32)

    package init() {}

    /// - Precondition: `seconds`, since 1970, lie in the years 0 to 9999.
    package mutating func append(seconds: Int64, nanoseconds: Int, to buffer: inout ByteBuffer) {
        if seconds != self.seconds { write(seconds) }
        text.withBytes { buffer.append($0) }
        let milliseconds = nanoseconds / 1_000_000
        buffer.append(UInt8(ascii: "."))
        buffer.append(digit(milliseconds / 100))
        buffer.append(digit(milliseconds / 10))
        buffer.append(digit(milliseconds))
        buffer.append(UInt8(ascii: "Z"))
    }

    private mutating func write(_ seconds: Int64) {
        self.seconds = seconds
        let days = Int(seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400)
        let time = Int(seconds) - days * 86_400
        let (year, month, day) = Self.civil(days)
        text.removeAll()
        appendTwo(year / 100)
        appendTwo(year % 100)
        text.append(UInt8(ascii: "-"))
        appendTwo(month)
        text.append(UInt8(ascii: "-"))
        appendTwo(day)
        text.append(UInt8(ascii: "T"))
        appendTwo(time / 3600)
        text.append(UInt8(ascii: ":"))
        appendTwo(time / 60 % 60)
        text.append(UInt8(ascii: ":"))
        appendTwo(time % 60)
    }

    private mutating func appendTwo(_ value: Int) {
        text.append(digit(value / 10))
        text.append(digit(value))
    }

    private func digit(_ value: Int) -> UInt8 { UInt8(ascii: "0") + UInt8(value % 10) }

    /// The proleptic Gregorian date of a day counted from 1970-01-01.
    ///
    /// Hinnant, "chrono-compatible low-level date algorithms", civil_from_days: years begin in March, eras have 400 of them.
    private static func civil(_ days: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }
}
