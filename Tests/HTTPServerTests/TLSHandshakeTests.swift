import COpenSSL
import Glibc
import HTTPMessages
import HTTPServer
import TestSupport
import Testing

/// What is agreed on before the first request, and how a client hears that nothing was.
@Suite("TLS handshakes") struct TLSHandshakeTests {
    private func server(_ change: (inout TLSConfiguration, TestCertificates) -> Void = { _, _ in }) throws -> TestServer
    {
        try TestServer(tls: try tlsContext(change))
    }

    private func client(
        _ server: TestServer, _ change: (inout TLSClientSession.Options) throws -> Void = { _ in }
    ) throws -> TestClient {
        var options = TLSClientSession.Options()
        try change(&options)
        return try TestClient(port: server.port, tls: options)
    }

    /// Asks for something, which with TLS 1.3 is when a client hears that its certificate was refused.
    private func ask(_ client: TestClient) throws -> TestResponse {
        try client.send(get("/asked"))
        return try client.response()
    }

    private func fails(
        _ server: TestServer, as result: TLSHandshakeResult, _ change: (inout TLSClientSession.Options) throws -> Void
    ) -> Bool {
        let before = server.observations.all.handshakes.count
        do {
            _ = try ask(client(server, change))
            return false
        } catch {
            return server.observations.wait { $0.handshakes.count > before && $0.handshakes.last == result }
        }
    }

    // MARK: Versions, ciphers, protocols

    @Test("both versions are spoken, older ones are not", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func versions(version: Int32) throws {
        let server = try server()
        let client = try client(server) { $0.versions = version...version }
        #expect(try ask(client).body == "/asked")
        #expect(client.tls?.version == version && client.tls?.serverName == "/CN=server")
        #expect(server.observations.all.handshakes == [.full])
        #expect(fails(server, as: .unsupportedVersion) { $0.versions = TLS1_VERSION...TLS1_1_VERSION })
    }

    @Test("with 1.3 as the oldest version, 1.2 is refused")
    func minimumVersion() throws {
        let server = try server { configuration, _ in configuration.minimumVersion = .tls13 }
        #expect(try ask(client(server)).status == 200)
        #expect(fails(server, as: .unsupportedVersion) { $0.versions = TLS1_2_VERSION...TLS1_2_VERSION })
    }

    @Test("the server's order of ciphers decides, and a client with none of them is refused")
    func ciphers() throws {
        let ours = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"
        let server = try server { configuration, _ in configuration.ciphers = ours }
        let client = try client(server) {
            $0.versions = TLS1_2_VERSION...TLS1_2_VERSION
            $0.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
        }
        #expect(try ask(client).status == 200)
        #expect(client.tls?.cipher == "ECDHE-ECDSA-AES256-GCM-SHA384")
        #expect(
            fails(server, as: .noSharedCipher) {
                $0.versions = TLS1_2_VERSION...TLS1_2_VERSION
                $0.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305"
            })
    }

    @Test("the ciphers of TLS 1.3 are chosen by their names")
    func newCiphers() throws {
        let server = try server { configuration, _ in configuration.ciphers = "TLS_CHACHA20_POLY1305_SHA256" }
        let client = try client(server)
        #expect(try ask(client).status == 200)
        #expect(client.tls?.cipher == "TLS_CHACHA20_POLY1305_SHA256")
    }

    @Test("an RSA certificate serves as well")
    func rsa() throws {
        let server = try server { configuration, made in
            configuration.certificatePath = made.rsa.certificate
            configuration.keyPath = made.rsa.key
        }
        #expect(try ask(client(server)).status == 200)
    }

    @Test(
        "http/1.1 is chosen wherever it stands in the offer",
        arguments: [["http/1.1"], ["h2", "http/1.1"], ["http/1.0", "http/1.1", "h2"]])
    func protocols(offer: [String]) throws {
        let server = try server()
        let client = try client(server) { $0.protocols = offer }
        #expect(client.tls?.chosenProtocol == "http/1.1")
        #expect(try ask(client).status == 200)
    }

    @Test("a client that offers no protocol is asked for none")
    func noProtocol() throws {
        let server = try server()
        let client = try client(server)
        #expect(client.tls?.chosenProtocol == nil)
        #expect(try ask(client).status == 200)
    }

    @Test("an offer without http/1.1 ends the handshake", arguments: [["h2"], ["http/1.0", "http/1.12", "ttp/1.1"]])
    func wrongProtocols(offer: [String]) throws {
        #expect(fails(try server(), as: .noApplicationProtocol) { $0.protocols = offer })
    }

    // MARK: Sessions

