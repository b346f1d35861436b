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
        var rest = decimal.digits
        var text = InlineArray<10, UInt8>(repeating: UInt8(ascii: "0"))
        var first = 10
        while rest > 0 {
            first -= 1
            text[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        var end = 10
        while text[end - 1] == UInt8(ascii: "0") { end -= 1 }
        // The value is 0.digits · 10^point.
        let point = decimal.exponent + 10 - first
        let digits = text.span
        if point < -3 || abs(value) > 0x1p24 {
            append(digits[first])
            if end - first > 1 {
                append(UInt8(ascii: "."))
                append(digits.extracting(first + 1..<end))
            }
            append(UInt8(ascii: "e"))
            append(point > 0 ? UInt8(ascii: "+") : UInt8(ascii: "-"))
            let power = abs(point - 1)
            append(UInt8(ascii: "0") + UInt8(power / 10))
            append(UInt8(ascii: "0") + UInt8(power % 10))
        } else if point <= 0 {
            append("0." as StaticString)
            for _ in point..<0 { append(UInt8(ascii: "0")) }
            append(digits.extracting(first..<end))
        } else if end - first <= point {
            append(digits.extracting(first..<end))
            for _ in (end - first)..<point { append(UInt8(ascii: "0")) }
            append(".0" as StaticString)
        } else {
            append(digits.extracting(first..<first + point))
            append(UInt8(ascii: "."))
            append(digits.extracting(first + point..<end))
        }
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
