import HTTPMessages
import TestSupport
import Testing

@Suite("Percent-decoding") struct PercentDecodingTests {
    private func decode(_ text: String, plusIsSpace: Bool = true) throws(PercentDecodingError) -> [UInt8] {
        var output = ByteBuffer(capacity: 1)
        try percentDecode(Array(text.utf8).span, plusIsSpace: plusIsSpace, into: &output)
        return output.array
    }

    @Test("escapes become bytes, in either case, and the rest stays")
    func decodes() throws {
        #expect(try decode("") == [])
        #expect(try decode("a%20b%2fc%2F") == Array("a b/c/".utf8))
        #expect(try decode("%EC%B9%98%ED%82%A8") == Array("치킨".utf8))
        #expect(try decode("%2500") == Array("%00".utf8))
        #expect(try decode("%ff%01") == [0xFF, 1])
    }

    @Test("plus is a space in a query and a plus in a path")
    func plus() throws {
        #expect(try decode("a+b%2B") == Array("a b+".utf8))
        #expect(try decode("a+b%2B", plusIsSpace: false) == Array("a+b+".utf8))
    }

    @Test("broken escapes are refused", arguments: ["%", "%2", "a%", "%zz", "%2g", "%g2", "%%20", "% 20", "%+1"])
    func broken(text: String) {
        #expect(throws: PercentDecodingError.brokenEscape) { try decode(text) }
    }

    @Test("an escaped NUL is refused")
    func nul() {
        #expect(throws: PercentDecodingError.nul) { try decode("a%00") }
    }

    @Test("every byte survives encoding and decoding", arguments: [1, 2] as [UInt64])
    func roundTrip(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let bytes = (0..<500).map { _ in UInt8.random(in: 1...255, using: &rng) }
        let digits = Array("0123456789abcdef")
        let text = bytes.map { "%\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
        #expect(try decode(text) == bytes, "seed \(seed)")
    }

    @Test(
        "UTF-8 is judged by the standard",
        arguments: [
            ([], true), ([0x61], true), ([0xEC, 0xB9, 0x98], true), ([0xF0, 0x9F, 0x8D, 0x97], true), ([0xFF], false),
            ([0xC0, 0x80], false), ([0xE0, 0x80, 0x80], false), ([0xED, 0xA0, 0x80], false), ([0xEC, 0xB9], false),
            ([0xF4, 0x90, 0x80, 0x80], false), ([0x80], false),
        ] as [([UInt8], Bool)])
    func utf8(bytes: [UInt8], isValid: Bool) {
        #expect(isValidUTF8(bytes.span) == isValid)
    }
}
