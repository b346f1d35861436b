import HTTPMessages
import Testing

@Suite("Query items") struct QueryItemsTests {
    private func items(_ query: String) -> [String] {
        let bytes = Array(query.utf8)
        var items: [String] = []
        forEachQueryItem(in: bytes.span) { name, value in
            let text = { (range: Range<Int>) in String(decoding: bytes[range], as: UTF8.self) }
            items.append(text(name) + (value.map { "=" + text($0) } ?? ""))
        }
        return items
    }

    @Test(
        "items come in order, raw",
        arguments: [
            ("", []), ("a=1", ["a=1"]), ("a=1&b=2&a=3", ["a=1", "b=2", "a=3"]), ("a", ["a"]), ("a=", ["a="]),
            ("=a", ["=a"]), ("=", ["="]), ("a=b=c", ["a=b=c"]), ("&&a=1&&b&", ["a=1", "b"]), ("a=%26%3D", ["a=%26%3D"]),
        ] as [(String, [String])])
    func inOrder(query: String, expected: [String]) {
        #expect(items(query) == expected)
    }

    @Test("an error ends the walk")
    func errors() {
        var seen = 0
        #expect(throws: PercentDecodingError.nul) {
            try forEachQueryItem(in: Array("a&b&c".utf8).span) { _, _ throws(PercentDecodingError) in
                seen += 1
                if seen == 2 { throw .nul }
            }
        }
        #expect(seen == 2)
    }
}
