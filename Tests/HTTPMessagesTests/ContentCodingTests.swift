import HTTPMessages
import Testing

@Suite("Content codings") struct ContentCodingTests {
    private func head(_ headers: String) -> RequestHead? {
        guard case .head(let head) = parse("GET / HTTP/1.1\r\nHost: h\r\n\(headers)\r\n") else { return nil }
        return head
    }

    @Test(
        "gzip is chosen by weight: RFC 9110 section 12.5.3",
        arguments: [
            ("", false), ("Accept-Encoding:\r\n", false), ("Accept-Encoding: gzip\r\n", true),
            ("Accept-Encoding: GZip\r\n", true), ("Accept-Encoding: x-gzip\r\n", true),
            ("Accept-Encoding: *\r\n", true),
            ("Accept-Encoding: gzip, deflate, br, zstd\r\n", true), ("Accept-Encoding: deflate, br\r\n", false),
            ("Accept-Encoding: gzip;q=0\r\n", false), ("Accept-Encoding: gzip;q=0.000\r\n", false),
            ("Accept-Encoding: gzip;q=0.001\r\n", true), ("Accept-Encoding: gzip ; q=1.000\r\n", true),
            ("Accept-Encoding: gzip;Q=0.5\r\n", true), ("Accept-Encoding: gzip;q=1.001\r\n", false),
            ("Accept-Encoding: gzip;q=2\r\n", false), ("Accept-Encoding: gzip;q=\r\n", false),
            ("Accept-Encoding: gzip;q=0.0001\r\n", false), ("Accept-Encoding: gzip;q=-1\r\n", false),
            ("Accept-Encoding: gzip;level=1\r\n", false), ("Accept-Encoding: gzipped\r\n", false),
            ("Accept-Encoding: *;q=0, gzip\r\n", true), ("Accept-Encoding: gzip;q=0, *\r\n", false),
            ("Accept-Encoding: gzip;q=0.5, identity\r\n", false), ("Accept-Encoding: gzip, identity;q=0.5\r\n", true),
            ("Accept-Encoding: gzip, identity\r\n", true), ("Accept-Encoding: gzip;q=0.5, *;q=0.8\r\n", false),
            ("Accept-Encoding: identity;q=0, gzip;q=0.1\r\n", true),
            ("Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n", true),
            ("Accept-Encoding: ,, gzip ,\r\n", true),
        ])
    func preferences(headers: String, prefersGzip: Bool) {
        #expect(head(headers)?.acceptedCodings.prefersGzip == prefersGzip)
    }

    @Test(
        "what is not coded is acceptable unless it is ruled out",
        arguments: [
            ("", false), ("Accept-Encoding: gzip\r\n", false), ("Accept-Encoding: gzip, identity;q=0\r\n", true),
            ("Accept-Encoding: gzip, *;q=0\r\n", true), ("Accept-Encoding: gzip, *;q=0, identity;q=0.1\r\n", false),
        ])
    func identity(headers: String, isRefused: Bool) {
        #expect(head(headers)?.acceptedCodings.refusesIdentity == isRefused)
    }

    @Test(
        "neither gzip nor identity is 406",
        arguments: ["identity;q=0", "*;q=0", "gzip;q=0, identity;q=0", "br, identity;q=0", "deflate;q=1, *;q=0.000"])
    func nothingAcceptable(value: String) {
        #expect(
            parse("GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: \(value)\r\n\r\n") == .refused(.noAcceptableCoding))
    }

    @Test(
        "the coding of a body",
        arguments: [
            ("", .identity), ("Content-Encoding:\r\n", .identity), ("Content-Encoding: identity\r\n", .identity),
            ("Content-Encoding: gzip\r\n", .gzip), ("Content-Encoding: X-GZIP\r\n", .gzip),
            ("Content-Encoding: identity, gzip\r\n", .gzip), ("Content-Encoding: br\r\n", .unsupported),
            ("Content-Encoding: deflate\r\n", .unsupported), ("Content-Encoding: gzip, gzip\r\n", .unsupported),
            ("Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n", .unsupported),
            ("Content-Encoding: gzip, br\r\n", .unsupported), ("Content-Encoding: gzip;q=1\r\n", .unsupported),
        ] as [(String, ContentCoding)])
    func bodies(headers: String, coding: ContentCoding) {
        #expect(head(headers)?.contentCoding == coding)
    }

    @Test("only the refusal of a coding names those that are taken: RFC 9110 section 15.5.16") func acceptEncoding() {
        #expect(Refusal.unsupportedContentCoding.acceptEncoding?.description == "gzip")
        #expect(Refusal.noAcceptableCoding.acceptEncoding == nil)
        let tooLarge = Refusal.inflatedBodyTooLarge(codedBytes: 1033, bytesMax: 4096)
        #expect(tooLarge.status == 413)
        #expect(tooLarge.detail.contains("1033") && tooLarge.detail.contains("4096"))
    }
}
