import COpenSSL
import Glibc

/// The client's side of TLS, over memory: the test sees and shapes the bytes on the wire.
@safe
package final class TLSClientSession {
    /// How a client comes.
    package struct Options: Sendable {
        package var versions: ClosedRange<Int32>
        package var protocols: [String]
        package var pair: TestCertificates.Pair?
        package var ciphers: String?
        /// The session to resume.
        package var session: SavedSession?
        /// Every byte of the handshake and the requests on its own.
        package var dribbles: Bool

        package init(
            versions: ClosedRange<Int32> = TLS1_2_VERSION...TLS1_3_VERSION, protocols: [String] = [],
            pair: TestCertificates.Pair? = nil, ciphers: String? = nil, session: SavedSession? = nil,
            dribbles: Bool = false
        ) {
            self.versions = versions
            self.protocols = protocols
            self.pair = pair
            self.ciphers = ciphers
            self.session = session
            self.dribbles = dribbles
        }
    }

    /// A session that another connection had.
    @safe package final class SavedSession: @unchecked Sendable {  // Sendable: OpenSSL counts references atomically.
        fileprivate let pointer: OpaquePointer
        fileprivate init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }
        deinit { unsafe SSL_SESSION_free(pointer) }
    }

    package struct Failed: Error {
        package let call: String
        package let reason: String
    }

    private let context: OpaquePointer
    private let ssl: OpaquePointer
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer
    /// Whether the server said that this is the end (close_notify).
    package private(set) var sawGoodbye = false

    // SAFETY (of all calls in this file): the four objects are made in init and freed in deinit; bytes are lent to OpenSSL
    // for the length of a call.
    package init(_ options: Options) throws(Failed) {
        guard let context = unsafe SSL_CTX_new(TLS_client_method()), let ssl = unsafe Self.makeSSL(context, options),
            let incoming = unsafe BIO_new(BIO_s_mem()), let outgoing = unsafe BIO_new(BIO_s_mem())
        else { throw Failed(call: "setting up", reason: Self.reason()) }
        unsafe self.context = context
        unsafe self.ssl = ssl
        unsafe self.incoming = incoming
        unsafe self.outgoing = outgoing
        unsafe SSL_set_bio(ssl, incoming, outgoing)
        unsafe SSL_set_connect_state(ssl)
        if let session = options.session { unsafe SSL_set_session(ssl, session.pointer) }
    }

    deinit {
        // Else its session would be spoilt for the next connection (SSL_free(3)).
        unsafe SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        unsafe SSL_free(ssl)
        unsafe SSL_CTX_free(context)
    }

    private static func makeSSL(_ context: OpaquePointer, _ options: Options) -> OpaquePointer? {
        // Older versions only below this level of security.
        if options.versions.lowerBound < TLS1_2_VERSION { unsafe SSL_CTX_set_security_level(context, 0) }
        guard
            unsafe copenssl_ctx_set_version_range(
                context, options.versions.lowerBound, options.versions.upperBound) == 1
        else { return nil }
        if let ciphers = options.ciphers {
            guard unsafe SSL_CTX_set_cipher_list(context, ciphers) == 1 else { return nil }
        }
        if let pair = options.pair {
            guard unsafe SSL_CTX_use_certificate_chain_file(context, pair.certificate) == 1,
                unsafe SSL_CTX_use_PrivateKey_file(context, pair.key, SSL_FILETYPE_PEM) == 1
            else { return nil }
        }
        if !options.protocols.isEmpty {
            let offer = options.protocols.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }
            guard unsafe SSL_CTX_set_alpn_protos(context, offer, UInt32(offer.count)) == 0 else { return nil }
        }
        return unsafe SSL_new(context)
    }

    private static func reason() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        guard let text = unsafe ERR_reason_error_string(code) else { return "none" }
        return unsafe String(cString: text)
    }

    // MARK: Wire

    /// What is to be sent now.
    package func takeOutgoing() -> [UInt8] {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe BIO_read(outgoing, &chunk, Int32(chunk.count))
            if count <= 0 { return all }
            all += chunk.prefix(Int(count))
        }
    }

    package func putIncoming(_ bytes: [UInt8]) { unsafe _ = BIO_write(incoming, bytes, Int32(bytes.count)) }

    // MARK: Plain text

    /// Gets on with the handshake. Returns whether it is done.
    package func shakeHands() throws(Failed) -> Bool {
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 { return true }
        guard unsafe SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else {
            throw Failed(call: "handshake", reason: Self.reason())
        }
        return false
    }

    /// One record.
    package func write(_ bytes: [UInt8]) throws(Failed) {
        if bytes.isEmpty { return }
        ERR_clear_error()
        guard unsafe SSL_write(ssl, bytes, Int32(bytes.count)) == bytes.count else {
            throw Failed(call: "write", reason: Self.reason())
        }
    }

    /// What has been decrypted; nil when more has to come first, empty at the end.
    package func read() throws(Failed) -> [UInt8]? {
        ERR_clear_error()
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe SSL_read(ssl, &bytes, Int32(bytes.count))
        if count > 0 { return Array(bytes.prefix(Int(count))) }
        switch unsafe SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_READ: return nil
        case SSL_ERROR_ZERO_RETURN:
            sawGoodbye = true
            return []
        default: throw Failed(call: "read", reason: Self.reason())
        }
    }

    /// Asks for new keys in both directions (TLS 1.3); goes out with the next record.
    package func updateKeys() { unsafe _ = SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) }

    package func sayGoodbye() { unsafe _ = SSL_shutdown(ssl) }

    package var version: Int32 { unsafe SSL_version(ssl) }
    package var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }
    package var cipher: String { unsafe String(cString: SSL_CIPHER_get_name(SSL_get_current_cipher(ssl))) }

    /// The protocol that the server chose; nil when it was not asked.
    package var chosenProtocol: String? {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &bytes, &count)
        guard let bytes = unsafe bytes else { return nil }
        return unsafe String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
    }

    /// Of the server's certificate.
    package var serverName: String? {
        guard let certificate = unsafe SSL_get1_peer_certificate(ssl) else { return nil }
        defer { unsafe X509_free(certificate) }
        var line = [CChar](repeating: 0, count: 256)
        unsafe X509_NAME_oneline(X509_get_subject_name(certificate), &line, 256)
        return String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// For another connection; with TLS 1.3 only after the first bytes were read, for tickets come after the handshake.
    package func savedSession() -> SavedSession? {
        guard let session = unsafe SSL_get1_session(ssl) else { return nil }
        return unsafe SavedSession(owning: session)
    }
}
