/// Why TLS cannot be set up: which file, what was found in it, what was wanted, and what to do.
package enum TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum File: String, Sendable {
        case certificate, key
        case clientCA = "client CA"
    }

    case unreadable(File, path: String, code: Int32)
    case tooLarge(File, path: String, bytesMax: Int)
    /// No PEM block of the wanted kind; `found` is the label of the first block, if there is one.
    case wrongContents(File, path: String, found: String?)
    /// A block of the right kind that OpenSSL cannot read.
    case malformed(File, path: String, reason: String)
    case encryptedKey(path: String)
    case keyMismatch(certificatePath: String, keyPath: String)
    /// OpenSSL reads it, and will not use it: a key too short, a signature too weak.
    case notUsable(File, path: String, reason: String)
    case unknownCipher(String)
    /// A reload would replace a certificate that clients accept by one that they do not.
    case expired(path: String, expiredAt: Int64)
    case library(call: String, reason: String)

    package var description: String {
        switch self {
        case .unreadable(let file, let path, let code):
            "cannot read the \(file.rawValue) file \(path): \(SystemError.message(code)); check the path, "
                + "and that the user of this process may read it"
        case .tooLarge(let file, let path, let bytesMax):
            "the \(file.rawValue) file \(path) is larger than \(bytesMax) bytes; want a PEM file of a few kilobytes"
        case .wrongContents(let file, let path, let found):
            "the \(file.rawValue) file \(path) has \(found.map { "a PEM block \"\($0)\"" } ?? "no PEM block"); "
                + "want \(Self.wanted(file)); convert a DER file with `openssl \(Self.tool(file)) -inform DER`"
        case .malformed(let file, let path, let reason):
            "the \(file.rawValue) file \(path) is damaged: \(reason); want \(Self.wanted(file))"
        case .encryptedKey(let path):
            "the key file \(path) is encrypted, and there is nobody to ask for the passphrase; "
                + "`openssl pkey -in \(path) -out plain.pem` writes it without one: keep that file at mode 0600"
        case .keyMismatch(let certificatePath, let keyPath):
            "the key in \(keyPath) does not belong to the first certificate in \(certificatePath); want the pair, "
                + "and the server's own certificate before the intermediate ones"
        case .notUsable(let file, let path, let reason):
            "the \(file.rawValue) in \(path) cannot be used: \(reason); want RSA of at least 2048 bits or ECDSA P-256"
        case .unknownCipher(let name):
            "no TLS cipher \"\(name)\" is known; `openssl ciphers -v` lists those that are"
        case .expired(let path, let expiredAt):
            "the certificate in \(path) expired at \(expiredAt) (`date -ud @\(expiredAt)`), and the one in use has not; "
                + "keeping that"
        case .library(let call, let reason): "OpenSSL: \(call) failed: \(reason)"
        }
    }

    private static func wanted(_ file: File) -> String {
        switch file {
        case .certificate, .clientCA: "BEGIN CERTIFICATE"
        case .key: "BEGIN PRIVATE KEY (or RSA PRIVATE KEY, EC PRIVATE KEY)"
        }
    }

    private static func tool(_ file: File) -> String { file == .key ? "pkey" : "x509" }
}
