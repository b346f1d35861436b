import Foundation
import TestSupport
import Testing

/// `serve` with TLS, through the clients people have: curl, `openssl s_client` and Python's `ssl`.
@Suite("serve over TLS, through the built binary") struct TLSTests {
    let made: SampleRegistry.Made
    let certificates: TestCertificates

    init() throws {
        made = try SampleRegistry.made.get()
        certificates = try TestCertificates.made.get()
    }

    private func server(_ arguments: [String] = [], pair: TestCertificates.Pair? = nil) throws -> RunningServer {
        let pair = pair ?? certificates.server
        return try RunningServer(
            made.options + ["--threads", "2", "--tls-certificate", pair.certificate, "--tls-key", pair.key] + arguments)
    }

    private func curl(_ server: RunningServer, _ target: String, _ arguments: [String] = []) throws
        -> BuiltBinary.Result
    {
        try BuiltBinary.runProgram(
            "/usr/bin/env",
            ["curl", "--silent", "--show-error", "--max-time", "20", "--cacert", certificates.authority] + arguments
                + ["https://localhost:\(server.port)\(target)"], seconds: 30)
    }

    private func openssl(_ server: RunningServer, _ arguments: [String]) throws -> BuiltBinary.Result {
        try BuiltBinary.runProgram(
            "/usr/bin/env",
            ["openssl", "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile", certificates.authority]
                + arguments,
            seconds: 30)
    }

    private func python(
        _ server: RunningServer, _ testCase: String, _ arguments: [String] = []
    ) throws -> [String: Any] {
        try python(port: server.port, testCase, arguments)
    }

    private func python(port: Int, _ testCase: String, _ arguments: [String]) throws -> [String: Any] {
        let result = try BuiltBinary.oracle(
            "tls_client.py", ["\(port)", certificates.authority, testCase] + arguments)
        try #require(result.exitCode == 0, "\(result.errors)")
        return try #require(try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any])
    }

    private func array(_ value: Any?) -> [String] {
        (value as? [Any] ?? []).map { $0 is NSNull ? "null" : "\($0)" }
    }

    // MARK: Clients

