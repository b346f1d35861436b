import Testing

@testable import HTTPLoad

@Suite("Request script") struct RequestScriptTests {
    @Test("requests stand one behind the other, with their body")
    func renders() throws {
        let script = try RequestScript(
            targets: ["/a?b=1", "/c"], method: "POST", host: "127.0.0.1:80", headers: ["X-Y: z"], body: Array("{}".utf8)
        )
        func request(_ target: String) -> String {
            "POST \(target) HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX-Y: z\r\nContent-Length: 2\r\n\r\n{}"
        }
        #expect(String(decoding: script.bytes, as: UTF8.self) == request("/a?b=1") + request("/c"))
        #expect(script.range(of: 0..<1) == 0..<request("/a?b=1").utf8.count)
        #expect(script.range(of: 1..<2) == request("/a?b=1").utf8.count..<script.bytes.count)
        #expect(script.range(of: 0..<2) == 0..<script.bytes.count)
    }

    @Test("a target that would break the request is refused", arguments: ["", "a", "/a b", "/a\r\nX: y", "/\u{7f}"])
    func badTarget(target: String) {
        #expect(throws: RequestScript.Failure.badTarget(target)) {
            try RequestScript(targets: ["/", target], method: "GET", host: "h")
        }
    }

    @Test("so are a bad method, a bad header and no targets")
    func badParts() {
        #expect(throws: RequestScript.Failure.badMethod("GE T")) {
            try RequestScript(targets: ["/"], method: "GE T", host: "h")
        }
        #expect(throws: RequestScript.Failure.badHeader("A: b\r\nC: d")) {
            try RequestScript(targets: ["/"], method: "GET", host: "h", headers: ["A: b\r\nC: d"])
        }
        #expect(throws: RequestScript.Failure.noTargets) {
            try RequestScript(targets: [], method: "GET", host: "h")
        }
    }
}
