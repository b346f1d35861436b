import COpenSSL
import Glibc

/// One X.509 certificate. A class, for a chain is an array of them, and arrays hold no noncopyable values.
@safe
final class Certificate {
    private let pointer: OpaquePointer

    /// When a certificate begins and ends to be valid, in seconds since 1970.
    struct Validity: Sendable, Equatable {
        let notBefore: Int64
        let notAfter: Int64
    }

    /// Takes over the caller's reference.
    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit {
        // SAFETY: the reference that init took over; contexts took references of their own.
        unsafe X509_free(pointer)
    }

    /// The certificates of a file in its order, at least one.
    static func chain(_ pem: PEMFile) throws(TLSError) -> [Certificate] {
        let reader = PEMReader(pem)
        var chain: [Certificate] = []
        while let next = try reader.nextCertificate() { chain.append(next) }
        if chain.isEmpty { throw .wrongContents(pem.file, path: pem.path, found: pem.firstLabel) }
        return chain
    }

    /// Lends the certificate to `body`, which keeps it only with a reference of its own.
    func with(_ body: (OpaquePointer) -> Int32) -> Bool { unsafe body(pointer) == 1 }

    var validity: Validity {
        // SAFETY: both times belong to the certificate, which is alive during the calls.
        Validity(
            notBefore: unsafe Self.unixSeconds(X509_get0_notBefore(pointer)) ?? .min,
            notAfter: unsafe Self.unixSeconds(X509_get0_notAfter(pointer)) ?? .max)
    }

    /// Nil for a time that no calendar has, which OpenSSL's reader lets through.
    private static func unixSeconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        var parts = unsafe tm()
        // SAFETY: OpenSSL fills the struct from the time, which the caller keeps alive; timegm reads it.
        guard unsafe ASN1_TIME_to_tm(time, &parts) == 1 else { return nil }
        return Int64(unsafe timegm(&parts))
    }
}
