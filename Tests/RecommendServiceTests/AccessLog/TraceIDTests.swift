import HTTPMessages
import Testing

@testable import RecommendService

@Suite("traceparent") struct TraceIDTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let parent = "00f067aa0ba902b7"

    private func read(_ value: String) -> String? {
        let bytes = Array(value.utf8)
        guard let id = TraceID(traceparent: bytes.span) else { return nil }
        var buffer = ByteBuffer(capacity: 32)
        id.append(to: &buffer)
        return text(buffer)
    }

    @Test("the trace id is read and written as it came")
    func reads() {
        #expect(read("00-\(Self.trace)-\(Self.parent)-01") == Self.trace)
        #expect(read("00-\(Self.trace)-\(Self.parent)-ff") == Self.trace)
        #expect(read("00-00000000000000000000000000000001-0000000000000001-00") == "00000000000000000000000000000001")
    }

    @Test("a later version may have more behind a dash, version 00 may not")
    func versions() {
        #expect(read("01-\(Self.trace)-\(Self.parent)-01") == Self.trace)
        #expect(read("cc-\(Self.trace)-\(Self.parent)-01-what-the-future-will-be-like") == Self.trace)
        #expect(read("cc-\(Self.trace)-\(Self.parent)-01.what") == nil)
        #expect(read("00-\(Self.trace)-\(Self.parent)-01-what") == nil)
        #expect(read("ff-\(Self.trace)-\(Self.parent)-01") == nil)
    }

    @Test("anything else is none")
    func refuses() {
        let good = Array("00-\(Self.trace)-\(Self.parent)-01".utf8)
        for count in 0..<good.count { #expect(read(String(decoding: good[..<count], as: UTF8.self)) == nil) }
        // Upper case, another byte, or none of the punctuation, at every place.
        for place in good.indices {
            for byte in Array("AG-/:`g \u{7F}".utf8) where byte != good[place] {
                var bad = good
                bad[place] = byte
                #expect(read(String(decoding: bad, as: UTF8.self)) == nil, "byte \(byte) at \(place)")
            }
        }
        #expect(read("00-\(String(repeating: "0", count: 32))-\(Self.parent)-01") == nil)
        #expect(read("00-\(Self.trace)-0000000000000000-01") == nil)
    }

    @Test("the header's name is taken in any case, and none is taken of two")
    func ofRequest() throws {
        let value = "00-\(Self.trace)-\(Self.parent)-01"
        #expect(try of("TraceParent: \(value)\r\n"))
        #expect(try of("A: b\r\ntraceparent:\t\(value) \r\nC: d\r\n"))
        #expect(try !of("traceparent: \(value)\r\ntraceparent: \(value)\r\n"))
        #expect(try !of("tracestate: \(value)\r\n"))
    }

    private func of(_ headers: String) throws -> Bool {
        let bytes = Array("GET / HTTP/1.1\r\nHost: h\r\n\(headers)\r\n".utf8)
        var parser = RequestParser()
        let head = try #require(try parser.parse(bytes.span, limits: Limits()))
        return TraceID(of: head, in: bytes.span) != nil
    }
}

func text(_ buffer: borrowing ByteBuffer) -> String {
    buffer.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
}
