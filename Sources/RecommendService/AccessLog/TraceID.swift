package import HTTPMessages

/// The trace id of a `traceparent` header, so that a line of the access log finds its trace.
///
/// W3C Trace Context, https://www.w3.org/TR/trace-context/#traceparent-header:
///
///     00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
///     version  trace-id, 32 digits        parent-id, 16    flags
package struct TraceID: Equatable, Sendable {
    let high: UInt64
    let low: UInt64

    /// Reads the value of a header; nil when it is not what the specification wants, which says to go on without it then.
    ///
    /// Digits are lower-case. A version after 00 may have more behind the flags, after a dash (section 3.2.4); `ff` is none.
    /// Ids of zeros are invalid.
    package init?(traceparent value: Span<UInt8>) {
        guard value.count >= 55, let version = hexadecimal(value, 0..<2), version != 0xFF,
            value.count == 55 || version > 0 && value[55] == UInt8(ascii: "-"),
            value[2] == UInt8(ascii: "-"), value[35] == UInt8(ascii: "-"), value[52] == UInt8(ascii: "-"),
            let high = hexadecimal(value, 3..<19), let low = hexadecimal(value, 19..<35), high | low != 0,
            let parent = hexadecimal(value, 36..<52), parent != 0, hexadecimal(value, 53..<55) != nil
        else { return nil }
        self.high = high
        self.low = low
    }

    /// The one of a request; nil without the header, or with more than one, of which nobody knows which is right.
    package init?(of head: borrowing RequestHead, in bytes: Span<UInt8>) {
        var place = 0..<0
        var count = 0
        head.forEachHeader(in: bytes) { name, value in
            if bytes.extracting(name).equalsIgnoringCase("traceparent") {
                place = value
                count += 1
            }
        }
        guard count == 1 else { return nil }
        self.init(traceparent: bytes.extracting(place))
    }

    /// Appends the 32 digits.
    func append(to buffer: inout ByteBuffer) {
        var digits = InlineArray<32, UInt8>(repeating: 0)
        for place in 0..<16 {
            let shift = UInt64(60 - 4 * place)
            digits[place] = digit(high >> shift)
            digits[16 + place] = digit(low >> shift)
        }
        buffer.append(digits.span)
    }

    private func digit(_ bits: UInt64) -> UInt8 {
        let value = UInt8(truncatingIfNeeded: bits & 15)
        return value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}

/// The value of lower-case hexadecimal digits, at most 16 of them.
private func hexadecimal(_ text: Span<UInt8>, _ range: Range<Int>) -> UInt64? {
    var value: UInt64 = 0
    for index in range {
        switch text[index] {
        case let byte where byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"):
            value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
        case let byte where byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f"):
            value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
        default: return nil
        }
    }
    return value
}
