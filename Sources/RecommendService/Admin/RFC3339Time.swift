import FoundationEssentials

/// A moment as RFC 3339 section 5.6 writes it: `2026-11-22T22:00:00Z`, `2026-11-22T22:00:00.000+09:00`.
///
/// Only what the calendar has: Foundation takes 30 February for 2 March, and whoever mistypes a day would not be told. A second of 60
/// is refused: the clock that ends what lasts until then, the system's, has none. A fraction, which JavaScript's `toISOString` always
/// writes, counts as the whole second after it unless it is zero, so that nothing ends too early. An offset may lack its colon, as
/// `date +%z` writes it.
struct RFC3339Time: Equatable {
    /// Since 1970, in UTC.
    let seconds: Int64

    var date: Date { Date(timeIntervalSince1970: Double(seconds)) }

    /// - Returns: nil when the text is no such moment.
    init?(_ text: String) {
        var rest = Substring(text).utf8
        guard let year = Self.number(4, &rest), Self.take("-", &rest), let month = Self.number(2, &rest),
            Self.take("-", &rest), let day = Self.number(2, &rest), Self.take("T", &rest) || Self.take("t", &rest),
            let hour = Self.number(2, &rest), Self.take(":", &rest), let minute = Self.number(2, &rest),
            Self.take(":", &rest), let second = Self.number(2, &rest), let isBetween = Self.fraction(&rest),
            let offset = Self.offset(&rest), rest.isEmpty
        else { return nil }
        guard (1...12).contains(month), day >= 1, day <= Self.dayCount(month, year), hour <= 23, minute <= 59,
            second <= 59
        else { return nil }
        let local = ((Self.days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
        seconds = local - offset + (isBetween ? 1 : 0)
    }

    // MARK: The calendar

    private static func dayCount(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
        default: 31
        }
    }

    /// Days from 1970-01-01 to a date of the years 0 to 9999: Howard Hinnant's days_from_civil. Years begin in March, so that the leap
    /// day comes last; they are counted from 400 years early, so that nothing is negative.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let (era, yearOfEra) = (year + 400 - (month <= 2 ? 1 : 0)).quotientAndRemainder(dividingBy: 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return (era - 1) * 146_097 + dayOfEra - 719_468
    }

    // MARK: The text, taken from the front

    private static func take(_ wanted: Unicode.Scalar, _ rest: inout Substring.UTF8View) -> Bool {
        guard let first = rest.first, first == UInt8(ascii: wanted) else { return false }
        rest.removeFirst()
        return true
    }

    private static func digit(_ rest: inout Substring.UTF8View) -> Int64? {
        guard let first = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return nil }
        rest.removeFirst()
        return Int64(first - UInt8(ascii: "0"))
    }

    private static func number(_ digits: Int, _ rest: inout Substring.UTF8View) -> Int64? {
        var number: Int64 = 0
        for _ in 0..<digits {
            guard let digit = digit(&rest) else { return nil }
            number = number * 10 + digit
        }
        return number
    }

    /// Whether there is a fraction that is not zero; nil for a point without digits.
    private static func fraction(_ rest: inout Substring.UTF8View) -> Bool? {
        guard take(".", &rest) else { return false }
        guard var isBetween = digit(&rest).map({ $0 > 0 }) else { return nil }
        while let digit = digit(&rest) { isBetween = isBetween || digit > 0 }
        return isBetween
    }

    /// How far local time is ahead of UTC, in seconds.
    private static func offset(_ rest: inout Substring.UTF8View) -> Int64? {
        if take("Z", &rest) || take("z", &rest) { return 0 }
        let isAhead = take("+", &rest)
        guard isAhead || take("-", &rest), let hours = number(2, &rest), hours <= 23 else { return nil }
        _ = take(":", &rest)
        guard let minutes = number(2, &rest), minutes <= 59 else { return nil }
        return (isAhead ? 1 : -1) * (hours * 60 + minutes) * 60
    }
}
