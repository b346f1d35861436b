import COpenSSL

/// Reads the blocks of a PEM file one after the other.
@safe
struct PEMReader: ~Copyable {
    private let bio: OpaquePointer
    private let pem: PEMFile

    init(_ pem: PEMFile) {
        self.pem = pem
        // SAFETY: the BIO is ours, freed in deinit; it copies the bytes, fewer than 2³¹ as PEMFile bounds them.
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { preconditionFailure("out of memory") }
        unsafe self.bio = bio
        let copied = unsafe BIO_write(bio, pem.bytes, Int32(pem.bytes.count))
        precondition(copied == pem.bytes.count || pem.bytes.isEmpty, "out of memory")
    }

    deinit {
        // SAFETY: made in init, and nobody else has it.
        unsafe _ = BIO_free(bio)
    }

    /// The next certificate; nil when there is none. Blocks of other kinds are passed over.
    func nextCertificate() throws(TLSError) -> Certificate? {
        OpenSSLErrors.clear()
        defer { OpenSSLErrors.clear() }
        // SAFETY: the BIO is alive; the certificate is handed on with its one reference. No passphrase is asked for: a
        // certificate is not encrypted, and the callback has none.
        if let pointer = unsafe PEM_read_bio_X509(bio, nil, { _, _, _, _ in -1 }, nil) {
            return unsafe Certificate(owning: pointer)
        }
        if OpenSSLErrors.isEndOfPEM { return nil }
        throw .malformed(pem.file, path: pem.path, reason: OpenSSLErrors.take())
    }

    /// The first private key.
    func privateKey() throws(TLSError) -> PrivateKey {
        OpenSSLErrors.clear()
        defer { OpenSSLErrors.clear() }
        // SAFETY: as above. OpenSSL's own callback would ask for the passphrase on the terminal.
        if let pointer = unsafe PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil) {
            return unsafe PrivateKey(owning: pointer)
        }
        // OpenSSL tries one decoder after the other and reports that none was right, whatever there was.
        if !pem.hasPrivateKey { throw .wrongContents(pem.file, path: pem.path, found: pem.firstLabel) }
        throw .malformed(pem.file, path: pem.path, reason: OpenSSLErrors.take())
    }
}