    @Test("a session is resumed, also after a reload", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func resumption(version: Int32) throws {
        let context = try tlsContext()
        let server = try TestServer(tls: context)
        var options = TLSClientSession.Options(versions: version...version)
        for round in 0..<3 {
            let client = try TestClient(port: server.port, tls: options)
            #expect(try ask(client).status == 200)
            #expect(client.tls?.isResumed == (round > 0), "round \(round)")
            options.session = client.tls?.savedSession()
            if round == 1 { try context.reload() }
        }
        #expect(server.observations.wait { $0.handshakes == [.full, .resumed, .resumed] })
    }

    @Test("a session of another server is not resumed, and no error", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func foreignSession(version: Int32) throws {
        var options = TLSClientSession.Options(versions: version...version)
        for _ in 0..<2 {
            let server = try server()
            let client = try TestClient(port: server.port, tls: options)
            #expect(try ask(client).status == 200)
            #expect(client.tls?.isResumed == false)
            options.session = client.tls?.savedSession()
        }
    }

    @Test(
        "a session does not outlive the authorities that let its client in",
        arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func authoritiesChange(version: Int32) throws {
        let made = try TestCertificates.made.get()
        let directory = try TemporaryDirectory()
        let authorities = try directory.write(try PEM.bytes(made.authority), as: "ca.pem")
        let context = try tlsContext { configuration, _ in configuration.clientCAPath = authorities }
        let server = try TestServer(tls: context)
        var options = TLSClientSession.Options(versions: version...version, pair: made.client)
        let first = try TestClient(port: server.port, tls: options)
        #expect(try ask(first).status == 200)
        options.session = first.tls?.savedSession()
        let second = try TestClient(port: server.port, tls: options)
        #expect(try ask(second).status == 200)
        #expect(second.tls?.isResumed == true)
        _ = try directory.write(try PEM.bytes(made.otherAuthority), as: "ca.pem")
        try context.reload()
        #expect(fails(server, as: .badClientCertificate) { $0 = options })
    }

    // MARK: Client certificates

    @Test("required: only a good certificate is let in", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func required(version: Int32) throws {
        let made = try TestCertificates.made.get()
        let server = try server { configuration, made in configuration.clientCAPath = made.authority }
        #expect(try ask(client(server) { $0 = .init(versions: version...version, pair: made.client) }).status == 200)
        #expect(fails(server, as: .noClientCertificate) { $0.versions = version...version })
        // Another authority's, an expired one, and one that is for servers.
        for pair in [made.strangerClient, made.expiredClient, made.server] {
            #expect(
                fails(server, as: .badClientCertificate) { $0 = .init(versions: version...version, pair: pair) },
                "\(pair.certificate)")
        }
    }

    @Test("optional: none will do, a bad one will not", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func optional(version: Int32) throws {
        let made = try TestCertificates.made.get()
        let server = try server { configuration, made in
            configuration.clientCAPath = made.authority
            configuration.clientAuthentication = .optional
        }
        for pair in [nil, made.client] {
            #expect(try ask(client(server) { $0 = .init(versions: version...version, pair: pair) }).status == 200)
        }
        #expect(
            fails(server, as: .badClientCertificate) {
                $0 = .init(versions: version...version, pair: made.strangerClient)
            })
    }

    // MARK: What is no handshake

    private func rawClient(_ server: TestServer) throws -> TestClient { try TestClient(port: server.port, tls: nil) }

    @Test("HTTP in the clear is answered with 400 in the clear", arguments: ["GET / HTTP/1.1\r\nHost: h\r\n\r\n", "x"])
    func plainHTTP(bytes: String) throws {
        let server = try server()
        let client = try rawClient(server)
        try client.send(bytes)
        let response = try client.response()
        #expect(response.status == 400 && response.headers["connection"] == "close")
        #expect(response.body.contains("https://"))
        client.endOutput()
        #expect(try client.isAtEnd())
        #expect(server.observations.wait { $0.closed == 1 })
        #expect(server.observations.all.handshakes == [.plainHTTP])
    }

    @Test(
        "rubbish is closed",
        arguments: [[0x00], [0x80, 0x2e, 0x01, 0x03], [0xFF], [0x20], [0x17, 3, 3, 0, 1, 0]] as [[UInt8]])
    func rubbish(bytes: [UInt8]) throws {
        let server = try server()
        let client = try rawClient(server)
        try client.sendRaw(bytes)
        #expect(try client.isAtEnd())
        client.endOutput()
        #expect(server.observations.wait { $0.closed == 1 })
        #expect(server.observations.all.handshakes == [.notTLS])
    }

    @Test("a handshake record of rubbish is answered with an alert and closed", arguments: 1...8 as ClosedRange<UInt64>)
    func rubbishRecord(seed: UInt64) throws {
        let server = try server()
        var random = SplitMix64(seed: seed)
        let body = (0..<200).map { _ in UInt8.random(in: 0...255, using: &random) }
        let client = try rawClient(server)
        try client.sendRaw([0x16, 3, 1, 0, 200] + body)
        client.endRawOutput()
        _ = try client.receiveAll()
        #expect(server.observations.wait { $0.closed == 1 }, "seed \(seed)")
        #expect(server.observations.all.handshakes.count == 1)
    }

    @Test("a client hello cut at any byte, or with any byte changed, ends in a close and nothing worse")
    func hostileHello() throws {
        let server = try TestServer(tls: try tlsContext()) { $0.tlsHandshakeTime = .milliseconds(200) }
        let hello: [UInt8] = try {
            let session = try TLSClientSession(.init(protocols: ["http/1.1"]))
            _ = try session.shakeHands()
            return session.takeOutgoing()
        }()
        var random = SplitMix64(seed: 7)
        var count = 0
        for place in stride(from: 0, to: hello.count, by: 5) {
            let cut = try rawClient(server)
            try cut.sendRaw(Array(hello[..<place]))
            cut.endRawOutput()
            var changed = hello
            changed[place] ^= UInt8.random(in: 1...255, using: &random)
            let bent = try rawClient(server)
            try bent.sendRaw(changed)
            bent.endRawOutput()
            count += 2
        }
        #expect(server.observations.wait { $0.opened == count && $0.closed == count })
        #expect(try ask(client(server)).status == 200)
    }

    // MARK: Time

    @Test("a handshake that stalls is cut, and a client that says nothing too")
    func stalled() throws {
        let server = try TestServer(tls: try tlsContext()) { $0.tlsHandshakeTime = .milliseconds(50) }
        let stalled = try rawClient(server)
        try stalled.sendRaw([0x16, 3, 1])
        let silent = try rawClient(server)
        #expect(try stalled.isAtEnd())
        #expect(try silent.isAtEnd())
        #expect(server.observations.wait { $0.closed == 2 })
        #expect(server.observations.all.handshakes == [.timeout])
    }

    @Test("the time for the headers bounds the handshake too")
    func stalledByHeadTime() throws {
        let server = try TestServer(tls: try tlsContext()) { $0.headTime = .milliseconds(50) }
        let stalled = try rawClient(server)
        try stalled.sendRaw([0x16, 3, 1])
        #expect(try stalled.isAtEnd())
        #expect(server.observations.wait { $0.handshakes == [.timeout] })
    }

    @Test("a handshake that dribbles in is one")
    func dribbles() throws {
        let made = try TestCertificates.made.get()
        let server = try server { configuration, made in configuration.clientCAPath = made.authority }
        for version in [TLS1_2_VERSION, TLS1_3_VERSION] {
            let client = try client(server) {
                $0 = .init(versions: version...version, pair: made.client, dribbles: true)
            }
            #expect(try ask(client).body == "/asked")
        }
    }

    @Test("a client that does not trust us is counted as such")
    func distrust() throws {
        let server = try server()
        let client = try rawClient(server)
        let session = try TLSClientSession(.init(versions: TLS1_2_VERSION...TLS1_2_VERSION))
        _ = try session.shakeHands()
        try client.sendRaw(session.takeOutgoing())
        _ = try client.receiveRaw()
        // A fatal alert, unknown_ca (RFC 5246 section 7.2), in place of the client's part of the key exchange.
        try client.sendRaw([0x15, 3, 3, 0, 2, 2, 48])
        #expect(server.observations.wait { $0.handshakes == [.clientAlert] })
    }

    @Test("a client that leaves in the middle leaves nothing behind")
    func leaves() throws {
        let server = try server()
        try rawClient(server).sendRaw([0x16, 3, 1])
        _ = try rawClient(server)
        #expect(server.observations.wait { $0.opened == 2 && $0.closed == 2 })
        #expect(server.observations.all.handshakes == [.closed])
    }
}

/// A PEM file as bytes.
enum PEM {
    static func bytes(_ path: String) throws -> [UInt8] {
        // SAFETY: the path is lent for the call; the stream is used and closed here only.
        guard let file = unsafe fopen(path, "r") else { throw TestClient.Failed(call: "fopen", code: errno) }
        defer { unsafe _ = fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = unsafe fread(&bytes, 1, bytes.count, file)
        return Array(bytes.prefix(count))
    }
}
