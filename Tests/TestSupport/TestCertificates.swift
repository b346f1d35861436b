import Foundation

/// Certificates for tests, made with the `openssl` command once a run: two authorities, and what they signed.
package struct TestCertificates: Sendable {
    package struct Pair: Sendable {
        package let certificate: String
        package let key: String

        package init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    private let directory: TemporaryDirectory
    /// PEM of the authority that signed everything but ``strangerClient``.
    package let authority: String
    package let otherAuthority: String
    /// For `localhost` and 127.0.0.1, ECDSA P-256.
    package let server: Pair
    /// Another certificate for the same names.
    package let renewed: Pair
    /// The same with an RSA key of 2048 bits.
    package let rsa: Pair
    package let expired: Pair
    package let notYetValid: Pair
    /// Valid, for three days to come.
    package let ending: Pair
    package let client: Pair
    package let expiredClient: Pair
    /// Signed by ``otherAuthority``.
    package let strangerClient: Pair

    package static let made = Result { try TestCertificates() }

    private init() throws {
        let directory = try TemporaryDirectory.untilExit()
        self.directory = directory
        let maker = try Maker(directory)
        authority = try maker.makeAuthority("authority")
        otherAuthority = try maker.makeAuthority("other-authority")
        server = try maker.make("server")
        renewed = try maker.make("renewed")
        rsa = try maker.make("rsa", key: ["-newkey", "rsa:2048"])
        expired = try maker.make("expired", from: -20, to: -10)
        notYetValid = try maker.make("not-yet-valid", from: 10, to: 20)
        ending = try maker.make("ending", from: -1, to: 3)
        client = try maker.make("client", usage: "clientAuth")
        expiredClient = try maker.make("expired-client", usage: "clientAuth", from: -20, to: -10)
        strangerClient = try maker.make("stranger-client", usage: "clientAuth", by: "other-authority")
    }

    /// Writes the key of a pair anew, with a passphrase; `format` is an option of `openssl pkey` or `openssl ec`.
    package func encryptedKey(of pair: Pair, traditional: Bool) throws -> String {
        let path = directory.file("encrypted-\(traditional).pem")
        try Maker.openssl(
            traditional
                ? ["ec", "-in", pair.key, "-aes128", "-passout", "pass:secret", "-out", path]
                : ["pkey", "-in", pair.key, "-aes128", "-passout", "pass:secret", "-out", path])
        return path
    }
}

/// Runs `openssl ca`, the one command of OpenSSL 3.0 that lets the dates be chosen.
private struct Maker {
    let directory: TemporaryDirectory
    let configuration: String
    static let elliptic = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]

    init(_ directory: TemporaryDirectory) throws {
        self.directory = directory
        let path = directory.path
        let text = """
            [ca]
            default_ca = it
            [it]
            database = \(path)/index.txt
            rand_serial = yes
            unique_subject = no
            new_certs_dir = \(path)
            default_md = sha256
            policy = any
            [any]
            commonName = supplied
            [serverAuth]
            extendedKeyUsage = serverAuth
            subjectAltName = DNS:localhost,IP:127.0.0.1
            [clientAuth]
            extendedKeyUsage = clientAuth
            """
        configuration = try directory.write(Data(text.utf8), as: "openssl.cnf")
        _ = try directory.write(Data(), as: "index.txt")
    }

    func makeAuthority(_ name: String) throws -> String {
        let certificate = directory.file(name + ".pem")
        try Self.openssl(
            [
                "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=\(name)", "-out", certificate, "-keyout",
                directory.file(name + ".key"),
            ] + Self.elliptic)
        return certificate
    }

    /// - Parameters:
    ///   - from: first day of validity, counted from today.
    ///   - to: last day.
    func make(
        _ name: String, usage: String = "serverAuth", key: [String] = elliptic, by authority: String = "authority",
        from: Int = -1, to: Int = 20
    ) throws -> TestCertificates.Pair {
        let request = directory.file(name + ".csr")
        let pair = TestCertificates.Pair(
            certificate: directory.file(name + ".pem"), key: directory.file(name + ".key"))
        try Self.openssl(
            ["req", "-new", "-nodes", "-subj", "/CN=\(name)", "-out", request, "-keyout", pair.key] + key)
        try Self.openssl([
            "ca", "-batch", "-notext", "-config", configuration, "-cert", directory.file(authority + ".pem"),
            "-keyfile",
            directory.file(authority + ".key"), "-extensions", usage, "-startdate", Self.date(from), "-enddate",
            Self.date(to), "-in", request, "-out", pair.certificate,
        ])
        return pair
    }

    /// `YYYYMMDDHHMMSSZ`.
    private static func date(_ days: Int) -> String {
        let parts = Calendar(identifier: .gregorian).dateComponents(
            in: .gmt, from: Date(timeIntervalSinceNow: Double(days) * 86_400))
        let text = [parts.month, parts.day, parts.hour, parts.minute, parts.second].map { part in
            let digits = String(part ?? 0)
            return digits.count < 2 ? "0" + digits : digits
        }
        return String(parts.year ?? 0) + text.joined() + "Z"
    }

    struct Failed: Error {
        let arguments: [String]
        let errors: String
    }

    static func openssl(_ arguments: [String]) throws {
        let result = try BuiltBinary.runProgram("/usr/bin/env", ["openssl"] + arguments, seconds: 60)
        guard result.exitCode == 0 else { throw Failed(arguments: arguments, errors: result.errors) }
    }
}
