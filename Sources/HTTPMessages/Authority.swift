/// What stands where `uri-host [ ":" port ]` is wanted.
enum AuthorityKind {
    /// A host name or address, perhaps with a port.
    case named
    /// Nothing, or only a port: a Host field of a URL without an authority (RFC 9112 section 3.2), and no http URL's.
    case unnamed
    case malformed
}

/// Judges a Host field or the authority of an absolute target: `reg-name` or an IPv6 address in brackets, and digits after a
/// colon (RFC 3986 sections 3.2.2 and 3.2.3). Zones and addresses of the future (`[v1.x]`) are not known here.
func authorityKind(_ range: Range<Int>, _ bytes: Span<UInt8>) -> AuthorityKind {
    let end = range.upperBound
    var index = range.lowerBound
    var isNamed = false
    if index < end, bytes[index] == UInt8(ascii: "[") {
        index += 1
        let start = index
        while index < end, isIPv6Character(bytes[index]) { index += 1 }
        // "::" is the shortest.
        guard index - start >= 2, index < end, bytes[index] == UInt8(ascii: "]") else { return .malformed }
        index += 1
        isNamed = true
    } else {
        while index < end, CharacterSet128.registeredName.contains(bytes[index]) {
            if bytes[index] == UInt8(ascii: "%"), !bytes.isEscape(at: index, before: end) { return .malformed }
            index += 1
        }
        isNamed = index > range.lowerBound
    }
    if index < end {
        guard bytes[index] == .colon else { return .malformed }
        index += 1
        while index < end, bytes[index].isDigit { index += 1 }
    }
    guard index == end else { return .malformed }
    return isNamed ? .named : .unnamed
}

private func isIPv6Character(_ byte: UInt8) -> Bool {
    byte == .colon || byte == UInt8(ascii: ".") || byte.hexadecimalValue != nil
}