    @Test("curl verifies the certificate and gets its answer") func curlAnswers() throws {
        let server = try server()
        let answer = try curl(server, "/recommend?user_id=\(made.guest)&k=3")
        #expect(answer.exitCode == 0, "\(answer.errors)")
        #expect(try RecommendationAnswer(answer.output).items.count == 3)
        // Another authority: curl's "peer certificate cannot be authenticated".
        let distrusted = try curl(server, "/livez", ["--cacert", certificates.otherAuthority])
        #expect(distrusted.exitCode == 60)
        let metrics = try curl(server, "/metrics").output
        #expect(metrics.contains("nextloop_tls_handshakes_total{result=\"client_alert\"} 1\n"))
        #expect(metrics.contains("nextloop_tls_handshakes_total{result=\"full\"} 2\n"))
        let expiry = try #require(
            metrics.split(separator: "\n").first { $0.hasPrefix("nextloop_tls_certificate_expiry_timestamp_seconds ") })
        let seconds = try #require(Double(expiry.split(separator: " ")[1]))
        let days = (seconds - Date().timeIntervalSince1970) / 86_400
        #expect(days > 19 && days < 21)
    }

    @Test("the ready line says https; HTTP in the clear is answered with 400") func clear() throws {
        let server = try server()
        #expect(server.errors.contains("ready on https://127.0.0.1:\(server.port)"))
        let answer = try server.get("/livez")
        #expect(answer.status == 400 && answer.headers["content-type"] == "application/problem+json")
        #expect(answer.text.contains("https://"))
    }

    @Test("openssl s_client sees the chain, the versions and no renegotiation") func sClient() throws {
        let server = try server()
        let seen = try openssl(server, ["-brief", "-verify_return_error"])
        #expect(seen.exitCode == 0 && seen.errors.contains("Verification: OK"), "\(seen.errors)")
        #expect(seen.errors.contains("Protocol version: TLSv1.3"))
        let old = try openssl(server, ["-tls1_1"])
        #expect(old.exitCode != 0 && old.errors.contains("alert protocol version"))
        let h2 = try openssl(server, ["-alpn", "h2"])
        #expect(h2.exitCode != 0 && h2.errors.contains("alert no application protocol"))
        let two = try openssl(server, ["-tls1_2"])
        #expect(two.output.contains("Compression: NONE") && two.output.contains("Secure Renegotiation IS supported"))
        #expect(two.output.contains("Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"))
    }

    @Test("Python: both versions, not 1.1") func versions() throws {
        let found = try python(try server(), "versions")
        #expect(array(found["1.2"]) == ["TLSv1.2", "200"] && array(found["1.3"]) == ["TLSv1.3", "200"])
        #expect("\(found["1.1"] ?? "")".contains("PROTOCOL_VERSION"), "\(found)")
    }

    @Test("Python: http/1.1 is agreed on, h2 alone is refused") func protocols() throws {
        let found = try python(try server(), "alpn")
        #expect(array(found["http/1.1"]) == ["http/1.1", "200"] && array(found["h2,http/1.1"]) == ["http/1.1", "200"])
        // Python has no name for the alert (120) in every version.
        let refused = "\(found["h2"] ?? "")".lowercased().replacing("_", with: " ")
        #expect(refused.contains("no application protocol") || refused.contains("alert 120"), "\(found)")
        #expect(array(found[""]) == ["null", "200"])
    }

    @Test("Python: sessions are resumed") func resumption() throws {
        let found = try python(try server(), "resumption")
        for version in ["1.2", "1.3"] {
            let values = try #require(found[version] as? [Any])
            #expect(values[0] as? Bool == false && values[1] as? Bool == true && values[2] as? Int == 200, "\(found)")
        }
    }

    @Test("Python: a byte a segment") func dribble() throws {
        let found = try python(try server(), "dribble")
        #expect(found["1.2"] as? Int == 200 && found["1.3"] as? Int == 200, "\(found)")
    }

    @Test("Python: a body cut short gets no answer") func truncated() throws {
        let found = try python(try server(), "truncate")
        #expect(found["goodbye"] as? String == "" && found["cut"] as? String == "", "\(found)")
    }

    @Test("Python: a large body, and a large streamed answer that ends with close_notify") func bulk() throws {
        let found = try python(try server(), "bulk", ["--count", "10000"])
        #expect(found["answers"] as? Int == 10_000)
        #expect((found["received"] as? Int ?? 0) > 10_000_000, "\(found)")
    }

    // MARK: Clients' certificates

    @Test("required: curl without a certificate is refused, with one answered") func clientCertificates() throws {
        let server = try server(["--tls-client-ca", certificates.authority])
        let client = certificates.client
        #expect(try curl(server, "/livez", ["--cert", client.certificate, "--key", client.key]).exitCode == 0)
        #expect(try curl(server, "/livez").exitCode != 0)
        for wrong in [certificates.strangerClient, certificates.expiredClient] {
            #expect(try curl(server, "/livez", ["--cert", wrong.certificate, "--key", wrong.key]).exitCode != 0)
        }
        let metrics = try curl(server, "/metrics", ["--cert", client.certificate, "--key", client.key]).output
        #expect(metrics.contains("nextloop_tls_handshakes_total{result=\"no_client_certificate\"} 1\n"))
        #expect(metrics.contains("nextloop_tls_handshakes_total{result=\"bad_client_certificate\"} 2\n"))
    }

    @Test("optional: without a certificate is fine, with a wrong one is not") func optionalCertificates() throws {
        let server = try server(["--tls-client-ca", certificates.authority, "--tls-client-auth", "optional"])
        #expect(try curl(server, "/livez").exitCode == 0)
        let stranger = certificates.strangerClient
        #expect(try curl(server, "/livez", ["--cert", stranger.certificate, "--key", stranger.key]).exitCode != 0)
    }

    // MARK: Options

    @Test("1.3 only, and chosen ciphers") func options() throws {
        let server = try server(["--tls-min-version", "1.3", "--tls-ciphers", "TLS_CHACHA20_POLY1305_SHA256"])
        #expect(try openssl(server, ["-tls1_2"]).errors.contains("alert protocol version"))
        #expect(try openssl(server, ["-brief"]).errors.contains("Ciphersuite: TLS_CHACHA20_POLY1305_SHA256"))
    }

    @Test("the admin listener is encrypted too, a Unix socket is not") func otherListeners() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("s")
        let pair = certificates.server
        let server = try RunningServer(
            made.options + [
                "--threads", "1", "--tls-certificate", pair.certificate, "--tls-key", pair.key, "--admin-listen",
                "unix:\(path)", "--admin-listen", "127.0.0.1:0",
            ])
        let listed = try #require(server.errors.split(separator: "\n").first { $0.contains("admin on") })
        #expect(listed.contains("https://127.0.0.1:") && listed.contains("unix:\(path)"))
        let answer = try BuiltBinary.runProgram(
            "/usr/bin/env",
            ["curl", "--silent", "--max-time", "20", "--unix-socket", path, "http://localhost/livez"], seconds: 30)
        #expect(answer.output.contains("alive"))
    }

    @Test("a handshake that stalls is cut in the time given") func stalled() throws {
        let server = try server(["--tls-handshake-timeout", "0.2"])
        let client = try LoopbackConnection(port: server.port)
        try client.send([0x16, 3, 1])
        #expect(try client.isClosedByPeer())
        #expect(
            try curl(server, "/metrics").output.contains("nextloop_tls_handshakes_total{result=\"timeout\"} 1\n"))
    }

    @Test("what cannot be used is an error that says what to do") func wrongFiles() throws {
        let pair = certificates.server
        let encrypted = try certificates.encryptedKey(of: pair, traditional: false)
        let cases: [([String], Int32, String)] = [
            (["--tls-certificate", pair.certificate], 64, "without --tls-key"),
            (["--tls-key", pair.key], 64, "without --tls-certificate"),
            (["--tls-client-ca", certificates.authority], 64, "--tls-certificate and --tls-key"),
            (["--tls-min-version", "1.3"], 64, "--tls-certificate and --tls-key"),
            (
                ["--tls-certificate", pair.certificate, "--tls-key", pair.key, "--tls-client-auth", "optional"], 64,
                "without --tls-client-ca"
            ),
            (["--tls-certificate", pair.certificate, "--tls-key", pair.key, "--tls-min-version", "1.1"], 64, "1.2"),
            (
                ["--tls-certificate", pair.certificate, "--tls-key", pair.key, "--tls-ciphers", "RC5"], 64,
                "no TLS cipher \"RC5\""
            ),
            (
                ["--tls-certificate", "/nowhere", "--tls-key", pair.key], 66,
                "cannot read the certificate file /nowhere"
            ),
            (["--tls-certificate", pair.key, "--tls-key", pair.key], 65, "want BEGIN CERTIFICATE"),
            (["--tls-certificate", pair.certificate, "--tls-key", encrypted], 65, "openssl pkey -in \(encrypted)"),
            (
                ["--tls-certificate", pair.certificate, "--tls-key", certificates.renewed.key], 65,
                "does not belong to the first certificate"
            ),
        ]
        for (arguments, code, words) in cases {
            let result = try BuiltBinary.run(["serve", "--port", "0"] + made.options + arguments, seconds: 20)
            #expect(result.exitCode == code && result.errors.contains(words), "\(arguments): \(result)")
        }
    }

    @Test("an expired certificate is served with a warning") func expired() throws {
        let server = try server(pair: certificates.expired)
        #expect(server.errors.contains("expired at"))
        #expect(try curl(server, "/livez").exitCode == 60)
        #expect(try curl(server, "/livez", ["--insecure"]).exitCode == 0)
    }

    // MARK: SIGHUP

    @Test("SIGHUP under load: no request fails, and the new certificate is shown; a broken one is not taken")
    func reload() throws {
        let directory = try TemporaryDirectory()
        let live = TestCertificates.Pair(certificate: directory.file("cert.pem"), key: directory.file("key.pem"))
        func put(_ pair: TestCertificates.Pair) throws {
            // By rename, as certbot and Kubernetes do.
            for (from, to) in [(pair.certificate, live.certificate), (pair.key, live.key)] {
                let data = try Data(contentsOf: URL(filePath: from))
                try data.write(to: URL(filePath: to), options: .atomic)
            }
        }
        try put(certificates.server)
        let server = try server(pair: live)
        let loads = DispatchQueue(label: "loads", attributes: .concurrent)
        let group = DispatchGroup()
        let results = Results()
        let port = server.port
        for _ in 0..<3 {
            loads.async(group: group) {
                results.add(Result { try self.python(port: port, "load", ["--count", "150"]).mapValues { "\($0)" } })
            }
        }
        for round in 0..<10 {
            try put(round.isMultiple(of: 2) ? certificates.renewed : certificates.server)
            server.send(SIGHUP)
            Thread.sleep(forTimeInterval: 0.1)
        }
        try #require(group.wait(timeout: .now() + 120) == .success)
        for result in results.all { #expect(try result.get()["errors"]?.filter { !" \n()[]".contains($0) } == "") }
        try Data("broken".utf8).write(to: URL(filePath: live.certificate))
        server.send(SIGHUP)
        for _ in 0..<500 where !server.errors.contains("keeping the certificate in use") {
            Thread.sleep(forTimeInterval: 0.01)
        }
        #expect(server.errors.contains("keeping the certificate in use: the certificate file"))
        #expect(try python(server, "load")["names"] as? [String] == ["server"])
        #expect(server.errors.contains("new connections get the certificate"))
    }

    /// Filled by several threads.
    private final class Results: @unchecked Sendable {  // Sendable: the lock guards the list.
        private let lock = NSLock()
        private var list: [Result<[String: String], any Error>] = []
        func add(_ result: Result<[String: String], any Error>) { lock.withLock { list.append(result) } }
        var all: [Result<[String: String], any Error>] { lock.withLock { list } }
    }
}
