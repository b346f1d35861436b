import COpenSSL

/// The ciphers of a context, out of OpenSSL names joined by colons.
struct TLSCiphers {
    /// Ephemeral key exchange and authenticated encryption only; the strongest that is fast everywhere first.
    static let tls12Default =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        + "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

    /// For TLS 1.2, and for TLS 1.3; nil for OpenSSL's own three.
    let tls12: String
    let tls13: String?

    init(_ list: String?) {
        let names = (list ?? "").split(separator: ":")
        let isTLS13 = { (name: Substring) in name.hasPrefix("TLS_") }
        let new = names.filter(isTLS13).joined(separator: ":")
        let old = names.filter { !isTLS13($0) }.joined(separator: ":")
        tls12 = old.isEmpty ? Self.tls12Default : old
        tls13 = new.isEmpty ? nil : new
    }

    /// Sets them, after a look at each name: OpenSSL passes over those that it does not know, and a misspelt one would be
    /// missing without a word.
    func apply(to context: OpaquePointer) throws(TLSError) {
        for name in tls12.split(separator: ":").map({ String($0) }) where !Self.isOperator(name) {
            OpenSSLErrors.clear()
            // SAFETY: the context is the caller's and alive; the string is lent for the call and copied.
            guard unsafe SSL_CTX_set_cipher_list(context, name) == 1 else { throw .unknownCipher(name) }
        }
        for name in (tls13 ?? "").split(separator: ":").map({ String($0) }) {
            OpenSSLErrors.clear()
            // SAFETY: as above.
            guard unsafe SSL_CTX_set_ciphersuites(context, name) == 1 else { throw .unknownCipher(name) }
        }
        OpenSSLErrors.clear()
        // SAFETY: as above.
        guard unsafe SSL_CTX_set_cipher_list(context, tls12) == 1 else { throw .unknownCipher(tls12) }
        if let tls13 {
            guard unsafe SSL_CTX_set_ciphersuites(context, tls13) == 1 else { throw .unknownCipher(tls13) }
        }
    }

    /// `!aNULL`, `-RC4`, `+SHA1`, `@STRENGTH`: rules about other entries, which mean nothing alone.
    private static func isOperator(_ name: String) -> Bool {
        guard let first = name.first else { return true }
        return "!-+@".contains(first)
    }
}
