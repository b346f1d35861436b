import COpenSSL
import Glibc
import HTTPMessages
import HTTPServer
import TestSupport
import Testing

/// What is particular to requests over TLS. What is not runs twice in `HTTPServerTests` and `DrainTests`.
@Suite("TLS connections") struct TLSConnectionTests {
    private func client(_ server: TestServer, _ options: TLSClientSession.Options = .init()) throws -> TestClient {
        try TestClient(port: server.port, tls: options)
    }

    // MARK: Bytes that epoll does not see

    /// Requests of one record each, sent together: OpenSSL reads them at once, and the socket has nothing left to report.
    @Test("many records in one segment are all answered", arguments: [2, 33, 100, 500])
    func manyRecords(count: Int) throws {
        let server = try TestServer(tls: try tlsContext())
        let client = try client(server)
        let session = try #require(client.tls)
        for number in 0..<count { try session.write(Array(get("/\(number)").utf8)) }
        try client.sendRaw(session.takeOutgoing())
        for number in 0..<count { #expect(try client.response().body == "/\(number)") }
    }

    @Test("a body of a byte a record is put together")
    func tinyRecords() throws {
        let server = try TestServer(tls: try tlsContext())
        let client = try client(server)
        let session = try #require(client.tls)
        let text =
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2000\r\n\r\n" + String(repeating: "ab", count: 1000)
        for byte in text.utf8 { try session.write([byte]) }
        try client.sendRaw(session.takeOutgoing())
        #expect(try client.response().body == String(repeating: "ab", count: 1000))
    }

    @Test("requests behind an answer that has to wait for its reader are answered after it")
    func pausedWithInput() throws {
        let server = try TestServer(tls: try tlsContext()) { $0.outputBytesMax = 64 * 1024 }
        let client = try TestClient(port: server.port, receiveBufferBytes: 4096, tls: .init())
        let session = try #require(client.tls)
        for number in 0..<20 { try session.write(Array((number % 5 == 0 ? get("/large") : get("/\(number)")).utf8)) }
        try client.sendRaw(session.takeOutgoing())
        for number in 0..<20 {
            let body = try client.response().body
            #expect(number % 5 == 0 ? body.utf8.count == 1_048_576 : body == "/\(number)")
        }
    }

    @Test("records that dribble in make the same requests")
    func dribbles() throws {
        let server = try TestServer(tls: try tlsContext())
        let client = try client(server, .init(dribbles: true))
        try client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        #expect(try client.response().body == "abc")
    }

    @Test("a large body arrives, a large answer too", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func large(version: Int32) throws {
        let server = try TestServer(tls: try tlsContext()) { $0.bodyBytesMax = 4 << 20 }
        let client = try client(server, .init(versions: version...version))
        let body = String(repeating: "0123456789abcdef", count: 200_000)
        let head = "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        for piece in Array((head + body).utf8).chunks(of: 100_000) { try client.send(piece) }
        #expect(try client.response().body == body)
    }

    // MARK: Before the handshake

    @Test("a PROXY header comes before the handshake, whole or in parts", arguments: [true, false])
    func proxyHeader(isWhole: Bool) throws {
        var configuration = ServerConfiguration(port: 0)
        configuration.listeners[0].tls = try tlsContext()
        configuration.listeners[0].hasProxyHeaders = true
        configuration.trustedProxies = AddressRange.loopback
        let server = try TestServer(configuration)
        let client = try TestClient(port: server.port, tls: nil)
        let header = Array("PROXY TCP4 192.0.2.1 192.0.2.2 1000 443\r\n".utf8)
        if isWhole {
            try client.sendRaw(header)
        } else {
            for byte in header { try client.sendRaw([byte]) }
        }
        try client.startTLS(.init())
        try client.send(get("/behind"))
        #expect(try client.response().body == "/behind")
    }

    // MARK: The end

    @Test("close, and an idle connection's end, are said in TLS", arguments: ["/1", nil] as [String?])
    func goodbye(path: String?) throws {
        let server = try TestServer(tls: try tlsContext()) { $0.idleTime = .milliseconds(50) }
        let client = try client(server)
        try client.send(get("/0", path == nil ? "" : "Connection: close\r\n"))
        #expect(try client.response().status == 200)
        #expect(try client.isAtEnd(), "throws when the connection ends without close_notify")
        #expect(client.tls?.sawGoodbye == true)
    }

    @Test("an answer that was cut does not look whole")
    func noGoodbye() throws {
        let server = try TestServer(tls: try tlsContext()) { limits in
            limits.writeStallTime = .milliseconds(100)
            limits.outputBytesMax = 64 * 1024
        }
        let client = try TestClient(port: server.port, receiveBufferBytes: 4096, tls: .init())
        try client.send((0..<16).map { _ in get("/large") }.joined())
        #expect(server.observations.wait { $0.closed == 1 })
        #expect(throws: (any Error).self) { _ = try client.receiveAll() }
        #expect(client.tls?.sawGoodbye == false)
    }

    @Test("a request that is cut short is not answered, with close_notify or without", arguments: [true, false])
    func truncated(saysGoodbye: Bool) throws {
        let server = try TestServer(tls: try tlsContext())
        let client = try client(server)
        try client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabcde")
        if saysGoodbye { client.endOutput() } else { client.endRawOutput() }
        #expect(try client.isAtEnd())
        #expect(server.observations.wait { $0.closed == 1 })
        #expect(server.observations.all.requests.isEmpty)
    }

    @Test("whole requests are answered though the client ends without close_notify")
    func halfCloseWithoutGoodbye() throws {
        let server = try TestServer(tls: try tlsContext())
        let client = try client(server)
        try client.send(get("/1") + get("/large"))
        client.endRawOutput()
        #expect(try client.response().body == "/1")
        #expect(try client.response().body.utf8.count == 1_048_576)
        #expect(try client.isAtEnd())
    }

    @Test("bytes that are no record end the connection")
    func forgedRecord() throws {
        let server = try TestServer(tls: try tlsContext())
        for bytes in [[0x17, 3, 3, 0, 32] + [UInt8](repeating: 9, count: 32), Array(get("/forged").utf8)] {
            let client = try client(server)
            try client.send(get("/1"))
            #expect(try client.response().status == 200)
            try client.sendRaw(bytes)
            client.endRawOutput()
            _ = try? client.receiveAll()
        }
        #expect(server.observations.wait { $0.closed == 2 })
        #expect(server.observations.all.requests.count == 2)
    }

    @Test("new keys between requests change nothing")
    func keyUpdates() throws {
        let server = try TestServer(tls: try tlsContext())
        let client = try client(server, .init(versions: TLS1_3_VERSION...TLS1_3_VERSION))
        for number in 0..<20 {
            // New keys in both directions between requests (RFC 8446 section 4.6.3).
            try #require(client.tls).updateKeys()
            try client.send(get("/\(number)"))
            #expect(try client.response().body == "/\(number)")
        }
    }

    @Test("key updates are put up with, but not without end: the session is ended and others are served")
    func keyUpdateFlood() throws {
        let server = try TestServer(tls: try tlsContext())
        let client = try client(server, .init(versions: TLS1_3_VERSION...TLS1_3_VERSION))
        let session = try #require(client.tls)
        try client.send(get("/0"))
        #expect(try client.response().body == "/0")
        func update(_ count: Int) throws -> [UInt8] {
            for _ in 0..<count {
                session.updateKeys()
                #expect(try session.shakeHands())
            }
            return session.takeOutgoing()
        }
        // Less than 64 KiB of them, with a request behind.
        let some = try update(1000)
        #expect(some.count < 60_000)
        try client.sendRaw(some)
        try client.send(get("/1"))
        #expect(try client.response().body == "/1")
        // The server may be gone before all is sent.
        let flood = try update(20_000)
        #expect(flood.count > 400_000)
        try? client.sendRaw(flood)
        #expect(server.observations.wait { $0.closed == 1 })
        #expect(server.observations.all.ends == [.reset])
        let other = try self.client(server)
        try other.send(get("/2"))
        #expect(try other.response().body == "/2")
    }

    // MARK: Reload

    @Test("a reload is for new connections; established ones go on")
    func reload() throws {
        let made = try TestCertificates.made.get()
        let directory = try TemporaryDirectory()
        let certificate = try directory.write(try PEM.bytes(made.server.certificate), as: "cert.pem")
        let key = try directory.write(try PEM.bytes(made.server.key), as: "key.pem")
        let context = try TLSContext(TLSConfiguration(certificatePath: certificate, keyPath: key))
        let server = try TestServer(tls: context)
        let old = try client(server)
        _ = try directory.write(try PEM.bytes(made.renewed.certificate), as: "cert.pem")
        // Half of the pair: nothing changes.
        #expect(throws: TLSError.keyMismatch(certificatePath: certificate, keyPath: key)) { try context.reload() }
        #expect(try client(server).tls?.serverName == "/CN=server")
        _ = try directory.write(try PEM.bytes(made.renewed.key), as: "key.pem")
        try context.reload()
        #expect(try client(server).tls?.serverName == "/CN=renewed")
        try old.send(get("/old"))
        #expect(try old.response().body == "/old")
    }

    @Test("no request fails while certificates are reloaded under load")
    func reloadUnderLoad() throws {
        let made = try TestCertificates.made.get()
        let directory = try TemporaryDirectory()
        let certificate = try directory.write(try PEM.bytes(made.server.certificate), as: "cert.pem")
        let key = try directory.write(try PEM.bytes(made.server.key), as: "key.pem")
        let context = try TLSContext(TLSConfiguration(certificatePath: certificate, keyPath: key))
        let server = try TestServer(loops: 2, tls: context)
        let port = server.port
        let clients = (0..<3).map { _ in
            BackgroundThread {
                // Half of the requests on new connections.
                for number in 0..<100 {
                    let client = try TestClient(port: port, tls: .init())
                    for request in [get("/\(number)"), get("/\(number)", "Connection: close\r\n")] {
                        try client.send(request)
                        guard try client.response().body == "/\(number)" else {
                            throw TestClient.Failed(call: "answer", code: 0)
                        }
                    }
                }
            }
        }
        for round in 0..<20 {
            let pair = round.isMultiple(of: 2) ? made.renewed : made.server
            _ = try directory.write(try PEM.bytes(pair.certificate), as: "cert.pem")
            _ = try directory.write(try PEM.bytes(pair.key), as: "key.pem")
            try context.reload()
            usleep(5000)
        }
        for client in clients { try client.value() }
    }
}

extension Array {
    fileprivate func chunks(of count: Int) -> [String] where Element == UInt8 {
        stride(from: 0, to: self.count, by: count).map {
            String(decoding: self[$0..<Swift.min($0 + count, self.count)], as: UTF8.self)
        }
    }
}
