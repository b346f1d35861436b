import ArgumentParser
import HTTPServer
import Logging

/// TLS for every listener but Unix sockets, the admin ones too. docs/http.md says what is spoken.
struct TLSOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Certificate chain, PEM, the server's own first: turns TLS on. SIGHUP reads it again.",
            valueName: "file"))
    var tlsCertificate: String?

    @Option(help: ArgumentHelp("Private key of the certificate, PEM, without a passphrase.", valueName: "file"))
    var tlsKey: String?

    @Option(
        help: ArgumentHelp("Authorities of client certificates, PEM. Default: none are asked for.", valueName: "file"))
    var tlsClientCa: String?

    @Option(
        help: "Whether clients must have a certificate: optional or required. Default with --tls-client-ca: required.")
    var tlsClientAuth: ClientAuthentication?

    @Option(help: "Oldest TLS version: 1.2 or 1.3.")
    var tlsMinVersion = TLSVersion.tls12

    @Option(
        help: ArgumentHelp(
            "Ciphers, OpenSSL names joined by colons: TLS_... for 1.3, the others for 1.2. Default: ECDHE with AES-GCM or "
                + "ChaCha20.", valueName: "names"))
    var tlsCiphers: String?

    func validate() throws {
        if (tlsCertificate == nil) != (tlsKey == nil) {
            let (given, missing) = tlsKey == nil ? ("certificate", "key") : ("key", "certificate")
            throw ValidationError("--tls-\(given) is given without --tls-\(missing); wanted both or none.")
        }
        if tlsCertificate == nil, tlsClientCa != nil || tlsCiphers != nil || tlsMinVersion != .tls12 {
            throw ValidationError("TLS options are given without --tls-certificate and --tls-key, which turn TLS on.")
        }
        if tlsClientAuth != nil, tlsClientCa == nil {
            throw ValidationError(
                "--tls-client-auth is given without --tls-client-ca; wanted the authorities to trust.")
        }
    }

    /// Reads and checks the files; nil without TLS. Warnings go to the log.
    func context(log: Logger) throws -> TLSContext? {
        guard let tlsCertificate, let tlsKey else { return nil }
        let configuration = TLSConfiguration(
            certificatePath: tlsCertificate, keyPath: tlsKey, clientCAPath: tlsClientCa,
            clientAuthentication: tlsClientAuth ?? .required, minimumVersion: tlsMinVersion, ciphers: tlsCiphers)
        let context = try reporting { () throws(TLSError) in try TLSContext(configuration) }
        for warning in context.warnings { log.warning("\(warning)") }
        return context
    }
}

extension ServerConfiguration {
    /// Encrypts every listener, the admin ones too, but those on Unix sockets: who can open one is on this machine, behind
    /// the permissions of a file. That goes for one that was handed down, by systemd for one, as well.
    mutating func encrypt(with tls: TLSContext) {
        for index in listeners.indices where !listeners[index].address.isUnixSocket { listeners[index].tls = tls }
    }
}

extension ClientAuthentication: ExpressibleByArgument {}
extension TLSVersion: ExpressibleByArgument {}

extension TLSError: CommandError {
    var exitCode: CommandFailure.Code {
        switch self {
        case .unreadable: .inputMissing
        case .unknownCipher: .usage
        case .library: .other
        default: .badData
        }
    }
}

extension TLSContext {
    /// Reads the files again, at SIGHUP. Files that cannot be used leave everything as it is.
    func reload(log: Logger) {
        do throws(TLSError) {
            for warning in try reload() { log.warning("\(warning)") }
            log.info("TLS: new connections get the certificate in \(configuration.certificatePath) as it is now")
        } catch {
            log.error("TLS: keeping the certificate in use: \(error)")
        }
    }
}
