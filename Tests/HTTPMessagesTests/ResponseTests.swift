import HTTPMessages
import Testing

@Suite("Response") struct ResponseTests {
    private static let date = HTTPDate(unixSeconds: 784_111_777)
    private static let dateLine = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"

    private func written(
        _ persistence: Persistence = .implicit, omitsBody: Bool = false, after earlier: String = "",
        _ write: (inout Response) -> Void
    ) -> (text: String, byteCount: Int) {
        var response = Response(
            into: buffer(earlier), date: Self.date, persistence: persistence, omitsBody: omitsBody)
        write(&response)
        let byteCount = response.finish()
        return (response.takeOutput().text, byteCount)
    }

    @Test("head, headers and body are laid out with the length patched in")
    func layout() {
        let (text, byteCount) = written { response in
            response.begin(status: 200, contentType: "application/json")
            response.header("X-Model-Version", 7)
            response.header("X-Static", "s")
            response.header("X-String", "t")
            response.append("{\"k\":" as StaticString)
            response.appendDecimal(-10)
            response.append(",")
            response.append("치" as String)
            response.append("}")
            let count = response.bodyByteCount
            #expect(count == 13)
        }
        let expected =
            "HTTP/1.1 200 OK\r\n" + Self.dateLine + "Content-Length:         13\r\nContent-Type: application/json\r\n"
            + "X-Model-Version: 7\r\nX-Static: s\r\nX-String: t\r\n\r\n{\"k\":-10,치}"
        #expect(text == expected)
        #expect(byteCount == expected.utf8.count)
    }

    @Test("what is already in the output stays before the answer")
    func afterOthers() {
        let (text, byteCount) = written(after: "earlier") { $0.begin(status: 204) }
        #expect(text == "earlierHTTP/1.1 204 No Content\r\n" + Self.dateLine + "\r\n")
        #expect(byteCount == text.utf8.count - 7)
    }

    @Test("HEAD keeps the length and loses the body")
    func head() {
        let (text, _) = written(omitsBody: true) { response in
            response.begin(status: 200, contentType: "text/plain")
            response.append("hello" as String)
        }
        #expect(text.contains("Content-Length:          5\r\n"))
        #expect(text.hasSuffix("text/plain\r\n\r\n"))
    }

    @Test("204 and 304 have neither length nor body", arguments: [204, 304])
    func noContent(status: Int) {
        let (text, _) = written { response in
            response.begin(status: status)
            response.append("dropped" as String)
        }
        #expect(!text.contains("Content-Length"))
        #expect(text.hasSuffix("\r\n\r\n"))
    }

    @Test("an empty body has the length 0")
    func empty() {
        #expect(written { $0.begin(status: 404) }.text.contains("HTTP/1.1 404 Not Found\r\n"))
        #expect(written { $0.begin(status: 404) }.text.contains("Content-Length:          0\r\n"))
    }

    @Test("the connection field says what the version needs to hear")
    func connectionField() {
        #expect(!written(.implicit) { $0.begin(status: 200) }.text.contains("Connection"))
        #expect(written(.keepAlive) { $0.begin(status: 200) }.text.contains("\r\nConnection: keep-alive\r\n"))
        #expect(written(.close) { $0.begin(status: 200) }.text.contains("\r\nConnection: close\r\n"))
    }

    @Test("a header value cannot end its line", arguments: ["a\r\nb", "a\nb", "a\rb", "a\u{0}b", "a\u{7f}", "\u{1b}"])
    func splitting(value: String) {
        let (text, _) = written { response in
            response.begin(status: 200)
            let (wasRefused, wasTaken) = (!response.header("X-Request-ID", value), response.header("X-Other", "a \tb"))
            #expect(wasRefused && wasTaken)
        }
        #expect(!text.contains("X-Request-ID"))
        #expect(text.contains("X-Other: a \tb\r\n"))
    }

    @Test("beginning again forgets what was written")
    func beginningAgain() {
        let (text, _) = written(after: "earlier") { response in
            response.begin(status: 200, contentType: "a/b")
            response.header("X-Gone", 1)
            response.append("gone" as String)
            response.begin(status: 500, contentType: "c/d")
            response.append("kept" as String)
        }
        #expect(
            text == "earlierHTTP/1.1 500 Internal Server Error\r\n" + Self.dateLine
                + "Content-Length:          4\r\nContent-Type: c/d\r\n\r\nkept")
    }

    @Test("a handler that says nothing has said 500")
    func silence() {
        #expect(written { _ in }.text.hasPrefix("HTTP/1.1 500 "))
    }
}
