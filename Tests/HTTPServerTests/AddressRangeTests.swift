import TestSupport
import Testing

@testable import HTTPServer

@Suite("Client addresses and ranges") struct AddressRangeTests {
    private func address(_ text: String) throws -> ClientAddress { try #require(ClientAddress(text), "\(text)") }

    @Test("a literal is written back in its shortest form")
    func literals() throws {
        for (text, written) in [
            ("192.0.2.1", "192.0.2.1"), ("2001:DB8:0:0::1", "2001:db8::1"), ("::ffff:192.0.2.1", "192.0.2.1"),
            ("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            #expect(try address(text).description == written)
        }
        #expect(ClientAddress.unixSocket.description == "unix")
    }

    @Test(
        "what is no literal is no address",
        arguments: [
            "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "example.org", "::g", "[::1]", "fe80::1%eth0", "::",
        ])
    func noLiterals(text: String) { #expect(ClientAddress(text) == nil) }

    @Test("a range holds its first and last address and none beside them")
    func bounds() throws {
        for (range, first, last, below, above) in [
            ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"),
            ("192.0.2.128/25", "192.0.2.128", "192.0.2.255", "192.0.2.127", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.6", "192.0.2.8"),
            (
                "2001:db8::/32", "2001:db8::1", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db7:ffff::1",
                "2001:db9::"
            ),
            ("2001:db8::8/125", "2001:db8::8", "2001:db8::f", "2001:db8::7", "2001:db8::10"),
        ] {
            let range = try #require(AddressRange(range))
            #expect(try range.contains(address(first)) && range.contains(address(last)))
            #expect(try !range.contains(address(below)) && !range.contains(address(above)))
        }
    }

    @Test("every length agrees with counting bits")
    func lengths() throws {
        var random = SplitMix64(seed: 5)
        for bits in 0...128 {
            let high = UInt64.random(in: 1 << 60 ... .max, using: &random)
            let low = UInt64.random(in: 1 ... .max, using: &random)
            let highMask: UInt64 = bits >= 64 ? .max : bits == 0 ? 0 : .max << UInt64(64 - bits)
            let lowMask: UInt64 = bits <= 64 ? 0 : bits == 128 ? .max : .max << UInt64(128 - bits)
            let base = ClientAddress(high: high & highMask, low: low & lowMask)
            let text = base.isUnixSocket ? "::" : base.description
            let range = try #require(AddressRange("\(text)/\(bits)"), "\(text)/\(bits)")
            #expect(range.contains(ClientAddress(high: high, low: low)), "\(bits)")
            // The last bit of the prefix turned over is another network.
            if bits > 64 {
                #expect(!range.contains(ClientAddress(high: high, low: low ^ 1 << UInt64(128 - bits))), "\(bits)")
            } else if bits > 0 {
                #expect(!range.contains(ClientAddress(high: high ^ 1 << UInt64(64 - bits), low: low)), "\(bits)")
            }
        }
    }

    @Test("unix is the clients of Unix sockets, and no range of addresses holds them")
    func unix() throws {
        let unix = try #require(AddressRange("unix"))
        #expect(unix.contains(.unixSocket))
        #expect(try !unix.contains(address("127.0.0.1")) && !unix.contains(address("::1")))
        for range in ["::/0", "::/128", "::", "::/127", "::ffff:0:0/96"] {
            #expect(try #require(AddressRange(range)).contains(.unixSocket) == false, "\(range)")
        }
    }

    @Test(
        "a slip of the pen is no range",
        arguments: [
            "10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/+8", "10.0.0.0/8/8", "/8", "",
            "2001:db8::1/64",
        ])
    func slips(text: String) { #expect(AddressRange(text) == nil) }

    @Test("limits count an IPv4 address by itself and an IPv6 address by its /64")
    func counting() throws {
        #expect(try address("192.0.2.1").countedAs != address("192.0.2.2").countedAs)
        #expect(try address("2001:db8::1").countedAs == address("2001:db8::ffff:1:2:3").countedAs)
        #expect(try address("2001:db8:0:1::1").countedAs != address("2001:db8::1").countedAs)
    }
}
