import COpenSSL

/// An `SSL_CTX`, set up and then never changed. Connections hold references of their own, so it can go while they last.
@safe
struct TLSContextHandle: ~Copyable, @unchecked Sendable {  // Sendable: SSL_new is thread-safe.
    private let context: OpaquePointer
    let validity: Certificate.Validity

    /// Reads the files and checks that they fit together.
    init(_ configuration: TLSConfiguration, keys: TicketKeys, warnings: inout [String]) throws(TLSError) {
        let pem = try PEMFile(.certificate, path: configuration.certificatePath)
        let chain = try Certificate.chain(pem)
        let keyPEM = try PEMFile(.key, path: configuration.keyPath)
        let key = try PrivateKey.read(keyPEM)
        if keyPEM.isWorldReadable {
            warnings.append("every user of this machine can read the key file \(keyPEM.path); `chmod 600` it")
        }
        OpenSSLErrors.clear()
        // SAFETY: the method is static; the context is ours, freed in deinit, or below when its setting up fails.
        guard let context = unsafe SSL_CTX_new(TLS_server_method()) else {
            throw .library(call: "SSL_CTX_new", reason: OpenSSLErrors.take())
        }
        do throws(TLSError) {
            try unsafe Self.setUp(context, configuration.minimumVersion)
            try unsafe TLSCiphers(configuration.ciphers).apply(to: context)
            try unsafe Self.use(chain, key, in: context, configuration)
            try unsafe Self.authenticateClients(context, configuration)
        } catch {
            unsafe SSL_CTX_free(context)
            throw error
        }
        unsafe keys.attach(to: context)
        unsafe self.context = context
        validity = chain[0].validity
    }

    deinit {
        // SAFETY: the reference that SSL_CTX_new returned.
        unsafe SSL_CTX_free(context)
    }

    /// The state of a new connection; the caller frees it. Nil when memory is short.
    func makeSSL() -> OpaquePointer? {
        // SAFETY: the context is alive while self is, and SSL_new takes a reference to it.
        unsafe SSL_new(context)
    }

    private static func setUp(_ context: OpaquePointer, _ minimum: TLSVersion) throws(TLSError) {
        let least = minimum == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION
        // SAFETY (all calls here): the context is the caller's and alive.
        guard unsafe copenssl_ctx_set_version_range(context, least, TLS1_3_VERSION) == 1 else {
            throw .library(call: "SSL_CTX_set_min_proto_version", reason: OpenSSLErrors.take())
        }
        // No renegotiation, no compression, the server's order of ciphers (but ChaCha20 for clients that put it first:
        // they have no AES instructions). The end of a connection without close_notify is taken as an end: an HTTP
        // request says where it ends, so that cutting it short goes never unnoticed, and RFC 9112 section 9.8 asks servers
        // to put up with it.
        unsafe SSL_CTX_set_options(context, copenssl_options)
        // Buffers of 16 KiB only while they hold something; a record at a time, and from a buffer that may have moved:
        // our output buffer does when it grows.
        unsafe copenssl_ctx_set_mode(
            context,
            Int(SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
        // Header and content of a record with one system call.
        unsafe copenssl_ctx_set_read_ahead(context)
        // Sessions live in tickets, with the client: nothing of them is kept here.
        unsafe copenssl_ctx_disable_session_cache(context)
        unsafe SSL_CTX_set_timeout(context, Int(TicketKeys.sessionSeconds))
        unsafe SSL_CTX_set_alpn_select_cb(context, selectHTTP11, nil)
    }

    private static func use(
        _ chain: [Certificate], _ key: borrowing PrivateKey, in context: OpaquePointer,
        _ configuration: TLSConfiguration
    ) throws(TLSError) {
        OpenSSLErrors.clear()
        let path = configuration.certificatePath
        // SAFETY (all calls here): the context is the caller's and alive; of what it is lent it takes references.
        for (index, certificate) in chain.enumerated() {
            let isTaken = unsafe certificate.with {
                index == 0
                    ? unsafe SSL_CTX_use_certificate(context, $0)
                    : unsafe copenssl_ctx_add_chain_certificate(context, $0)
            }
            if !isTaken { throw .notUsable(.certificate, path: path, reason: OpenSSLErrors.take()) }
        }
        // Refuses a key of another kind than the certificate's; one of the same kind is compared by the second call.
        let isTaken = unsafe key.with { unsafe SSL_CTX_use_PrivateKey(context, $0) }
        guard isTaken, unsafe SSL_CTX_check_private_key(context) == 1 else {
            OpenSSLErrors.clear()
            throw .keyMismatch(certificatePath: path, keyPath: configuration.keyPath)
        }
    }

    private static func authenticateClients(
        _ context: OpaquePointer, _ configuration: TLSConfiguration
    ) throws(TLSError) {
        guard let path = configuration.clientCAPath else { return }
        let pem = try PEMFile(.clientCA, path: path)
        for authority in try Certificate.chain(pem) {
            // SAFETY: the store belongs to the context; both calls take references or copies.
            let isTaken = unsafe authority.with { certificate in
                let isStored = unsafe X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate)
                return isStored == 1 ? unsafe SSL_CTX_add_client_CA(context, certificate) : isStored
            }
            if !isTaken { throw .notUsable(.clientCA, path: path, reason: OpenSSLErrors.take()) }
        }
        // SAFETY (the rest): the context is the caller's and alive; the digest is copied.
        unsafe SSL_CTX_set_verify(
            context,
            configuration.clientAuthentication == .required
                ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_PEER, nil)
        // A ticket carries the client's certificate, accepted once. Under other authorities or another rule it is not: the
        // session belongs to a context with another name, and a full handshake is made.
        var name = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var nameBytes: UInt32 = 0
        let rule = pem.bytes + Array(configuration.clientAuthentication.rawValue.utf8)
        let isDone = unsafe EVP_Digest(rule, rule.count, &name, &nameBytes, EVP_sha256(), nil) == 1
        guard isDone, unsafe SSL_CTX_set_session_id_context(context, name, nameBytes) == 1 else {
            throw .library(call: "SSL_CTX_set_session_id_context", reason: OpenSSLErrors.take())
        }
    }
}

/// ALPN (RFC 7301): http/1.1 when the client offers it, and the end of the handshake when it offers only others, so that an
/// HTTP/2 client learns at once what it would otherwise learn from a 400. Clients that offer nothing are not asked.
private func selectHTTP11(
    _: OpaquePointer?, _ selected: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    _ selectedCount: UnsafeMutablePointer<UInt8>?,
    _ offered: UnsafePointer<UInt8>?, _ offeredCount: UInt32, _: UnsafeMutableRawPointer?
) -> Int32 {
    // SAFETY: the offer is offeredCount bytes, alive beyond the call, of names with a length byte before each; every
    // index below is checked against the count. What is selected points into the offer, as OpenSSL permits.
    let offer = unsafe UnsafeBufferPointer(start: offered, count: Int(offeredCount))
    let wanted: StaticString = "http/1.1"
    var place = 0
    while place < offer.count {
        let length = Int(unsafe offer[place])
        let name = (place + 1)..<(place + 1 + length)
        guard name.upperBound <= offer.count else { break }
        if length == wanted.utf8CodeUnitCount,
            name.enumerated().allSatisfy({ unsafe offer[$0.element] == wanted.utf8Start[$0.offset] })
        {
            unsafe selected?.pointee = offered.map { unsafe $0 + name.lowerBound }
            unsafe selectedCount?.pointee = UInt8(length)
            return SSL_TLSEXT_ERR_OK
        }
        place = name.upperBound
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL
}
