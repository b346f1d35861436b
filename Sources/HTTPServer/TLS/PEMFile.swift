import Glibc

/// The bytes of a PEM file, read once, so that every check is about the same bytes.
struct PEMFile {
    let file: TLSError.File
    let path: String
    let bytes: [UInt8]
    /// Whether others than the owner and the group may read it.
    let isWorldReadable: Bool

    /// More than any chain or bundle of authorities needs.
    static let bytesMax = 1 << 20

    init(_ file: TLSError.File, path: String) throws(TLSError) {
        self.file = file
        self.path = path
        // SAFETY: the path is lent as a NUL-terminated string for the call. Non-blocking: a FIFO must not hang the start.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .unreadable(file, path: path, code: errno) }
        let owned = FileDescriptor(owning: descriptor)
        var status = stat()
        // SAFETY: the kernel fills the struct that it is given.
        guard unsafe fstat(owned.raw, &status) == 0 else { throw .unreadable(file, path: path, code: errno) }
        isWorldReadable = status.st_mode & S_IROTH != 0
        var bytes = [UInt8](repeating: 0, count: Self.bytesMax + 1)
        var held = 0
        while held < bytes.count {
            // SAFETY: at most the bytes behind `held` are written.
            let count = unsafe bytes.withUnsafeMutableBytes { room in
                unsafe read(owned.raw, room.baseAddress.map { unsafe $0 + held }, room.count - held)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .unreadable(file, path: path, code: errno) }
            if count == 0 { break }
            held += count
        }
        if held > Self.bytesMax { throw .tooLarge(file, path: path, bytesMax: Self.bytesMax) }
        bytes.removeSubrange(held...)
        self.bytes = bytes
    }

    /// The label of the first block: `CERTIFICATE` of `-----BEGIN CERTIFICATE-----`.
    var firstLabel: String? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let begin = text.firstRange(of: "-----BEGIN "),
            let end = text[begin.upperBound...].firstRange(of: "-----")
        else {
            return nil
        }
        // From a file that may be anything: what is printed of it is short and plain.
        let label = text[begin.upperBound..<end.lowerBound].unicodeScalars.prefix(40)
        return String(String.UnicodeScalarView(label.filter { $0.isASCII && $0.value >= 0x20 && $0.value < 0x7F }))
    }

    /// Whether there is a block of a private key, of whatever kind.
    var hasPrivateKey: Bool { String(decoding: bytes, as: UTF8.self).contains("PRIVATE KEY-----") }

    /// Whether a block says that it is encrypted, in the way of PKCS #8 or in the older one of OpenSSL (RFC 1421).
    var isEncrypted: Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        return text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")
    }
}
