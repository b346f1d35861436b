import CLinux
import Glibc

/// A non-blocking TCP connection to the server, closed exactly once.
struct ClientSocket: ~Copyable {
    let descriptor: Int32

    enum Transfer: Equatable {
        case bytes(Int)
        case blocked
        case end
        /// Reset, broken pipe: `errno`.
        case failed(Int32)
    }

    struct Failure: Error, Equatable {
        var code: Int32
    }

    /// Starts to connect.
    init(host: String, port: Int) throws(Failure) {
        // SAFETY: the bridged C string lives for the call and is only read.
        let result = unsafe clinux_connect(host, Int32(port))
        guard result >= 0 else { throw Failure(code: -result) }
        descriptor = result
    }

    deinit { _ = clinux_close(descriptor) }

    /// Once writable: whether the connection was made.
    func connected() throws(Failure) {
        let result = clinux_socket_error(descriptor)
        if result < 0 { throw Failure(code: -result) }
    }

    /// Waits until the connection is made, at most so long.
    func waitUntilConnected(milliseconds: Int32) throws(Failure) {
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one entry, alive for the call.
        let count = unsafe poll(&ready, 1, milliseconds)
        if count == 0 { throw Failure(code: ETIMEDOUT) }
        if count < 0 { throw Failure(code: errno) }
        try connected()
    }

    func send(_ bytes: Span<UInt8>) -> Transfer {
        // SAFETY: the kernel reads count bytes from the base of a span that is alive during the call.
        Self.transfer(unsafe bytes.withUnsafeBytes { unsafe clinux_send(descriptor, $0.baseAddress, $0.count) })
    }

    /// Reads up to `bytesMax` bytes to `place` and behind it.
    func receive(into buffer: inout [UInt8], at place: Int, bytesMax: Int) -> Transfer {
        precondition(
            place >= 0 && bytesMax > 0 && place + bytesMax <= buffer.count, "BUG: receiving outside the buffer")
        // SAFETY: the range was just checked; the array is not touched otherwise during the call.
        let result = unsafe buffer.withUnsafeMutableBytes {
            unsafe clinux_receive(descriptor, $0.baseAddress.map { unsafe $0 + place }, bytesMax)
        }
        return result == 0 ? .end : Self.transfer(result)
    }

    private static func transfer(_ result: Int) -> Transfer {
        if result >= 0 { return .bytes(result) }
        return result == Int(-EAGAIN) ? .blocked : .failed(Int32(-result))
    }
}
