import CLinux
import COpenSSL
import Glibc

/// OpenSSL's way to a socket: the same two calls as in the clear.
///
/// OpenSSL has one of its own, which writes with write(2): a client that is gone would raise SIGPIPE.
enum SocketBIO {
    /// Made once and never freed.
    @safe private struct Method: @unchecked Sendable {  // Sendable: never changed once made.
        let pointer: OpaquePointer?

        init() {
            // SAFETY: the method is ours, and its functions keep to the contracts of BIO_meth_new(3).
            let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket")
            unsafe pointer = method
            guard let method = unsafe method else { return }
            unsafe BIO_meth_set_write(method) { bio, bytes, count in unsafe SocketBIO.write(bio, bytes, count) }
            unsafe BIO_meth_set_read(method) { bio, room, count in unsafe SocketBIO.read(bio, room, count) }
            unsafe BIO_meth_set_ctrl(method) { bio, command, _, _ in unsafe SocketBIO.control(bio, command) }
        }
    }

    private static let method = Method()

    /// A BIO on a descriptor that stays the caller's and has to outlive it. Nil when memory is short.
    static func make(_ descriptor: Int32) -> OpaquePointer? {
        guard let method = unsafe method.pointer, let bio = unsafe BIO_new(method) else { return nil }
        // SAFETY: the BIO is new and ours.
        unsafe setData(bio, descriptor, readableBytes: 0)
        unsafe BIO_set_init(bio, 1)
        return unsafe bio
    }

    /// Lets OpenSSL read so many bytes from now on, then none, as if the socket had no more.
    ///
    /// OpenSSL reads until it has a byte for us: a client whose records hold none (key updates, RFC 8446 section 4.6.3) and
    /// come as fast as they are read would keep the call from returning. What is left with the kernel epoll reports again.
    static func allowReading(_ bio: OpaquePointer?, bytesMax: Int) {
        unsafe setData(bio, descriptor(bio), readableBytes: UInt32(clamping: bytesMax))
    }

    /// The data of a BIO is no address: the descriptor plus one, for 0 would be nil, and above it the bytes to read.
    private static func setData(_ bio: OpaquePointer?, _ descriptor: Int32, readableBytes: UInt32) {
        // SAFETY: the BIO is one of `make`, and nobody takes its data for an address.
        unsafe BIO_set_data(
            bio, UnsafeMutableRawPointer(bitPattern: UInt(readableBytes) << 32 | UInt(UInt32(descriptor) + 1)))
    }

    private static func data(_ bio: OpaquePointer?) -> UInt {
        // SAFETY: the data was set in `setData`, and only its bits are looked at.
        UInt(bitPattern: unsafe BIO_get_data(bio))
    }

    private static func descriptor(_ bio: OpaquePointer?) -> Int32 {
        unsafe Int32(UInt32(truncatingIfNeeded: data(bio)) - 1)
    }

    /// - Returns: bytes taken, or -1, with the retry flag when the socket takes none now.
    private static func write(_ bio: OpaquePointer?, _ bytes: UnsafePointer<CChar>?, _ count: Int32) -> Int32 {
        // SAFETY: OpenSSL lends `count` bytes for the call.
        unsafe copenssl_bio_clear_retry(bio)
        let result = unsafe clinux_send(descriptor(bio), bytes, Int(count))
        if result >= 0 { return Int32(result) }
        if result == Int(-EAGAIN) { unsafe copenssl_bio_set_retry_write(bio) }
        return -1
    }

    /// - Returns: bytes read, 0 at the end, or -1, with the retry flag when the socket has none now.
    private static func read(_ bio: OpaquePointer?, _ room: UnsafeMutablePointer<CChar>?, _ count: Int32) -> Int32 {
        // SAFETY: OpenSSL gives room for `count` bytes.
        unsafe copenssl_bio_clear_retry(bio)
        let readableBytes = unsafe UInt32(data(bio) >> 32)
        if readableBytes == 0 {
            unsafe copenssl_bio_set_retry_read(bio)
            return -1
        }
        let result = unsafe clinux_receive(descriptor(bio), room, min(Int(count), Int(readableBytes)))
        if result > 0 {
            unsafe setData(bio, descriptor(bio), readableBytes: readableBytes - UInt32(result))
            return Int32(result)
        }
        if result == 0 {
            unsafe BIO_set_flags(bio, BIO_FLAGS_IN_EOF)
            return 0
        }
        if result == Int(-EAGAIN) { unsafe copenssl_bio_set_retry_read(bio) }
        return -1
    }

    private static func control(_ bio: OpaquePointer?, _ command: Int32) -> Int {
        switch command {
        // Nothing is held back here.
        case BIO_CTRL_FLUSH: 1
        // SAFETY: OpenSSL passes the BIO that it was asked about.
        case BIO_CTRL_EOF: unsafe BIO_test_flags(bio, BIO_FLAGS_IN_EOF) == 0 ? 0 : 1
        default: 0
        }
    }
}
