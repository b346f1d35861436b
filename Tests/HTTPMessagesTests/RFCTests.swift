import HTTPMessages
import Testing

/// The rules of RFC 9110 and RFC 9112, section by section: what the connection does about each, whole and byte by byte.
///
/// Outcomes are those of ``ConnectionDriver``; a refusal is its status, and nothing after it is answered.
@Suite("RFC 9110 and 9112, by section") struct RFCTests {
    struct Rule: Sendable, CustomTestStringConvertible {
        let section: String
        let bytes: String
        let outcome: [String]

        init(_ section: String, _ bytes: String, _ outcome: String...) {
            self.section = section
            self.bytes = bytes
            self.outcome = outcome
        }

        var testDescription: String { "\(section): \(bytes.debugDescription)" }
    }

    private static func get(_ target: String, _ headers: String = "") -> String {
        "GET \(target) HTTP/1.1\r\nHost: h\r\n\(headers)\r\n"
    }

    private static func post(_ headers: String, _ body: String) -> String {
        "POST / HTTP/1.1\r\nHost: h\r\n\(headers)\r\n\(body)"
    }

    static let messages = [
        Rule("9112 2.2 empty line", "\r\n" + get("/"), "GET /"),
        Rule("9112 2.2 empty line", "\n" + get("/"), "400"),
        Rule("9112 2.2 bare CR", get("/", "A: b\rC: d\r\n"), "400"),
        Rule("9112 2.2 bare LF", "GET / HTTP/1.1\nHost: h\n\n", "400"),
        Rule("9112 2.2 white space before the first field", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", "400"),
        Rule("9112 2.3 version", "GET / HTTP/1.0\r\n\r\n", "GET / close"),
        Rule("9112 2.3 version", "GET / http/1.1\r\nHost: h\r\n\r\n", "400"),
        Rule("9110 15.6.6 version", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", "505"),
        Rule("9112 3 long method", String(repeating: "a", count: 8194), "501"),
        Rule("9112 3 long target", "GET /" + String(repeating: "a", count: 8190), "414"),
        Rule("9112 3 white space", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
        Rule("9112 3.2 no Host", "GET / HTTP/1.1\r\n\r\n", "400"),
        Rule("9112 3.2 two Hosts", get("/", "Host: h\r\n"), "400"),
        Rule("9112 3.2 empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET /"),
        Rule("9112 3.2.2 absolute form", get("http://other:80/p?q"), "GET /p"),
        Rule("9112 3.2.2 absolute form", get("http://other"), "GET /"),
        Rule("9110 4.2.1 empty host", get("http:///p"), "400"),
        Rule("9110 4.2.1 empty host", get("http://:80/p"), "400"),
        Rule("9110 4.2.4 user information", get("http://u@h/p"), "400"),
        Rule("9112 3.2.3 authority form", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "501"),
        Rule("9112 3.2.4 asterisk form", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS *"),
        Rule("9112 3.2.4 asterisk form", get("*"), "400"),
        Rule("3986 3.3 path", get("/a;b=c,d/@:!$&'()*+~-._"), "GET /a;b=c,d/@:!$&'()*+~-._"),
        Rule("3986 3.3 path", get("/a|b"), "400"), Rule("3986 3.3 path", get("/a\\b"), "400"),
        Rule("3986 3.3 path", get("/<a>"), "400"), Rule("3986 3.4 query", get("/?a=<b>|[c]"), "GET /"),
        Rule("3986 3.5 fragment", get("/a#b"), "400"), Rule("3986 3.5 fragment", get("/a?b#c"), "400"),
        Rule("3986 2.1 escapes", get("/%41%c3%a9"), "GET /%41%c3%a9"),
        Rule("3986 2.1 escapes", get("/%4"), "400"), Rule("3986 2.1 escapes", get("/%"), "400"),
        Rule("3986 2.1 escapes", get("/%zz"), "400"), Rule("3986 2.1 escapes", get("/%00"), "400"),
        Rule("3986 2.1 escapes", get("/%4?1"), "400"), Rule("3986 2.1 escapes", get("/?%4"), "GET /"),
        Rule("3986 6.2.2 nothing is normalised", get("/a/../b"), "GET /a/../b"),
        Rule("3986 6.2.2 nothing is normalised", get("/%2e%2E/%2f"), "GET /%2e%2E/%2f"),
        Rule("3986 6.2.2 nothing is normalised", get("//a"), "GET //a"),
        Rule("9112 5.1 space before the colon", get("/", "A : b\r\n"), "400"),
        Rule("9112 5.2 obs-fold", get("/", "A: b\r\n c\r\n"), "400"),
        Rule("9110 5.5 NUL", get("/", "A: \u{0}\r\n"), "400"),
        Rule("9110 5.5 obs-text", get("/", "A: \u{e9}\r\n"), "GET /"),
        Rule("9110 5.6.2 names are tokens", get("/", "A(: b\r\n"), "400"),
    ]

    static let framing = [
        Rule("9112 6.1 in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
        Rule("9112 6.1 another coding", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), "501"),
        Rule("9112 6.3 chunked is not last", post("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"), "400"),
        Rule("9112 6.3 both", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), "400"),
        Rule("9112 6.3 two lengths", post("Content-Length: 1\r\nContent-Length: 1\r\n", "a"), "400"),
        Rule("9112 6.3 neither", post("", get("/next")), "POST /", "GET /next"),
        Rule(
            "9112 6.3 a GET with a body", get("/", "Content-Length: 1\r\n") + "a" + get("/next"), "GET / a", "GET /next"
        ),
        Rule("9110 5.6.3 tabs beside framing", post("Transfer-Encoding:\tchunked\r\n", "0\r\n\r\n"), "400"),
        Rule("9110 5.6.3 tabs beside framing", post("Transfer-Encoding: chunked\t\r\n", "0\r\n\r\n"), "400"),
        Rule("9110 5.6.3 tabs beside framing", post("Content-Length: \t1\r\n", "a"), "400"),
        Rule("9110 5.6.3 tabs beside routing", "GET / HTTP/1.1\r\nHost: h\t\r\n\r\n", "400"),
        Rule("9110 8.6 digits", post("Content-Length: +1\r\n", "a"), "400"),
        Rule("9110 8.6 too large", post("Content-Length: 1048577\r\n", ""), "413"),
        Rule("9112 7.1 sizes", post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n"), "POST / a"),
        Rule("9112 7.1 sizes", post("Transfer-Encoding: chunked\r\n", "10000000000000001\r\na\r\n0\r\n\r\n"), "413"),
        Rule(
            "9112 7.1.1", post("Transfer-Encoding: chunked\r\n", "1 ; a = \"\\\";\" ;b\r\na\r\n0\r\n\r\n"), "POST / a"),
        Rule("9112 7.1.1", post("Transfer-Encoding: chunked\r\n", "1;\r\na\r\n0\r\n\r\n"), "400"),
        Rule("9112 7.1.1", post("Transfer-Encoding: chunked\r\n", "1;;a\r\na\r\n0\r\n\r\n"), "400"),
        Rule("9112 7.1.1", post("Transfer-Encoding: chunked\r\n", "1;a=\r\na\r\n0\r\n\r\n"), "400"),
        Rule("9112 7.1.1", post("Transfer-Encoding: chunked\r\n", "1;a=\"b\r\na\r\n0\r\n\r\n"), "400"),
        Rule("9112 7.1.1", post("Transfer-Encoding: chunked\r\n", "1;a=\"b\\\r\na\r\n0\r\n\r\n"), "400"),
        Rule("9112 7.1.1", post("Transfer-Encoding: chunked\r\n", "1;a=\"b\"c\r\na\r\n0\r\n\r\n"), "400"),
        Rule("9112 7.1.1", post("Transfer-Encoding: chunked\r\n", "1;a b\r\na\r\n0\r\n\r\n"), "400"),
        Rule("9112 7.1.2", post("Transfer-Encoding: chunked\r\n", "0\r\nA: b\r\n\r\n"), "POST /"),
        Rule("9110 6.5.1", post("Transfer-Encoding: chunked\r\n", "0\r\nContent-Length: 1\r\n\r\n"), "400"),
        Rule("9110 6.5.1", post("Transfer-Encoding: chunked\r\n", "0\r\nTransfer-encoding: chunked\r\n\r\n"), "400"),
        Rule("9110 6.5.1", post("Transfer-Encoding: chunked\r\n", "0\r\nHOST: h\r\n\r\n"), "400"),
        Rule("9110 6.5.1", post("Transfer-Encoding: chunked\r\n", "0\r\nConnection: close\r\n\r\n"), "400"),
        Rule(
            "9110 7.8 an offer to upgrade", get("/", "Connection: Upgrade\r\nUpgrade: h2c\r\n") + get("/2"), "GET /",
            "GET /2"),
        Rule(
            "9112 9.3 pipelining", get("/1") + get("/2", "Connection: close\r\n") + get("/3"), "GET /1", "GET /2 close"),
        Rule("9110 10.1.1", post("Expect: 100-continue\r\nContent-Length: 1\r\n", "a"), "POST / a"),
        Rule("9110 10.1.1", post("Expect: more\r\nContent-Length: 1\r\n", "a"), "417"),
        Rule("9110 12.5.3 nothing is acceptable", get("/", "Accept-Encoding: br, *;q=0\r\n"), "406"),
        Rule("9110 15.5.16 coding", post("Content-Encoding: br\r\nContent-Length: 1\r\n", "a"), "415"),
        Rule("9110 15.5.16 coding", post("Content-Encoding: gzip, gzip\r\nContent-Length: 1\r\n", "a"), "415"),
        Rule("9110 15.5.16 no content", get("/", "Content-Encoding: br\r\n"), "GET /"),
    ]

    @Test("messages", arguments: messages) func message(rule: Rule) { check(rule) }

    @Test("framing and the connection", arguments: framing) func frame(rule: Rule) { check(rule) }

    /// How the connection ends belongs to other tests.
    private func check(_ rule: Rule) {
        for inPieces in [false, true] {
            var driver = ConnectionDriver()
            if inPieces {
                for byte in rule.bytes.utf8 { driver.receive([byte]) }
            } else {
                driver.receive(rule.bytes)
            }
            // The interim answer comes only when the body is awaited.
            let log = driver.log.filter { !["close", "end output", "100"].contains($0) }
            #expect(log == rule.outcome, "in pieces: \(inPieces)")
        }
    }

    @Test(
        "Host and authority: names, addresses and ports",
        arguments: [
            ("h", true), ("h:80", true), ("h:", true), ("a_b.c-d~e", true), ("a%41", true), ("[::1]", true),
            ("[::1]:80", true),
            ("[::ffff:1.2.3.4]", true), ("1.2.3.4", true), ("h:x", false), ("h:80:80", false), ("h:+1", false),
            ("a%4", false),
            ("a%00", false), ("[]", false), ("[::1", false), ("[::1]x", false), ("[v1.a]", false),
            ("[fe80::1%25eth0]", false),
            ("::1", false), ("a b", false), ("a/b", false), ("a@b", false), ("a?b", false), ("\"h\"", false),
            ("a,b", true),
        ])
    func authorities(text: String, isValid: Bool) {
        #expect(parse("GET / HTTP/1.1\r\nHost: \(text)\r\n\r\n").isHead == isValid)
        #expect(
            parse("GET http://\(text)/ HTTP/1.1\r\nHost: h\r\n\r\n").isHead
                == (isValid || text == "a/b" || text == "a?b"))
    }

    @Test("a request says whether its body is framed") func declaredBody() {
        func declares(_ headers: String) -> Bool? {
            guard case .head(let head) = parse("POST / HTTP/1.1\r\nHost: h\r\n\(headers)\r\n") else { return nil }
            return head.declaresBody
        }
        #expect(declares("") == false)
        #expect(declares("Content-Length: 0\r\n") == true)
        #expect(declares("Transfer-Encoding: chunked\r\n") == true)
    }
}
