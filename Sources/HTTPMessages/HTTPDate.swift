/// The value of a `Date` field: IMF-fixdate, as `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7).
package struct HTTPDate: Sendable {
    private var text: InlineArray<29, UInt8>

    /// - Parameter unixSeconds: seconds since 1970-01-01 00:00:00 UTC, without leap seconds; 1970 to 9999.
    package init(unixSeconds: Int64) {
        text = InlineArray(repeating: .space)
        let (days, second) = max(0, unixSeconds).quotientAndRemainder(dividingBy: 86_400)
        // Days to year, month and day by Howard Hinnant's civil_from_days: years start in March, so that the leap day
        // comes last; an era is 400 years, 146,097 days.
        let shifted = days + 719_468
        let (era, dayOfEra) = shifted.quotientAndRemainder(dividingBy: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        put("SunMonTueWedThuFriSat", part: Int((days + 4) % 7), at: 0)  // 1970-01-01 was a Thursday.
        text[3] = UInt8(ascii: ",")
        put(day, digits: 2, at: 5)
        put("JanFebMarAprMayJunJulAugSepOctNovDec", part: Int(month - 1), at: 8)
        put(year, digits: 4, at: 12)
        put(second / 3600, digits: 2, at: 17)
        text[19] = .colon
        put(second / 60 % 60, digits: 2, at: 20)
        text[22] = .colon
        put(second % 60, digits: 2, at: 23)
        put("GMT", part: 0, at: 26)
    }

    package borrowing func withBytes<R>(_ body: (Span<UInt8>) -> R) -> R { body(text.span) }

    private mutating func put(_ value: Int64, digits: Int, at place: Int) {
        var rest = value
        for offset in stride(from: digits - 1, through: 0, by: -1) {
            text[place + offset] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }

    /// Writes the three letters number `part` of `names`.
    private mutating func put(_ names: StaticString, part: Int, at place: Int) {
        precondition(part >= 0 && part * 3 + 3 <= names.utf8CodeUnitCount, "BUG: no such name")
        for offset in 0..<3 {
            // SAFETY: the index was just checked against the literal's length.
            text[place + offset] = unsafe names.utf8Start[part * 3 + offset]
        }
    }
}
