import CLinux
package import HTTPMessages

/// Who is at the other end: an IP address and a port, or this machine through a Unix socket.
package struct ClientAddress: Sendable, Hashable {
    /// The address in IPv6 form, first bits in `high`; IPv4 as `::ffff:a.b.c.d`. All zero for a Unix socket.
    package let high: UInt64
    package let low: UInt64
    /// 0 when it is not known, as from `X-Forwarded-For`.
    package let port: UInt16

    init(high: UInt64, low: UInt64, port: UInt16 = 0) {
        self.high = high
        self.low = low
        self.port = port
    }

    init(_ address: clinux_address) { self.init(high: address.high, low: address.low, port: address.port) }

    package static var unixSocket: ClientAddress { ClientAddress(high: 0, low: 0) }

    package var isUnixSocket: Bool { high == 0 && low == 0 }
    package var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Reads an IPv4 or IPv6 literal without brackets, port or zone.
    package init?(_ literal: Span<UInt8>) {
        var address = clinux_address()
        let family = unsafe literal.withUnsafeBufferPointer { bytes in
            // SAFETY: the call reads `count` bytes of a span that is alive, and writes the struct it is given.
            unsafe clinux_parse_address(bytes.baseAddress, bytes.count, &address)
        }
        if family == 0 || literal.isEmpty { return nil }
        self.init(address)
        if isUnixSocket { return nil }
    }

    package init?(_ literal: String) { self.init(Array(literal.utf8).span) }

    /// What limits count by: an IPv4 address, or the /64 of an IPv6 address, which is what one customer is given.
    var countedAs: ClientAddress {
        isIPv4 || isUnixSocket ? ClientAddress(high: high, low: low) : ClientAddress(high: high, low: 0)
    }
}

extension ClientAddress: CustomStringConvertible {
    /// Appends the address without its port, `unix` for a Unix socket. No allocation.
    package func append(to buffer: inout ByteBuffer) {
        if isUnixSocket {
            buffer.append("unix")
            return
        }
        _ = unsafe buffer.appendUnsafely(room: Int(CLINUX_ADDRESS_TEXT)) { room in
            // SAFETY: the room has the bytes that the call may write.
            unsafe Int(clinux_format_address(high, low, room.baseAddress?.assumingMemoryBound(to: CChar.self)))
        }
    }

    package var description: String {
        var buffer = ByteBuffer(capacity: Int(CLINUX_ADDRESS_TEXT))
        append(to: &buffer)
        return buffer.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
    }
}
