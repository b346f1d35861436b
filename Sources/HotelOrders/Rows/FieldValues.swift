/// What a field that should hold a whole number holds.
enum IntegerField: Equatable {
    /// Empty, `\N`, or the word null.
    case null
    case value(Int64)
    case unusable

    var value: Int64? {
        if case .value(let value) = self { value } else { nil }
    }
}

/// Numbers and times read straight from bytes: no String is made for a field.
enum FieldValues {
    /// Reads `-?digits`, with an optional `.0` as programs write whole numbers from columns that also hold nulls.
    ///
    /// A plus sign, grouping, an exponent and anything beyond Int64 are unusable. Spaces around are ignored.
    static func integer(_ bytes: Span<UInt8>, _ range: Range<Int>) -> IntegerField {
        let range = trimmed(bytes, range)
        if isNull(bytes, range) { return .null }
        var place = range.lowerBound
        let isNegative = bytes[place] == UInt8(ascii: "-")
        if isNegative { place += 1 }
        let firstDigit = place
        // Below zero all along: Int64.min has no positive twin.
        var value: Int64 = 0
        while place < range.upperBound, let digit = digit(bytes[place]) {
            let (scaled, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (next, tooLargeToo) = scaled.subtractingReportingOverflow(digit)
            if tooLarge || tooLargeToo { return .unusable }
            value = next
            place += 1
        }
        if place == firstDigit { return .unusable }
        if place < range.upperBound {
            if bytes[place] != UInt8(ascii: ".") || place + 1 == range.upperBound { return .unusable }
            for zero in place + 1..<range.upperBound where bytes[zero] != UInt8(ascii: "0") { return .unusable }
        }
        if isNegative { return .value(value) }
        return value == .min ? .unusable : .value(-value)
    }

    /// Reads `YYYY-MM-DD hh:mm:ss`, a `T` between and a fraction of a second allowed, the fraction dropped.
    ///
    /// - Returns: seconds since 1970-01-01 00:00:00 on the hotel's clock (the export names no zone); nil when it is no
    ///   such text, or no such day, as MariaDB's 0000-00-00.
    static func time(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int64? {
        let range = trimmed(bytes, range)
        let start = range.lowerBound
        guard range.count >= 19 else { return nil }
        guard let year = digits(bytes, start, 4), let month = digits(bytes, start + 5, 2),
            let day = digits(bytes, start + 8, 2), let hour = digits(bytes, start + 11, 2),
            let minute = digits(bytes, start + 14, 2), let second = digits(bytes, start + 17, 2)
        else { return nil }
        let separator = bytes[start + 10]
        guard bytes[start + 4] == UInt8(ascii: "-"), bytes[start + 7] == UInt8(ascii: "-"),
            separator == UInt8(ascii: " ") || separator == UInt8(ascii: "T"), bytes[start + 13] == UInt8(ascii: ":"),
            bytes[start + 16] == UInt8(ascii: ":")
        else { return nil }
        guard year >= 1, hour < 24, minute < 60, second < 60, day >= 1,
            day <= CivilTime.dayCount(month: month, year: year)
        else { return nil }
        if range.count > 19 {
            guard bytes[start + 19] == UInt8(ascii: "."), (21...26).contains(range.count) else { return nil }
            for place in start + 20..<range.upperBound where digit(bytes[place]) == nil { return nil }
        }
        return CivilTime.days(year: year, month: month, day: day) * 86_400 + hour * 3600 + minute * 60 + second
    }

    static func isNull(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        switch range.count {
        case 0: true
        case 2: bytes[range.lowerBound] == UInt8(ascii: "\\") && bytes[range.lowerBound + 1] == UInt8(ascii: "N")
        case 4: equalsIgnoringCase(bytes, range, "null")
        default: false
        }
    }

    /// - Parameter word: lower case ASCII of the range's length.
    static func equalsIgnoringCase(_ bytes: Span<UInt8>, _ range: Range<Int>, _ word: String) -> Bool {
        var place = range.lowerBound
        for byte in word.utf8 {
            if place == range.upperBound || bytes[place] | 0x20 != byte { return false }
            place += 1
        }
        return place == range.upperBound
    }

    static func equals(_ bytes: Span<UInt8>, _ range: Range<Int>, _ word: StaticString) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        // SAFETY: a static string's bytes live for ever; its length was compared.
        let wanted = unsafe UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount).span
        for offset in 0..<range.count where bytes[range.lowerBound + offset] != wanted[offset] { return false }
        return true
    }

    static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var range = range
        while !range.isEmpty && isSpace(bytes[range.lowerBound]) { range = range.lowerBound + 1..<range.upperBound }
        while !range.isEmpty && isSpace(bytes[range.upperBound - 1]) { range = range.lowerBound..<range.upperBound - 1 }
        return range
    }

    static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }

    private static func digit(_ byte: UInt8) -> Int64? {
        let value = byte &- UInt8(ascii: "0")
        return value < 10 ? Int64(value) : nil
    }

    private static func digits(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> Int64? {
        var value: Int64 = 0
        for place in start..<start + count {
            guard let digit = digit(bytes[place]) else { return nil }
            value = value * 10 + digit
        }
        return value
    }
}
