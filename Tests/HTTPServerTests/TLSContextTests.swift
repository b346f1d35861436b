import Glibc
import HTTPServer
import TestSupport
import Testing

/// Files that cannot be used: each its own error, which says what to do.
@Suite("TLS context") struct TLSContextTests {
    private func made() throws -> TestCertificates { try TestCertificates.made.get() }

    private func failure(_ change: (inout TLSConfiguration, TestCertificates) -> Void) -> TLSError? {
        do {
            _ = try tlsContext(change)
            return nil
        } catch {
            return error as? TLSError
        }
    }

    @Test("a good pair has no warnings, and says when it expires")
    func good() throws {
        let context = try tlsContext()
        #expect(context.warnings.isEmpty)
        let expired = try tlsContext { configuration, made in
            configuration.certificatePath = made.expired.certificate
            configuration.keyPath = made.expired.key
        }
        // From twenty days ahead to ten days ago.
        let days = Double(context.certificateExpiry - expired.certificateExpiry) / 86_400
        #expect(days > 29.9 && days < 30.1)
    }

    @Test("files that are not there, and directories, are unreadable", arguments: ["/nowhere.pem", "/tmp"])
    func unreadable(path: String) {
        let code: Int32 = path == "/tmp" ? 21 : 2
        #expect(
            failure { configuration, _ in configuration.certificatePath = path }
                == .unreadable(.certificate, path: path, code: code))
        #expect(
            failure { configuration, _ in configuration.keyPath = path } == .unreadable(.key, path: path, code: code))
        #expect(
            failure { configuration, _ in configuration.clientCAPath = path }
                == .unreadable(.clientCA, path: path, code: code))
    }

    @Test("a key for a certificate, a certificate for a key, and no PEM at all are told apart")
    func wrongContents() throws {
        let made = try made()
        let directory = try TemporaryDirectory()
        let empty = try directory.write([UInt8](), as: "empty.pem")
        let text = try directory.write(Array("hello".utf8), as: "text.pem")
        #expect(
            failure { configuration, made in configuration.certificatePath = made.server.key }
                == .wrongContents(.certificate, path: made.server.key, found: "PRIVATE KEY"))
        #expect(
            failure { configuration, made in configuration.keyPath = made.server.certificate }
                == .wrongContents(.key, path: made.server.certificate, found: "CERTIFICATE"))
        for path in [empty, text] {
            #expect(
                failure { configuration, _ in configuration.certificatePath = path }
                    == .wrongContents(.certificate, path: path, found: nil))
            #expect(
                failure { configuration, _ in configuration.keyPath = path }
                    == .wrongContents(.key, path: path, found: nil))
            #expect(
                failure { configuration, _ in configuration.clientCAPath = path }
                    == .wrongContents(.clientCA, path: path, found: nil))
        }
    }

    @Test("a damaged file is malformed, wherever it is cut or bent")
    func malformed() throws {
        let made = try made()
        let directory = try TemporaryDirectory()
        for (name, path) in [("certificate", made.server.certificate), ("key", made.server.key)] {
            let whole = try PEM.bytes(path)
            for count in stride(from: 30, to: whole.count - 30, by: 7) {
                let cut = try directory.write(Array(whole[..<count]), as: "cut.pem")
                #expect(
                    failure { configuration, _ in
                        if name == "key" { configuration.keyPath = cut } else { configuration.certificatePath = cut }
                    } != nil, "\(name) cut at \(count)")
            }
        }
    }

    @Test("a file of the largest size is read, one byte more is refused")
    func size() throws {
        let made = try made()
        let directory = try TemporaryDirectory()
        let pem = try PEM.bytes(made.server.certificate)
        let most = 1 << 20
        let full = try directory.write(pem + [UInt8](repeating: 10, count: most - pem.count), as: "full.pem")
        let more = try directory.write(pem + [UInt8](repeating: 10, count: most - pem.count + 1), as: "more.pem")
        #expect(failure { configuration, _ in configuration.certificatePath = full } == nil)
        #expect(
            failure { configuration, _ in configuration.certificatePath = more }
                == .tooLarge(.certificate, path: more, bytesMax: most))
    }

    @Test("a file that is not there is told in the system's words, with its path") func absent() throws {
        let path = "/nowhere/server.pem"
        let error = try #require(failure { configuration, _ in configuration.certificatePath = path })
        #expect(error == .unreadable(.certificate, path: path, code: ENOENT))
        #expect("\(error)".contains("\(path): No such file or directory; check the path"), "\(error)")
    }

    @Test("an encrypted key is refused without asking for the passphrase", arguments: [false, true])
    func encrypted(traditional: Bool) throws {
        let made = try made()
        let path = try made.encryptedKey(of: made.server, traditional: traditional)
        #expect(failure { configuration, _ in configuration.keyPath = path } == .encryptedKey(path: path))
        #expect("\(TLSError.encryptedKey(path: path))".contains("openssl pkey -in \(path)"))
    }

    @Test("a key of another certificate, and of another kind, does not match")
    func mismatch() throws {
        let made = try made()
        for key in [made.renewed.key, made.rsa.key] {
            #expect(
                failure { configuration, _ in configuration.keyPath = key }
                    == .keyMismatch(certificatePath: made.server.certificate, keyPath: key))
        }
    }

    @Test("a misspelt cipher is named", arguments: ["ECDHE-NONE", "TLS_NONE_SHA256"])
    func unknownCipher(name: String) {
        let good = "ECDHE-ECDSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256"
        #expect(failure { configuration, _ in configuration.ciphers = "\(good):\(name)" } == .unknownCipher(name))
        #expect(failure { configuration, _ in configuration.ciphers = good } == nil)
        #expect(failure { configuration, _ in configuration.ciphers = "ECDHE+AESGCM:!AES128" } == nil)
    }

    @Test("expired, not yet valid and soon to expire are warnings")
    func warnings() throws {
        let made = try made()
        for (pair, word) in [
            (made.expired, "expired"), (made.notYetValid, "not valid before"), (made.ending, "expires in"),
        ] {
            let context = try tlsContext { configuration, _ in
                configuration.certificatePath = pair.certificate
                configuration.keyPath = pair.key
            }
            #expect(context.warnings.count == 1 && context.warnings[0].contains(word), "\(context.warnings)")
        }
    }

    @Test("a reload takes no expired certificate for a valid one, and a valid one for an expired")
    func reloadExpired() throws {
        let made = try made()
        let directory = try TemporaryDirectory()
        func put(_ pair: TestCertificates.Pair) throws -> TLSConfiguration {
            TLSConfiguration(
                certificatePath: try directory.write(try PEM.bytes(pair.certificate), as: "cert.pem"),
                keyPath: try directory.write(try PEM.bytes(pair.key), as: "key.pem"))
        }
        let context = try TLSContext(try put(made.expired))
        let atFirst = context.certificateExpiry
        _ = try put(made.server)
        // The key file of a test is readable to all, which is the one warning.
        #expect(try context.reload().allSatisfy { $0.contains("chmod 600") })
        #expect(context.certificateExpiry > atFirst)
        let path = try put(made.expired).certificatePath
        #expect(throws: TLSError.expired(path: path, expiredAt: atFirst)) { try context.reload() }
        #expect(context.certificateExpiry > atFirst)
    }
}
