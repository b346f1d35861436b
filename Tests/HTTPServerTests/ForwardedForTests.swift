import Testing

@testable import HTTPMessages
@testable import HTTPServer

@Suite("X-Forwarded-For") struct ForwardedForTests {
    private let proxies = ["10.0.0.0/8", "2001:db8::/32"].compactMap { AddressRange($0) }

    private func client(_ fields: String...) throws -> String? {
        let lines = fields.map { "X-Forwarded-For: \($0)\r\n" }.joined()
        let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\n\(lines)X: y\r\n\r\n".utf8)
        var parser = RequestParser()
        let head = try #require(try parser.parse(bytes.span, limits: Limits()))
        return forwardedClient(head, bytes.span, proxies: proxies)?.description
    }

    @Test("the client is the last that is no proxy")
    func lastStranger() throws {
        #expect(try client("192.0.2.1") == "192.0.2.1")
        #expect(try client("192.0.2.1, 10.0.0.1, 10.1.1.1") == "192.0.2.1")
        #expect(try client("1.1.1.1, 192.0.2.1") == "192.0.2.1", "what the client wrote itself is not believed")
        #expect(try client("1.1.1.1, 10.0.0.1, 192.0.2.1, 10.0.0.2") == "192.0.2.1")
    }

    @Test("several fields are one list")
    func severalFields() throws {
        #expect(try client("1.1.1.1", "192.0.2.1", "10.0.0.1") == "192.0.2.1")
        #expect(try client("192.0.2.1,10.0.0.1", "10.0.0.2") == "192.0.2.1")
    }

    @Test("proxies alone: the first of them asked")
    func proxiesOnly() throws { #expect(try client("10.0.0.1, 10.0.0.2") == "10.0.0.1") }

    @Test("a word that is no address ends what is known")
    func words() throws {
        #expect(try client("unknown") == nil)
        #expect(try client("192.0.2.1, unknown") == nil)
        #expect(try client("192.0.2.1, unknown, 10.0.0.1") == "10.0.0.1")
        #expect(try client("unknown, 192.0.2.1") == "192.0.2.1")
        #expect(try client("") == nil)
        #expect(try client(" , ,") == nil)
        #expect(try client() == nil)
    }

    @Test("ports and brackets are taken off")
    func forms() throws {
        #expect(try client("192.0.2.1:5678") == "192.0.2.1")
        #expect(try client("[2001:db9::1]:80") == "2001:db9::1")
        #expect(try client("[2001:db9::1]") == "2001:db9::1")
        #expect(try client("2001:db9::1\t, 2001:db8::1") == "2001:db9::1")
        for broken in [
            "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:123456", "[2001:db9::1", "[2001:db9::1]x", "[]:1", "[", ":",
        ] {
            #expect(try client(broken) == nil, "\(broken)")
        }
    }
}
