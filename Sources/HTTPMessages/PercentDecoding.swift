/// Why percent-encoded text was refused.
package enum PercentDecodingError: Error, Sendable, Equatable {
    /// A `%` without two hexadecimal digits after it.
    case brokenEscape
    /// `%00`: no text, and a trap for whatever ends strings at NUL.
    case nul
}

/// Appends `encoded`, with its `%XX` escapes replaced by the bytes they stand for (RFC 3986 section 2.1), to `output`.
///
/// The result is bytes: check it with ``isValidUTF8(_:)`` before calling it text. On an error what was decoded so far stays in
/// `output`.
///
/// - Parameter plusIsSpace: `+` stands for a space, as in the query of an HTML form; never in a path.
package func percentDecode(
    _ encoded: Span<UInt8>, plusIsSpace: Bool, into output: inout ByteBuffer
) throws(PercentDecodingError) {
    output.reserve(encoded.count)
    var index = 0
    // Most names and values are without: copied as they are.
    while index < encoded.count, encoded[index] != UInt8(ascii: "%"), encoded[index] != UInt8(ascii: "+") { index += 1 }
    output.append(encoded.extracting(0..<index))
    while index < encoded.count {
        let byte = encoded[index]
        index += 1
        switch byte {
        case UInt8(ascii: "%"):
            guard index + 1 < encoded.count, let high = encoded[index].hexadecimalValue,
                let low = encoded[index + 1].hexadecimalValue
            else { throw .brokenEscape }
            guard high | low != 0 else { throw .nul }
            output.append(high << 4 | low)
            index += 2
        case UInt8(ascii: "+") where plusIsSpace: output.append(.space)
        default: output.append(byte)
        }
    }
}

/// Whether `bytes` are well-formed UTF-8 (no overlong forms, no surrogates, nothing cut off).
package func isValidUTF8(_ bytes: Span<UInt8>) -> Bool {
    // Most texts are ASCII, which is looked at without a call.
    var all: UInt8 = 0
    for index in bytes.indices { all |= bytes[index] }
    if all < 0x80 { return true }
    do {
        _ = try UTF8Span(validating: bytes)
        return true
    } catch {
        return false
    }
}
