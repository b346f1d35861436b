// Character classes of the RFCs and comparisons with literals, over spans.

/// A set of ASCII characters in two words, one bit a character: a look-up without a table in memory.
struct CharacterSet128 {
    let low: UInt64
    let high: UInt64

    /// `tchar`, RFC 9110 section 5.6.2: letters, digits and !#$%&'*+-.^_`|~
    static var token: CharacterSet128 { CharacterSet128(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE) }

    /// `reg-name`, RFC 3986 section 3.2.2: unreserved, sub-delims and the percent of an escape.
    static var registeredName: CharacterSet128 {
        CharacterSet128(low: 0x2BFF_7FF2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
    }

    /// `pchar` and `/`, RFC 3986 section 3.3: unreserved, sub-delims, colon, at and the percent of an escape.
    static var path: CharacterSet128 { CharacterSet128(low: 0x2FFF_FFF2_0000_0000, high: 0x47FF_FFFE_87FF_FFFF) }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte < 64 ? low : high
        return byte < 128 && word >> UInt64(byte & 63) & 1 == 1
    }
}

extension UInt8 {
    static var tab: UInt8 { 0x09 }
    static var lineFeed: UInt8 { 0x0A }
    static var carriageReturn: UInt8 { 0x0D }
    static var space: UInt8 { 0x20 }
    static var colon: UInt8 { 0x3A }

    /// Optional white space of RFC 9110 section 5.6.3.
    var isOptionalWhiteSpace: Bool { self == .space || self == .tab }

    /// `field-vchar`, space and tab: everything a field value may hold (RFC 9110 section 5.5).
    @inline(__always)
    var isFieldContent: Bool { (self >= 0x20 && self != 0x7F) || self == .tab }

    /// 0-15 for a hexadecimal digit.
    var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

    var asciiLowercased: UInt8 { self >= UInt8(ascii: "A") && self <= UInt8(ascii: "Z") ? self | 0x20 : self }
}

extension Span<UInt8> {
    /// Exactly the bytes of an ASCII literal.
    func equals(_ literal: StaticString) -> Bool { matches(literal, from: 0, to: count, foldingCase: false) }

    /// The bytes of a lower-case ASCII literal, in any case.
    package func equalsIgnoringCase(_ lowercase: StaticString) -> Bool {
        matches(lowercase, from: 0, to: count, foldingCase: true)
    }

    /// Whether `start..<end` holds `literal`; with `foldingCase` the literal must be lower-case.
    func matches(_ literal: StaticString, from start: Int, to end: Int, foldingCase: Bool) -> Bool {
        guard end - start == literal.utf8CodeUnitCount else { return false }
        // SAFETY: a literal of several ASCII characters points at its bytes for the life of the program; the index
        // stays below its count.
        let text = unsafe literal.utf8Start
        for index in 0..<(end - start) {
            let byte = self[start + index]
            guard unsafe (foldingCase ? byte.asciiLowercased : byte) == text[index] else { return false }
        }
        return true
    }

    /// Whether a `%` at `index` begins an escape that ends before `end` and stands for anything but NUL (RFC 3986 section
    /// 2.1). `%00` is a byte that no path or name has, and a trap for whatever ends strings there.
    func isEscape(at index: Int, before end: Int) -> Bool {
        guard index + 2 < end, let high = self[index + 1].hexadecimalValue, let low = self[index + 2].hexadecimalValue
        else { return false }
        return high | low != 0
    }

    /// `range` without optional white space at both ends.
    func trimmingWhiteSpace(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, self[start].isOptionalWhiteSpace { start += 1 }
        while end > start, self[end - 1].isOptionalWhiteSpace { end -= 1 }
        return start..<end
    }

    /// Calls `body` with each member of a comma-separated list (RFC 9110 section 5.6.1), trimmed; empty ones are skipped.
    package func forEachListMember(in range: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = range.lowerBound
        for index in range.lowerBound...range.upperBound
        where index == range.upperBound || self[index] == UInt8(ascii: ",") {
            let member = trimmingWhiteSpace(start..<index)
            if !member.isEmpty { body(member) }
            start = index + 1
        }
    }
}
