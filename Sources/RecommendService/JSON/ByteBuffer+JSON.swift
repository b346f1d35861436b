package import HTTPMessages

/// Writes JSON (RFC 8259) without building a tree: the answers are small and their shape is known.
extension ByteBuffer {
    /// `text` as a JSON string, quotes included.
    ///
    /// - Precondition: valid UTF-8: ids and names were checked when the model was opened, parameters when decoded.
    package mutating func appendJSONString(_ text: Span<UInt8>) {
        append(UInt8(ascii: "\""))
        var runStart = 0
        for index in text.indices {
            let byte = text[index]
            // RFC 8259 section 7: quotation mark, reverse solidus and the controls must be escaped.
            if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
            append(text.extracting(runStart..<index))
            appendEscape(of: byte)
            runStart = index + 1
        }
        append(text.extracting(runStart..<text.count))
        append(UInt8(ascii: "\""))
    }

    package mutating func appendJSONString(_ text: String) {
        appendJSONString(text.utf8.span)
    }

    /// The shortest decimal that reads back as the same float32.
    ///
    /// - Precondition: finite; factors are checked when the model is opened, and so are the sums of their products.
    package mutating func appendJSONNumber(_ value: Float) {
        precondition(value.isFinite, "BUG: JSON has no \(value)")
        append(value.description)
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

private func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}
