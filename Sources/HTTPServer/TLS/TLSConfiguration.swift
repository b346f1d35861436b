/// What a TLS listener is made of. Paths are read when the ``TLSContext`` is made and at each reload.
package struct TLSConfiguration: Sendable, Equatable {
    /// PEM: the server's certificate first, then the intermediate ones in the order of the chain.
    package var certificatePath: String
    /// PEM, without a passphrase.
    package var keyPath: String
    /// PEM: the authorities whose client certificates are accepted; nil asks clients for none.
    package var clientCAPath: String?
    /// What is asked of clients when ``clientCAPath`` is set.
    package var clientAuthentication: ClientAuthentication
    package var minimumVersion: TLSVersion
    /// OpenSSL names joined by colons: `TLS_…` for TLS 1.3, the others for TLS 1.2. A version that none of them belongs to
    /// keeps its default.
    package var ciphers: String?

    package init(
        certificatePath: String, keyPath: String, clientCAPath: String? = nil,
        clientAuthentication: ClientAuthentication = .required, minimumVersion: TLSVersion = .tls12,
        ciphers: String? = nil
    ) {
        self.certificatePath = certificatePath
        self.keyPath = keyPath
        self.clientCAPath = clientCAPath
        self.clientAuthentication = clientAuthentication
        self.minimumVersion = minimumVersion
        self.ciphers = ciphers
    }
}

/// Whether a client has to have a certificate. One that is shown has to be good either way.
package enum ClientAuthentication: String, Sendable, CaseIterable { case optional, required }

/// The versions that are spoken; older ones are forbidden by RFC 8996.
package enum TLSVersion: String, Sendable, CaseIterable {
    case tls12 = "1.2"
    case tls13 = "1.3"
}
