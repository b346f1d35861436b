/// Days and times of the proleptic Gregorian calendar, without zones.
///
/// Howard Hinnant, "chrono-compatible low-level date algorithms" (days_from_civil, civil_from_days).
enum CivilTime {
    /// Days since 1970-01-01.
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        // The year begins in March, so that the leap day is its last.
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (
            yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        )
    }

    /// Days of the month; 0 for a month that does not exist.
    static func dayCount(month: Int64, year: Int64) -> Int64 {
        switch month {
        case 1, 3, 5, 7, 8, 10, 12: 31
        case 4, 6, 9, 11: 30
        case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
        default: 0
        }
    }

    /// Monday is 0.
    static func weekday(days: Int64) -> Int {
        let shifted = (days + 3) % 7
        return Int(shifted < 0 ? shifted + 7 : shifted)
    }

    /// Appends `YYYY-MM-DD hh:mm:ss`, for years 0 to 9999.
    static func append(seconds: Int64, to text: inout [UInt8]) {
        let days = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
        let secondOfDay = seconds - days * 86_400
        let date = date(days: days)
        appendTwoDigits(date.year / 100, to: &text)
        appendTwoDigits(date.year % 100, to: &text)
        text.append(UInt8(ascii: "-"))
        appendTwoDigits(date.month, to: &text)
        text.append(UInt8(ascii: "-"))
        appendTwoDigits(date.day, to: &text)
        text.append(UInt8(ascii: " "))
        appendTwoDigits(secondOfDay / 3600, to: &text)
        text.append(UInt8(ascii: ":"))
        appendTwoDigits(secondOfDay / 60 % 60, to: &text)
        text.append(UInt8(ascii: ":"))
        appendTwoDigits(secondOfDay % 60, to: &text)
    }

    static func text(seconds: Int64) -> String {
        var text: [UInt8] = []
        append(seconds: seconds, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    private static func appendTwoDigits(_ value: Int64, to text: inout [UInt8]) {
        text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 10 % 10))
        text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
    }
}
