/// The header by which a proxy says for whom it opened a connection: the PROXY protocol, versions 1 and 2
/// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).
///
/// ```
/// 1:  PROXY TCP4 192.0.2.1 192.0.2.9 56324 443 CR LF        at most 107 bytes; TCP6, or UNKNOWN and anything
/// 2:  12 bytes signature | version and command | family | length, 2 bytes | addresses | extensions
/// ```
enum ProxyHeader: Equatable {
    /// More bytes are needed.
    case incomplete
    /// No such header, or a broken one.
    case malformed
    /// The header takes so many bytes. Without a client the proxy speaks for itself (a health check), or does not know.
    case complete(bytes: Int, client: ClientAddress?)

    /// The longest header that is read, extensions included. The protocol wants 536 to be enough.
    static var bytesMax: Int { 2048 }

    private static var signature: [UInt8] { [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 0x0A] }

    /// Looks at the first bytes of a connection.
    static func parse(_ bytes: Span<UInt8>) -> ProxyHeader {
        if bytes.isEmpty { return .incomplete }
        return bytes[0] == 13 ? parseBinary(bytes) : parseText(bytes)
    }

    // MARK: Version 2

    private static func parseBinary(_ bytes: Span<UInt8>) -> ProxyHeader {
        let signature = signature
        for index in 0..<min(bytes.count, signature.count) where bytes[index] != signature[index] { return .malformed }
        if bytes.count < 16 { return .incomplete }
        let length = Int(bytes[14]) << 8 | Int(bytes[15])
        let end = 16 + length
        guard bytes[12] >> 4 == 2, bytes[12] & 15 <= 1, end <= bytesMax else { return .malformed }
        if bytes.count < end { return .incomplete }
        // Command LOCAL: the proxy's own connection; the addresses are to be ignored.
        if bytes[12] & 15 == 0 { return .complete(bytes: end, client: nil) }
        switch bytes[13] {
        case 0x11:
            guard length >= 12 else { return .malformed }
            let address = integer(bytes, at: 16, count: 4)
            return .complete(
                bytes: end,
                client: ClientAddress(
                    high: 0, low: 0xFFFF << 32 | address, port: UInt16(integer(bytes, at: 24, count: 2))))
        case 0x21:
            guard length >= 36 else { return .malformed }
            let client = ClientAddress(
                high: integer(bytes, at: 16, count: 8), low: integer(bytes, at: 24, count: 8),
                port: UInt16(integer(bytes, at: 48, count: 2)))
            return .complete(bytes: end, client: client.isUnixSocket ? nil : client)
        // Unspecified, or a Unix socket: whoever it is has no address. Datagrams are not what this connection is.
        case 0x00, 0x31: return .complete(bytes: end, client: nil)
        default: return .malformed
        }
    }

    private static func integer(_ bytes: Span<UInt8>, at start: Int, count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in start..<(start + count) { value = value << 8 | UInt64(bytes[index]) }
        return value
    }

    // MARK: Version 1

    private static func parseText(_ bytes: Span<UInt8>) -> ProxyHeader {
        let start: StaticString = "PROXY "
        for index in 0..<min(bytes.count, start.utf8CodeUnitCount) {
            // SAFETY: the index is below the count of the literal.
            if unsafe bytes[index] != start.utf8Start[index] { return .malformed }
        }
        var end = 0
        while end < min(bytes.count, 107), bytes[end] != 10 { end += 1 }
        if end == 107 { return .malformed }
        if end == bytes.count { return .incomplete }
        guard end > 6, bytes[end - 1] == 13 else { return .malformed }
        var words: [Range<Int>] = []
        var wordStart = 6
        for index in 6...(end - 1) where index == end - 1 || bytes[index] == 32 {
            words.append(wordStart..<index)
            wordStart = index + 1
        }
        let family = words[0].map { bytes[$0] }
        if family == Array("UNKNOWN".utf8) { return .complete(bytes: end + 1, client: nil) }
        guard words.count == 5, let source = ClientAddress(bytes.extracting(words[1])),
            let destination = ClientAddress(bytes.extracting(words[2])), let port = port(bytes.extracting(words[3])),
            Self.port(bytes.extracting(words[4])) != nil,
            family == Array("TCP4".utf8) && source.isIPv4 && destination.isIPv4
                || family == Array("TCP6".utf8) && words[1].contains(where: { bytes[$0] == 58 })
        else { return .malformed }
        return .complete(bytes: end + 1, client: ClientAddress(high: source.high, low: source.low, port: port))
    }

    /// Digits only, at most 65535, no leading zero.
    private static func port(_ digits: Span<UInt8>) -> UInt16? {
        if digits.isEmpty || digits.count > 5 || digits.count > 1 && digits[0] == 48 { return nil }
        var value = 0
        for index in digits.indices {
            guard (48...57).contains(digits[index]) else { return nil }
            value = value * 10 + Int(digits[index]) - 48
        }
        return UInt16(exactly: value)
    }
}
