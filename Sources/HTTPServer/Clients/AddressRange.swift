/// Addresses with the same first bits, as CIDR writes them: `10.0.0.0/8`, `2001:db8::/32`, one address, or `unix`.
package struct AddressRange: Sendable, Equatable {
    /// `unix` says where a client comes from, not which bits its address has: `::/128` is none of it.
    private let isUnixSocket: Bool
    private let high: UInt64
    private let low: UInt64
    private let highMask: UInt64
    private let lowMask: UInt64

    /// Nil for what is no address, for a length out of range, and for bits beyond the length, which are a slip of the pen.
    package init?(_ text: String) {
        isUnixSocket = text == "unix"
        if isUnixSocket {
            (high, low, highMask, lowMask) = (0, 0, .max, .max)
            return
        }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = ClientAddress(String(parts[0])) ?? Self.unspecified(parts[0]) else { return nil }
        let isIPv4 = !parts[0].contains(":")
        let bitsMax = isIPv4 ? 32 : 128
        var bits = bitsMax
        if parts.count == 2 {
            guard !parts[1].isEmpty, parts[1].utf8.allSatisfy({ (48...57).contains($0) }), let given = Int(parts[1]),
                given <= bitsMax
            else { return nil }
            bits = given
        }
        if isIPv4 { bits += 96 }
        highMask = bits >= 64 ? .max : ~(UInt64.max >> UInt64(bits))
        lowMask = bits <= 64 ? 0 : ~(UInt64.max >> UInt64(bits - 64))
        (high, low) = (address.high, address.low)
        if high & ~highMask != 0 || low & ~lowMask != 0 { return nil }
    }

    /// `::`, which no client has but a range may start with.
    private static func unspecified(_ text: Substring) -> ClientAddress? { text == "::" ? .unixSocket : nil }

    package func contains(_ address: ClientAddress) -> Bool {
        if isUnixSocket || address.isUnixSocket { return isUnixSocket && address.isUnixSocket }
        return address.high & highMask == high && address.low & lowMask == low
    }

    /// The addresses by which this machine reaches itself.
    package static var loopback: [AddressRange] { ["127.0.0.0/8", "::1"].compactMap { AddressRange($0) } }
}

extension [AddressRange] {
    func contains(_ address: ClientAddress) -> Bool {
        for range in self where range.contains(address) { return true }
        return false
    }
}
