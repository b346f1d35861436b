import FactorModel

/// Text of a JSON string as it is shown on a menu.
enum ContentsText {
    /// Appends the string with escapes decoded, control characters made spaces, runs of spaces made one, none at the
    /// ends, cut between characters to `ModelLimits.nameBytesMax` bytes.
    ///
    /// An escape that JSON does not know stands for the character behind the backslash; half a surrogate pair for U+FFFD.
    ///
    /// - Precondition: the text is UTF-8.
    static func appendCleaned(_ text: Span<UInt8>, _ range: Range<Int>, to name: inout [UInt8]) {
        let start = name.count
        var place = range.lowerBound
        while place < range.upperBound {
            let byte = text[place]
            if byte == UInt8(ascii: "\\") && place + 1 < range.upperBound {
                append(decodeEscape(text, &place, range.upperBound), to: &name, from: start)
            } else {
                if byte > 0x20 && byte != 0x7F { name.append(byte) } else { appendSpace(to: &name, from: start) }
                place += 1
            }
        }
        if name.count - start > ModelLimits.nameBytesMax {
            var end = start + ModelLimits.nameBytesMax
            while name[end] & 0xC0 == 0x80 { end -= 1 }
            name.removeLast(name.count - end)
        }
        if name.count > start && name[name.count - 1] == 0x20 { name.removeLast() }
    }

    private static func appendSpace(to name: inout [UInt8], from start: Int) {
        if name.count > start && name[name.count - 1] != 0x20 { name.append(0x20) }
    }

    private static func append(_ scalar: Unicode.Scalar, to name: inout [UInt8], from start: Int) {
        if scalar.value <= 0x20 || scalar.value == 0x7F { return appendSpace(to: &name, from: start) }
        name.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    /// Steps over one escape. What follows the backslash may be the first byte of a longer character: then only the
    /// backslash is dropped, with a space in its place, which the cleaning makes one with its neighbours.
    private static func decodeEscape(_ text: Span<UInt8>, _ place: inout Int, _ end: Int) -> Unicode.Scalar {
        let byte = text[place + 1]
        if byte >= 0x80 {
            place += 1
            return " "
        }
        place += 2
        switch byte {
        case UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"), UInt8(ascii: "b"), UInt8(ascii: "f"): return " "
        case UInt8(ascii: "u"): break
        default: return Unicode.Scalar(byte)
        }
        guard let unit = hexUnit(text, place, end) else { return "\u{FFFD}" }
        place += 4
        if let scalar = Unicode.Scalar(unit) { return scalar }
        // A high surrogate needs the low one right behind it.
        guard unit < 0xDC00, place + 1 < end, text[place] == UInt8(ascii: "\\"), text[place + 1] == UInt8(ascii: "u"),
            let low = hexUnit(text, place + 2, end), (0xDC00...0xDFFF).contains(low)
        else { return "\u{FFFD}" }
        place += 6
        return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)) ?? "\u{FFFD}"
    }

    private static func hexUnit(_ text: Span<UInt8>, _ start: Int, _ end: Int) -> UInt32? {
        guard start + 4 <= end else { return nil }
        var unit: UInt32 = 0
        for place in start..<start + 4 {
            let digit: UInt8
            switch text[place] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = text[place] - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = text[place] - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = text[place] - UInt8(ascii: "A") + 10
            default: return nil
            }
            unit = unit << 4 | UInt32(digit)
        }
        return unit
    }
}

/// Whether bytes are UTF-8 as the Unicode Standard defines it: shortest forms only, no surrogates, at most U+10FFFF.
enum UTF8Check {
    static func isValid(_ bytes: Span<UInt8>) -> Bool {
        var place = 0
        while place < bytes.count {
            let first = bytes[place]
            if first < 0x80 {
                place += 1
                continue
            }
            let length: Int
            var second: ClosedRange<UInt8> = 0x80...0xBF
            switch first {
            case 0xC2...0xDF: length = 2
            case 0xE0...0xEF:
                length = 3
                if first == 0xE0 { second = 0xA0...0xBF }
                if first == 0xED { second = 0x80...0x9F }
            case 0xF0...0xF4:
                length = 4
                if first == 0xF0 { second = 0x90...0xBF }
                if first == 0xF4 { second = 0x80...0x8F }
            default: return false
            }
            guard place + length <= bytes.count, second.contains(bytes[place + 1]) else { return false }
            if length > 2 && bytes[place + 2] & 0xC0 != 0x80 { return false }
            if length > 3 && bytes[place + 3] & 0xC0 != 0x80 { return false }
            place += length
        }
        return true
    }
}
