import HTTPMessages
import TestSupport
import Testing

/// The rules of a connection's life, asserted on what it asks of the loop; time is the test's.
@Suite("Connection state") struct ConnectionStateTests {
    private func get(_ path: String, _ headers: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: h\r\n\(headers)\r\n"
    }

    @Test("pipelined requests are answered in order, and the connection stays")
    func pipelining() {
        var driver = ConnectionDriver()
        driver.receive(
            get("/1") + get("/2") + "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + get("/4"))
        #expect(driver.log == ["GET /1", "GET /2", "POST /3 abc", "GET /4"])
        #expect(driver.state.wantsToRead && driver.state.isAnswered)
    }

    @Test("one byte at a time gives the same answers")
    func byteByByte() {
        let text =
            get("/1") + "\r\n" + "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "3;x=y\r\nabc\r\n00A\r\n0123456789\r\n0\r\nTrailer: dropped\r\n\r\n" + get("/3", "Connection: close\r\n")
        var whole = ConnectionDriver()
        whole.receive(text)
        var pieces = ConnectionDriver()
        for byte in text.utf8 { pieces.receive([byte]) }
        #expect(whole.log == ["GET /1", "POST /2 abc0123456789", "GET /3 close", "close"])
        #expect(pieces.log == whole.log)
    }

    @Test("close is answered with close, and nothing after it is")
    func closing() {
        var plain = ConnectionDriver()
        plain.receive(get("/1", "Connection: close\r\n"))
        #expect(plain.log == ["GET /1 close", "close"])

        var followed = ConnectionDriver()
        followed.receive(get("/1", "Connection: close\r\n") + get("/2"))
        #expect(followed.log == ["GET /1 close", "end output"])
        followed.clientEnds()
        #expect(followed.log.last == "close")
    }

    @Test("HTTP/1.0 closes unless it asked to stay")
    func http10() {
        var driver = ConnectionDriver()
        driver.receive("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /2 HTTP/1.0\r\n\r\n")
        #expect(driver.log == ["GET /1 keep-alive", "GET /2 close", "close"])
    }

    @Test("a connection ends after the number of requests it is allowed")
    func requestLimit() {
        var limits = Limits()
        limits.requestsPerConnectionMax = 2
        var driver = ConnectionDriver(limits)
        driver.receive(get("/1"))
        driver.receive(get("/2"))
        // The client did not ask for the end: more of its requests may be on the way, and a plain close would reset them.
        #expect(driver.log == ["GET /1", "GET /2 close", "end output"])
        driver.receive(get("/3"))
        #expect(driver.log.last == "end output")
        driver.clientEnds()
        #expect(driver.log.last == "close")
    }

    // MARK: Refusals

    @Test("a refusal is the last answer, and the client's bytes are swallowed until it ends or time is up")
    func refusing() {
        var driver = ConnectionDriver()
        driver.receive("BROKEN\r\n")
        #expect(driver.log == ["400", "end output"])
        driver.receive(get("/ignored"))
        #expect(driver.log == ["400", "end output"])
        #expect(driver.input.isEmpty && driver.state.wantsToRead)
        driver.wait(.milliseconds(999))
        driver.fireTimer()
        #expect(driver.log.last == "end output")
        driver.wait(.milliseconds(1))
        driver.fireTimer()
        #expect(driver.log.last == "close")
    }

    @Test("answers before a refusal are sent with it")
    func refusalAfterAnswer() {
        var driver = ConnectionDriver()
        driver.receive(get("/1") + "GET / HTTP/9.9\r\n" + get("/2"))
        #expect(driver.log == ["GET /1", "505", "end output"])
    }

    @Test("one empty line before a request is ignored, two are not")
    func emptyLines() {
        var one = ConnectionDriver()
        one.receive("\r")
        one.receive("\n")
        #expect(one.state.isAnswered)
        one.receive(get("/1") + "\r\n" + get("/2"))
        #expect(one.log == ["GET /1", "GET /2"])
        var two = ConnectionDriver()
        two.receive("\r\n\r\n" + get("/1"))
        #expect(two.log == ["400", "end output"])
    }

    // MARK: Bodies

    @Test("100 Continue is sent once, when the body is awaited and has not begun")
    func continuing() {
        let start = "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        var driver = ConnectionDriver()
        driver.receive(start)
        driver.receive("a")
        driver.receive("bc")
        #expect(driver.log == ["100", "POST /1 abc"])
        var eager = ConnectionDriver()
        eager.receive(start + "ab")
        eager.receive("c")
        #expect(eager.log == ["POST /1 abc"])
        var large = ConnectionDriver()
        large.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n")
        #expect(large.log == ["413", "end output"])
    }

    @Test(
        "chunked bodies: what is accepted and what is not",
        arguments: [
            ("0\r\n\r\n", "POST /"), ("1\r\na\r\n0\r\n\r\n", "POST / a"),
            ("A\r\n0123456789\r\n0\r\n\r\n", "POST / 0123456789"),
            ("1;a=\"b\"\r\na\r\n0\r\n\r\n", "POST / a"), ("1 ;a\r\na\r\n0;b\r\n\r\n", "POST / a"),
            ("0000000000000001\r\na\r\n000\r\n\r\n", "POST / a"), ("0\r\nA: b\r\nC: d\r\n\r\n", "POST /"),
            ("\r\n", "400"), ("g\r\n", "400"), ("-1\r\n", "400"), ("+1\r\na\r\n", "400"), ("0x1\r\na\r\n", "400"),
            (" 1\r\na\r\n", "400"), ("1 \r\na\r\n", "400"), ("1 a\r\na\r\n", "400"), ("1\na\r\n0\r\n\r\n", "400"),
            ("1\r\nab\r\n", "400"), ("1\r\na\n0\r\n\r\n", "400"), ("1\r\na\rb", "400"), ("1;\u{1}\r\na\r\n", "400"),
            ("1;a\rb\r\na\r\n", "400"), ("0\r\nA : b\r\n\r\n", "400"), ("0\r\n folded\r\n\r\n", "400"),
            ("0\r\nA\n\r\n", "400"), ("ffffffffffffffffffff\r\n", "413"), ("11\r\n", "413"),
            ("10\r\n0123456789abcdef\r\n1\r\n", "413"), ("8\r\n01234567\r\n9\r\n", "413"),
        ])
    func chunks(body: String, outcome: String) {
        var limits = Limits()
        limits.bodyBytesMax = 16
        for pieces in [false, true] {
            var driver = ConnectionDriver(limits)
            driver.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            if pieces { for byte in body.utf8 { driver.receive([byte]) } } else { driver.receive(body) }
            #expect(driver.log.first == outcome, "in pieces: \(pieces)")
        }
    }

    @Test("the bounds of chunk lines and trailers, at and one past")
    func chunkBounds() {
        var limits = Limits()
        limits.headerBytesMax = 40
        limits.headerCountMax = 3
        func outcome(_ body: String) -> String? {
            var driver = ConnectionDriver(limits)
            driver.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
            return driver.log.first
        }
        let extended = { (count: Int) in "0;" + String(repeating: "a", count: count - 2) + "\r\n\r\n" }
        #expect(outcome(extended(256)) == "POST /")
        #expect(outcome(extended(257)) == "400")
        #expect(outcome("0\r\nA: " + String(repeating: "a", count: 35) + "\r\n\r\n") == "POST /")
        #expect(outcome("0\r\nA: " + String(repeating: "a", count: 36) + "\r\n\r\n") == "431")
        #expect(outcome("0\r\n" + String(repeating: "A: b\r\n", count: 3) + "\r\n") == "POST /")
        #expect(outcome("0\r\n" + String(repeating: "A: b\r\n", count: 4) + "\r\n") == "431")
        #expect(outcome("0\r\n" + String(repeating: "a", count: 60)) == "431")
        #expect(outcome(String(repeating: "0", count: 300)) == "400")
    }

    @Test("tiny chunks do not pile up in the buffer")
    func tinyChunks() {
        var driver = ConnectionDriver()
        driver.receive("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        let headBytes = driver.input.count
        for count in 1...1000 {
            driver.receive("1;extension=long\r\na\r\n")
            #expect(driver.input.count == headBytes + count)
        }
        driver.receive("0\r\n\r\n")
        #expect(driver.log == ["POST / " + String(repeating: "a", count: 1000)])
    }

    @Test("random chunkings of random bodies come out whole", arguments: [1, 2, 3, 4] as [UInt64])
    func randomChunks(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        let content = String((0..<2000).map { _ in Character(Unicode.Scalar(UInt8.random(in: 97...122, using: &rng))) })
        var wire = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        var rest = Substring(content)
        while !rest.isEmpty {
            let chunk = rest.prefix(Int.random(in: 1...200, using: &rng))
            wire += String(chunk.count, radix: 16) + "\r\n" + chunk + "\r\n"
            rest = rest.dropFirst(chunk.count)
        }
        wire += "0\r\n\r\n"
        var driver = ConnectionDriver()
        var bytes = Array(wire.utf8)[...]
        while !bytes.isEmpty {
            let piece = bytes.prefix(Int.random(in: 1...300, using: &rng))
            driver.receive(Array(piece))
            bytes = bytes.dropFirst(piece.count)
        }
        #expect(driver.log == ["POST / " + content], "seed \(seed)")
    }

    // MARK: Time

    @Test("a head that dawdles gets 408, and each byte does not buy more time")
    func slowHead() {
        var driver = ConnectionDriver()
        for byte in "GET / HTTP".utf8 {
            driver.receive([byte])
            driver.wait(.milliseconds(999))
            driver.fireTimer()
        }
        #expect(driver.log.isEmpty)
        driver.wait(.milliseconds(10))
        driver.fireTimer()
        #expect(driver.log == ["408", "end output"])
    }

    @Test("a body that dawdles gets 408 after its own time")
    func slowBody() {
        var driver = ConnectionDriver()
        driver.receive("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na")
        driver.wait(.seconds(29))
        driver.fireTimer()
        #expect(driver.log.isEmpty)
        driver.wait(.seconds(1))
        driver.fireTimer()
        #expect(driver.log == ["408", "end output"])
    }

    @Test("silence is ended in silence: sooner for a new connection than for one that has asked before")
    func idle() {
        var new = ConnectionDriver()
        new.wait(.seconds(10))
        new.fireTimer()
        #expect(new.log == ["close"])
        var used = ConnectionDriver()
        used.receive(get("/1"))
        used.wait(.milliseconds(74_999))
        used.fireTimer()
        #expect(used.log == ["GET /1"])
        used.wait(.milliseconds(1))
        used.fireTimer()
        #expect(used.log == ["GET /1", "close"])
    }

    @Test("a client that takes nothing is cut, one that takes a little is not")
    func writeStall() {
        var limits = Limits()
        limits.answerBytesPerSecondMin = 0
        var driver = ConnectionDriver(limits)
        driver.receive(get("/1"), drains: false)
        driver.wait(.seconds(9))
        driver.outputBytes += 1
        driver.write(1)
        driver.wait(.seconds(9))
        driver.fireTimer()
        #expect(driver.log == ["GET /1"])
        #expect(!driver.state.isAnswered)
        driver.wait(.seconds(1))
        driver.fireTimer()
        #expect(driver.log == ["GET /1", "close"])
    }

    // MARK: Bounds on what waits

    @Test("with too much output neither reads nor answers until it is sent")
    func backPressure() {
        var limits = Limits()
        limits.outputBytesMax = 2
        var driver = ConnectionDriver(limits)
        driver.receive((1...5).map { get("/\($0)") }.joined(), drains: false)
        #expect(driver.log == ["GET /1", "GET /2", "GET /3"])
        #expect(!driver.state.wantsToRead)
        driver.outputBytes = 1
        driver.run(drains: false)
        #expect(driver.log.count == 3, "some was sent, not all")
        driver.drainOutput()
        #expect(driver.log == ["GET /1", "GET /2", "GET /3", "GET /4", "GET /5"])
        #expect(driver.state.wantsToRead)
    }

    @Test("a long pipeline lets the others have their turn")
    func yielding() {
        var limits = Limits()
        limits.pipelinedRequestsMax = 2
        var driver = ConnectionDriver(limits)
        driver.receive((1...4).map { get("/\($0)") }.joined())
        #expect(driver.log == ["GET /1", "GET /2", "yield"])
        #expect(!driver.state.wantsToRead && !driver.state.isAnswered)
        driver.run()
        #expect(driver.log == ["GET /1", "GET /2", "yield", "GET /3", "GET /4"])
        #expect(driver.state.wantsToRead)
    }

    // MARK: Ends

    @Test("a client that ends its side still gets its answers")
    func halfClose() {
        var driver = ConnectionDriver()
        driver.receive(get("/1"), drains: false)
        driver.clientEnds()
        #expect(driver.log == ["GET /1", "close"])
        #expect(driver.outputBytes == 0)
    }

    @Test("half a request from a client that went away is dropped")
    func halfRequest() {
        var driver = ConnectionDriver()
        driver.receive("GET / HT")
        driver.clientEnds()
        #expect(driver.log == ["close"])
    }

    // MARK: Drain

    @Test("a drain answers what was received, says close in the last answer, and waits for the client to end")
    func drain() {
        var driver = ConnectionDriver()
        driver.receive(get("/1"))
        driver.state.drainBegan(now: driver.now, policy: driver.policy)
        driver.receive(get("/2") + get("/3"))
        #expect(driver.log == ["GET /1", "GET /2", "GET /3 close", "end output"])
        #expect(driver.state.isAnswered)
        driver.clientEnds()
        #expect(driver.log.last == "close")
    }

    @Test("before a drain the last answer says close, and whoever asks nothing stays")
    func beforeDrain() {
        var driver = ConnectionDriver()
        driver.receive(get("/1"))
        driver.state.closingBegan()
        driver.wait(.seconds(70))
        driver.fireTimer()
        driver.receive(get("/2") + get("/3"))
        #expect(driver.log == ["GET /1", "GET /2", "GET /3 close", "end output"])
    }

    @Test("a drain leaves a new connection the time it has for its first request", arguments: [true, false])
    func drainNew(asks: Bool) {
        var driver = ConnectionDriver()
        driver.wait(.seconds(8))
        driver.state.drainBegan(now: driver.now, policy: driver.policy)
        driver.wait(.milliseconds(1999))
        driver.fireTimer()
        #expect(driver.log.isEmpty)
        if asks { driver.receive(get("/1")) }
        driver.wait(.milliseconds(1))
        driver.fireTimer()
        #expect(driver.log == (asks ? ["GET /1 close", "end output"] : ["close"]))
    }

    @Test("a drain ends an idle connection after a moment, and lets a request under way arrive")
    func drainIdle() {
        var idle = ConnectionDriver()
        idle.receive(get("/1"))
        idle.state.drainBegan(now: idle.now, policy: idle.policy)
        idle.wait(.milliseconds(100))
        idle.fireTimer()
        #expect(idle.log == ["GET /1", "close"])

        var busy = ConnectionDriver()
        busy.receive("GET /1 HTTP/1.1\r\nHost")
        busy.state.drainBegan(now: busy.now, policy: busy.policy)
        busy.wait(.milliseconds(100))
        busy.fireTimer()
        #expect(!busy.state.isAnswered)
        busy.receive(": h\r\n\r\n")
        #expect(busy.log == ["GET /1 close", "end output"])
    }

    @Test("mutated conversations never trap and always end", arguments: [1, 2, 3] as [UInt64])
    func mutations(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        for _ in 0..<1500 {
            var bytes = Array(
                (get("/1")
                    + "POST /2 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n"
                    + "POST /3 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc").utf8)
            for _ in 0..<(1 + rng.next() % 5) {
                bytes[Int(rng.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: rng.next())
            }
            var driver = ConnectionDriver()
            var rest = bytes[...]
            while !rest.isEmpty, driver.log.last != "close" {
                let piece = rest.prefix(1 + Int(rng.next() % 60))
                driver.receive(Array(piece))
                rest = rest.dropFirst(piece.count)
            }
            if driver.log.last != "close" { driver.clientEnds() }
            #expect(driver.log.last == "close", "seed \(seed): \(bytes)")
        }
    }
}
