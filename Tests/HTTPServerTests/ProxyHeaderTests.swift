import TestSupport
import Testing

@testable import HTTPServer

@Suite("PROXY headers") struct ProxyHeaderTests {
    static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 0x0A]

    static func binary(_ command: UInt8, _ family: UInt8, _ payload: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? payload.count
        return signature + [command, family, UInt8(length >> 8), UInt8(length & 255)] + payload
    }

    static let v4: [UInt8] = [192, 0, 2, 1, 10, 0, 0, 1, 0x30, 0x39, 0, 80]
    static let v6: [UInt8] =
        [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [9] + [UInt8](repeating: 1, count: 16) + [
            0x30, 0x39, 0, 80,
        ]

    private func parse(_ bytes: [UInt8]) -> ProxyHeader { ProxyHeader.parse(bytes.span) }
    private func parse(_ text: String) -> ProxyHeader { ProxyHeader.parse(Array(text.utf8).span) }

    private func client(_ text: String, port: UInt16) throws -> ClientAddress {
        let address = try #require(ClientAddress(text))
        return ClientAddress(high: address.high, low: address.low, port: port)
    }

    @Test("both versions name the client, whatever follows")
    func clients() throws {
        let v4 = try client("192.0.2.1", port: 12345)
        let v6 = try client("2001:db8::9", port: 12345)
        let cases: [([UInt8], ClientAddress?)] = [
            (Array("PROXY TCP4 192.0.2.1 10.0.0.1 12345 80\r\n".utf8), v4),
            (Array("PROXY TCP6 2001:db8::9 ::1 12345 80\r\n".utf8), v6),
            (Array("PROXY UNKNOWN\r\n".utf8), nil),
            (Array("PROXY UNKNOWN ffff::1 whatever\r\n".utf8), nil),
            (Self.binary(0x21, 0x11, Self.v4), v4), (Self.binary(0x21, 0x21, Self.v6), v6),
            (Self.binary(0x21, 0x11, Self.v4 + [4, 0, 1, 7]), v4),
            (Self.binary(0x20, 0x11, Self.v4), nil), (Self.binary(0x20, 0, []), nil), (Self.binary(0x21, 0, []), nil),
            (Self.binary(0x21, 0x31, [UInt8](repeating: 0, count: 216)), nil),
        ]
        for (header, client) in cases {
            #expect(parse(header) == .complete(bytes: header.count, client: client))
            #expect(parse(header + Array("GET / HTTP/1.1\r\n".utf8)) == .complete(bytes: header.count, client: client))
            for count in header.indices { #expect(parse(Array(header[..<count])) == .incomplete, "\(count)") }
        }
    }

    @Test(
        "a broken line is refused",
        arguments: [
            "GET / HTTP/1.1\r\n", "PROXY\r\n", "PROXY \r\n", "PROXY TCP4\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 12345 80\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 12345\r\n", "PROXY TCP4 192.0.2.1 10.0.0.1 65536 80\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 012 80\r\n", "PROXY TCP4 192.0.2.1 10.0.0.1 -1 80\r\n",
            "PROXY TCP4  192.0.2.1 10.0.0.1 1 80\r\n", "PROXY TCP4 2001:db8::1 ::1 1 80\r\n",
            "PROXY TCP6 192.0.2.1 10.0.0.1 1 2\r\n",
            "PROXY TCP5 192.0.2.1 10.0.0.1 1 2\r\n", "PROXY TCP4 192.0.2 10.0.0.1 1 2\r\n",
            "proxy TCP4 1.1.1.1 1.1.1.1 1 2\r\n",
            "PROXY TCP4 192.0.2.1 10.0.0.1 1 2 \r\n",
        ])
    func brokenLines(text: String) { #expect(parse(text) == .malformed) }

    @Test("a line of 107 bytes is read, one of 108 is not")
    func lineLength() {
        let line = { (count: Int) in "PROXY UNKNOWN " + String(repeating: "x", count: count - 16) + "\r\n" }
        #expect(parse(line(107)) == .complete(bytes: 107, client: nil))
        #expect(parse(line(108)) == .malformed)
        #expect(parse(String(repeating: "PROXY ", count: 40)) == .malformed, "without an end it is refused as well")
    }

    @Test("a broken binary header is refused")
    func brokenBinary() {
        let headers: [[UInt8]] = [
            Self.binary(0x11, 0x11, Self.v4), Self.binary(0x22, 0x11, Self.v4), Self.binary(0x21, 0x12, Self.v4),
            Self.binary(0x21, 0x11, Array(Self.v4.dropLast())), Self.binary(0x21, 0x21, Array(Self.v6.dropLast())),
            Array(Self.signature.dropLast()) + [0x0B], [13, 10, 13, 11],
        ]
        for header in headers { #expect(parse(header) == .malformed) }
    }

    @Test("a binary header of 2048 bytes is read, one of 2049 refused before it has come")
    func binaryLength() {
        let payload = Self.v4 + [UInt8](repeating: 0, count: 2048 - 16 - 12)
        #expect(parse(Self.binary(0x20, 0x11, payload)) == .complete(bytes: 2048, client: nil))
        #expect(parse(Self.binary(0x20, 0x11, [], length: 2048 - 16 + 1)) == .malformed)
    }

    @Test("bytes at random never trap", arguments: [1, 2, 3] as [UInt64])
    func random(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        let starts: [[UInt8]] = [
            [], Array("PROXY ".utf8), Array("PROXY TCP4 ".utf8), Self.signature, Self.signature + [0x21],
        ]
        for _ in 0..<20_000 {
            let tail = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random)
                    : [13, 10, 32, 48, 46][Int.random(in: 0..<5, using: &random)]
            }
            let bytes = (starts.randomElement(using: &random) ?? []) + tail
            if case .complete(let count, _) = parse(bytes) { #expect(count <= bytes.count, "seed \(seed)") }
        }
    }
}
