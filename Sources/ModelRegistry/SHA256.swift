import COpenSSL
import Glibc

/// The SHA-256 of a file (FIPS 180-4) in lower-case hexadecimal, as `sha256sum` prints it.
///
/// - Parameter bytesPerSecondMax: reads no faster than this, on average; nil: as fast as it can.
/// - Throws: `system` when the file cannot be opened or read.
/// - Complexity: one pass, 1 MiB of memory; about 1.8 GB/s on a core with SHA instructions.
package func sha256(ofFile path: String, bytesPerSecondMax: Int? = nil) throws(RegistryError) -> String {
    // SAFETY: the path is lent as a NUL-terminated string for the call.
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw .system(call: "open", path: path, code: errno) }
    defer { close(file) }
    return try sha256(of: file, path: path, bytesPerSecondMax: bytesPerSecondMax)
}

/// The same of bytes in memory; `path` is for errors.
func sha256(of bytes: [UInt8], path: String) throws(RegistryError) -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    // SAFETY: SHA-256 reads the array's bytes and writes 32; nil for the engine is the standard one. It fails only without memory.
    let isFine = unsafe bytes.withUnsafeBytes { source in
        unsafe digest.withUnsafeMutableBufferPointer { target in
            unsafe EVP_Digest(source.baseAddress, source.count, target.baseAddress, nil, EVP_sha256(), nil) == 1
        }
    }
    guard isFine else { throw noDigest(path) }
    return hexadecimal(digest)
}

/// OpenSSL fails here only when it gets no memory.
private func noDigest(_ path: String) -> RegistryError { .system(call: "compute SHA-256", path: path, code: ENOMEM) }

private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

/// The same of a file that is open, from where it stands to its end; `path` is for errors.
///
/// - Throws: `interrupted` besides, when somebody asked for that.
func sha256(
    of file: Int32, path: String, bytesPerSecondMax: Int?, interruption: Interruption? = nil
) throws(RegistryError) -> String {
    posix_fadvise(file, 0, 0, Int32(POSIX_FADV_SEQUENTIAL))
    // SAFETY: the context is made, used and freed here only. OpenSSL's calls return 1 on success.
    guard let context = unsafe EVP_MD_CTX_new() else { throw noDigest(path) }
    defer { unsafe EVP_MD_CTX_free(context) }
    var isFine = unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
    var pace = bytesPerSecondMax.map { ReadPace(bytesPerSecondMax: $0) }
    // A slow pace takes small pieces, so that it is one and not a row of bursts.
    var chunk = [UInt8](repeating: 0, count: min(pace?.chunkBytes ?? .max, 256 << 10))
    while isFine {
        // SAFETY: at most the chunk's bytes are written.
        let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count >= 0 else { throw .system(call: "read", path: path, code: errno) }
        if count == 0 { break }
        pace?.wait(afterReading: count, unless: interruption)
        if interruption?.isAsked == true { throw .interrupted(path: path) }
        isFine = unsafe chunk.withUnsafeBytes { unsafe EVP_DigestUpdate(context, $0.baseAddress, count) } == 1
    }
    var digest = [UInt8](repeating: 0, count: 32)
    // SAFETY: SHA-256 writes 32 bytes.
    isFine =
        unsafe digest.withUnsafeMutableBufferPointer { unsafe EVP_DigestFinal_ex(context, $0.baseAddress, nil) } == 1
        && isFine
    guard isFine else { throw noDigest(path) }
    return hexadecimal(digest)
}
