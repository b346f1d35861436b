package import HTTPMessages

/// Writes JSON (RFC 8259) without building a tree: the answers are small and their shape is known.
extension ByteBuffer {
    /// `text` as a JSON string, quotes included.
    ///
    /// - Precondition: valid UTF-8: ids and names were checked when the model was opened, parameters when decoded.
    package mutating func appendJSONString(_ text: Span<UInt8>) {
        append(UInt8(ascii: "\""))
        if hasEscaped(text) { appendEscaping(text) } else { append(text) }
        append(UInt8(ascii: "\""))
    }

    private mutating func appendEscaping(_ text: Span<UInt8>) {
        var runStart = 0
        for index in text.indices where isEscaped(text[index]) {
            append(text.extracting(runStart..<index))
            appendEscape(of: text[index])
            runStart = index + 1
        }
        append(text.extracting(runStart..<text.count))
    }

    package mutating func appendJSONString(_ text: String) {
        appendJSONString(text.utf8.span)
    }

    /// The shortest decimal that reads back as the same float32, in the form of `Float.description`: `0.25`, `16777216.0`,
    /// `1e-05`.
    ///
    /// - Precondition: finite; factors are checked when the model is opened, and so are the sums of their products.
    package mutating func appendJSONNumber(_ value: Float) {
        precondition(value.isFinite, "BUG: JSON has no \(value)")
        if value.sign == .minus { append(UInt8(ascii: "-")) }
        if value == 0 { return append("0.0" as StaticString) }
        let decimal = ShortestDecimal(value)
        let digits = DecimalDigits(decimal.digits)
        // The value is 0.digits · 10^point.
        let point = decimal.exponent + digits.countWithZeros
        if point < -3 || abs(value) > 0x1p24 {
            append(digits, from: 0, to: 1)
            if digits.count > 1 {
                append(UInt8(ascii: "."))
                append(digits, from: 1, to: digits.count)
            }
            append(UInt8(ascii: "e"))
            append(point > 0 ? UInt8(ascii: "+") : UInt8(ascii: "-"))
            let power = abs(point - 1)
            append(UInt8(ascii: "0") + UInt8(power / 10))
            append(UInt8(ascii: "0") + UInt8(power % 10))
        } else if point <= 0 {
            append("0." as StaticString)
            append(-point, lowestBytesOf: DecimalDigits.zeros)
            append(digits, from: 0, to: digits.count)
        } else if digits.count <= point {
            append(digits, from: 0, to: digits.count)
            append(point - digits.count, lowestBytesOf: DecimalDigits.zeros)
            append(".0" as StaticString)
        } else {
            append(digits, from: 0, to: point)
            append(UInt8(ascii: "."))
            append(digits, from: point, to: digits.count)
        }
    }

    /// Digits `from`..<`to` in ASCII, at most two stores.
    private mutating func append(_ digits: DecimalDigits, from: Int, to: Int) {
        append(Swift.min(to, 8) - from, lowestBytesOf: digits.first >> UInt64(8 * from))
        if to == 9 { append(digits.ninth) }
    }

    private mutating func appendEscape(of byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"" as StaticString)
        case UInt8(ascii: "\\"): append("\\\\" as StaticString)
        case UInt8(ascii: "\n"): append("\\n" as StaticString)
        case UInt8(ascii: "\r"): append("\\r" as StaticString)
        case UInt8(ascii: "\t"): append("\\t" as StaticString)
        default:
            append("\\u00" as StaticString)
            append(hexDigit(byte >> 4))
            append(hexDigit(byte & 15))
        }
    }
}

/// The decimal digits of a whole number in ASCII, without zeros at the end.
private struct DecimalDigits {
    static let zeros: UInt64 = 0x3030_3030_3030_3030

    /// The first eight, the first of all in the lowest byte; zeros behind the last.
    let first: UInt64
    let ninth: UInt8
    /// Without the zeros at the end.
    let count: Int
    let countWithZeros: Int

    /// - Parameter number: 1 to 999,999,999.
    init(_ number: UInt32) {
        let top = number / 100_000_000
        let eight = Self.eightDigits(number % 100_000_000)
        let digits: UInt64
        if top > 0 {
            (digits, ninth) = (UInt64(top) | eight << 8, UInt8(eight >> 56) | UInt8(ascii: "0"))
            countWithZeros = 9
        } else {
            let leading = eight.trailingZeroBitCount / 8
            (digits, ninth) = (eight >> UInt64(8 * leading), UInt8(ascii: "0"))
            countWithZeros = 8 - leading
        }
        first = digits | Self.zeros
        count = ninth == UInt8(ascii: "0") ? 8 - digits.leadingZeroBitCount / 8 : 9
    }

    /// The digits of a number below 10⁸ as bytes, the first in the lowest: halved three times, all parts of a word at once.
    ///
    /// x / 100 is x · 10486 / 2^20 below 10⁴, and x / 10 is x · 103 / 2^10 below 100.
    private static func eightDigits(_ number: UInt32) -> UInt64 {
        let fours = UInt64(number / 10_000) | UInt64(number % 10_000) << 32
        let hundreds = (fours &* 10_486) >> 20 & 0x0000_007F_0000_007F
        let twos = hundreds | (fours &- hundreds &* 100) << 16
        let tens = (twos &* 103) >> 10 & 0x000F_000F_000F_000F
        return tens | (twos &- tens &* 10) << 8
    }
}

/// Whether a JSON string must escape one of the bytes (RFC 8259 section 7: quotation mark, reverse solidus and the controls).
///
/// Eight bytes at a time, the last of them once more: names and ids are all but always without one.
private func hasEscaped(_ text: Span<UInt8>) -> Bool {
    let count = text.count
    // SAFETY: a byte has no padding that reading could leak; the view lives in this call.
    let bytes = unsafe text.bytes
    guard count >= 8 else {
        if count < 4 { return text.indices.contains { isEscaped(text[$0]) } }
        // SAFETY: the first and the last four of at least four bytes; every bit pattern is a UInt32.
        let first = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: 0, as: UInt32.self)
        // SAFETY: as above.
        let last = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: count - 4, as: UInt32.self)
        return hasEscaped(UInt64(first) | UInt64(last) << 32)
    }
    var start = 0
    while true {
        // SAFETY: start is at most count - 8; every bit pattern is a UInt64.
        if hasEscaped(unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt64.self)) { return true }
        if start == count - 8 { return false }
        start = min(start + 8, count - 8)
    }
}

/// Whether one of eight bytes must be escaped. Bytes from 0x80 on never must.
///
/// A byte below `n` borrows into its highest bit when `n` is taken from it, and one that is `c` is below 1 after an exclusive or with
/// `c` (Anderson, "Bit Twiddling Hacks"). A borrow can only run on from a byte that was found.
private func hasEscaped(_ word: UInt64) -> Bool {
    let ones: UInt64 = 0x0101_0101_0101_0101
    let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
    let slashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
    let controls = (word &- (ones &* 0x20)) & ~word
    let found = controls | ((quotes &- ones) & ~quotes) | ((slashes &- ones) & ~slashes)
    return found & (ones &* 0x80) != 0
}

private func isEscaped(_ byte: UInt8) -> Bool {
    byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
}

private func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
