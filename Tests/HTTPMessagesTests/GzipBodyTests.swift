import HTTPMessages
import TestSupport
import Testing

@Suite("Compressed request bodies") struct GzipBodyTests {
    private let coder = ContentCoder(GzipSettings())

    /// `printf '{"user_id":"7"}' | gzip -n`
    static let member: [UInt8] = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xAB, 0x56, 0x2A, 0x2D, 0x4E, 0x2D, 0x8A, 0xCF,
        0x4C, 0x51, 0xB2, 0x52, 0x32, 0x57, 0xAA, 0x05, 0x00, 0x56, 0xB6, 0x1B, 0x1A, 0x0F, 0x00, 0x00, 0x00,
    ]
    static let text = "{\"user_id\":\"7\"}"

    private func inflated(_ bytes: [UInt8], bytesMax: Int = 1000) throws(Refusal) -> String {
        try coder.inflate(bytes.span, bytesMax: bytesMax)
        return coder.withInflated { text in String(decoding: text.indices.map { text[$0] }, as: UTF8.self) }
    }

    @Test("one member, and several one after the other") func members() throws {
        #expect(try inflated(Self.member) == Self.text)
        #expect(try inflated(Self.member + Self.member) == Self.text + Self.text)
    }

    @Test("the bound is accepted, and one byte more is refused with both numbers") func bound() throws {
        #expect(try inflated(Self.member, bytesMax: 15) == Self.text)
        #expect(throws: Refusal.inflatedBodyTooLarge(codedBytes: Self.member.count, bytesMax: 14)) {
            try inflated(Self.member, bytesMax: 14)
        }
        #expect(try inflated(Self.member + Self.member, bytesMax: 30).utf8.count == 30)
        #expect(throws: Refusal.inflatedBodyTooLarge(codedBytes: 2 * Self.member.count, bytesMax: 29)) {
            try inflated(Self.member + Self.member, bytesMax: 29)
        }
    }

    @Test("cut anywhere, with a bit turned anywhere, or followed by anything, it is refused and never trusted")
    func damaged() {
        for end in 0..<Self.member.count {
            #expect(throws: Refusal.malformed(.gzip), "cut at \(end)") { try inflated(Array(Self.member[..<end])) }
        }
        for tail in [[0], [0x1F], Array("x".utf8), Array(Self.member.dropLast())] as [[UInt8]] {
            #expect(throws: Refusal.malformed(.gzip), "\(tail)") { try inflated(Self.member + tail) }
        }
        // Some bits mean nothing: a time, a hint, the padding behind the last block. None may change the text.
        for place in Self.member.indices {
            for bit in 0..<8 {
                var bytes = Self.member
                bytes[place] ^= 1 << UInt8(bit)
                if let text = try? inflated(bytes) { #expect(text == Self.text, "byte \(place), bit \(bit)") }
            }
        }
        // It is as good as new afterwards.
        #expect((try? inflated(Self.member)) == Self.text)
    }

    @Test("a bomb costs no more memory than the bound") func bomb() throws {
        let zeros = [UInt8](repeating: 0, count: 4 << 20)
        var response = Response(
            into: ByteBuffer(capacity: 64), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false)
        response.begin(status: 200, contentType: "text/plain")
        response.append(zeros.span)
        guard case .head(let head) = parse("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n") else {
            Issue.record("a plain GET refused")
            return
        }
        _ = response.finish(coder, for: head.acceptedCodings)
        let answer = response.takeOutput().array
        let start = try #require(answer.indices.first { answer[$0...].starts(with: [0x1F, 0x8B, 8]) })
        let bomb = Array(answer[start...])
        #expect(bomb.count < 40_000)
        #expect(throws: Refusal.inflatedBodyTooLarge(codedBytes: bomb.count, bytesMax: 100_000)) {
            try inflated(bomb, bytesMax: 100_000)
        }
    }
}
