import Testing

@testable import HTTPLoad

@Suite("Answer reader") struct AnswerReaderTests {
    struct Read: Equatable {
        var statuses: [Int] = []
        var closes: [Bool] = []
        var versions: [String?] = []
        var isMalformed = false
    }

    /// Reads `text` given in pieces of `step` bytes, keeping what the reader wants again.
    func read(_ text: String, step: Int, bodyless: Bool = false, ended: Bool = false) -> Read {
        var (reader, versions, found) = (AnswerReader(bodyless: bodyless), VersionList(), Read())
        var held: [UInt8] = []
        func add(_ answer: AnswerReader.Answer) {
            found.statuses.append(answer.status)
            found.closes.append(answer.closes)
            found.versions.append(answer.version == 0 ? nil : versions.names[answer.version - 1])
        }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            held += rest.prefix(step)
            rest = rest.dropFirst(step)
            var offset = 0
            do throws(AnswerReader.Malformed) {
                while let answer = try reader.next(held.span, &offset, &versions) { add(answer) }
            } catch {
                found.isMalformed = true
                return found
            }
            held.removeFirst(offset)
        }
        if ended, let answer = reader.end() { add(answer) }
        return found
    }

    @Test("framing by length, by chunks, without a body and after an interim answer", arguments: [1, 2, 7, 10_000])
    func frames(step: Int) {
        let text =
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Model-Version: 7\r\n\r\nhello"
            + "HTTP/1.1 100 Continue\r\n\r\n"
            + "HTTP/1.1 503 Busy\r\ncontent-length:0\r\nCONNECTION: Close\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx-model-version: 8\r\n\r\n"
            + "5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n"
            + "HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"
            + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Model-Version: 7\r\n\r\n"
        let found = read(text, step: step)
        #expect(found.statuses == [200, 503, 200, 204, 200])
        #expect(found.closes == [false, true, false, false, false])
        #expect(found.versions == ["7", nil, "8", nil, "7"])
        #expect(!found.isMalformed)
    }

    @Test("an answer without a length ends with the connection", arguments: [1, 10_000])
    func untilClose(step: Int) {
        let found = read("HTTP/1.1 200 OK\r\n\r\nsome bytes", step: step, ended: true)
        #expect(found == Read(statuses: [200], closes: [true], versions: [nil]))
    }

    @Test("an answer cut short is none")
    func cutShort() {
        #expect(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", step: 100, ended: true) == Read())
        #expect(read("HTTP/1.1 200 OK\r\nContent-Le", step: 100, ended: true) == Read())
    }

    @Test("answers to HEAD have no body")
    func head() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        #expect(read(answer + answer, step: 3, bodyless: true).statuses == [200, 200])
    }

    @Test(
        "what is not HTTP/1.1 is refused",
        arguments: [
            "SSH-2.0-OpenSSH_9.2p1 Debian\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
            "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFF\r\n",
        ])
    func refuses(text: String) { #expect(read(text, step: 10_000).isMalformed) }

    @Test("a head without an end is refused, not kept for ever")
    func endless() {
        let lines = String(repeating: "A: b\r\n", count: AnswerReader.lineBytesMax / 6 + 10)
        #expect(read("HTTP/1.1 200 OK\r\n" + lines, step: 60_000).isMalformed)
        #expect(read(String(repeating: "x", count: AnswerReader.lineBytesMax + 2), step: 60_000).isMalformed)
    }

    @Test("versions beyond the list's bound share a name")
    func manyVersions() {
        let count = VersionList.countMax + 3
        let text = (1...count).map { "HTTP/1.1 204 N\r\nX-Model-Version: \($0)\r\n\r\n" }.joined()
        let versions = read(text, step: 10_000).versions
        #expect(versions[VersionList.countMax - 1] == "\(VersionList.countMax)")
        #expect(versions[VersionList.countMax...].allSatisfy { $0 == "other" })
        #expect(versions.count == count)
    }
}
