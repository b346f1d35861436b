/// How a TLS handshake ended. The raw value is the metric label.
package enum TLSHandshakeResult: String, Sendable, CaseIterable {
    /// With certificates.
    case full
    /// With a ticket of an earlier session.
    case resumed
    /// Not done within ``Limits/tlsHandshakeTime``, or ``Limits/headTime`` if that is shorter.
    case timeout
    /// The client went away in the middle.
    case closed
    /// HTTP without TLS: answered with 400 in the clear.
    case plainHTTP = "plain_http"
    /// Neither TLS nor HTTP.
    case notTLS = "not_tls"
    /// The client speaks only versions that we do not.
    case unsupportedVersion = "unsupported_version"
    /// No cipher, group or signature algorithm in common.
    case noSharedCipher = "no_shared_cipher"
    /// The client offers protocols (ALPN), and http/1.1 is not among them.
    case noApplicationProtocol = "no_application_protocol"
    case noClientCertificate = "no_client_certificate"
    /// Expired, of another authority, or not for clients.
    case badClientCertificate = "bad_client_certificate"
    /// The client ended it with an alert: as a rule it does not trust our certificate.
    case clientAlert = "client_alert"
    /// The bytes are no handshake.
    case protocolError = "protocol_error"
}
