import COpenSSL

/// A private key.
@safe
struct PrivateKey: ~Copyable {
    private let pointer: OpaquePointer

    /// Takes over the caller's reference.
    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit {
        // SAFETY: the reference that init took over; a context took one of its own.
        unsafe EVP_PKEY_free(pointer)
    }

    /// The key of a file.
    ///
    /// - Throws: also ``TLSError/encryptedKey(path:)``: a server has nobody to ask for a passphrase.
    static func read(_ pem: PEMFile) throws(TLSError) -> PrivateKey {
        if pem.isEncrypted { throw .encryptedKey(path: pem.path) }
        let reader = PEMReader(pem)
        return try reader.privateKey()
    }

    /// Lends the key to `body`, which keeps it only with a reference of its own.
    func with(_ body: (OpaquePointer) -> Int32) -> Bool { unsafe body(pointer) == 1 }
}
