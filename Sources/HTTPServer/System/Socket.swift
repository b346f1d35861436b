import CLinux
import Glibc
import HTTPMessages

/// What became of an attempt to move bytes.
enum Transfer: Equatable {
    case bytes(Int)
    /// The socket has none, or takes none, right now.
    case blocked
    /// The client ended its side (reading only).
    case end
    /// The connection is gone: reset, broken pipe, timed out.
    case failed
}

/// One connection to a client.
struct Socket: ~Copyable {
    let descriptor: FileDescriptor

    init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }

    /// Reads up to `bytesMax` bytes to the end of `buffer`.
    func receive(into buffer: inout ByteBuffer, bytesMax: Int) -> Transfer {
        var result = 0
        _ = unsafe buffer.appendUnsafely(room: bytesMax) { room in
            // SAFETY: the kernel writes at most room.count bytes, and says how many.
            result = unsafe clinux_receive(descriptor.raw, room.baseAddress, room.count)
            return max(0, result)
        }
        if result == 0 { return .end }
        return Self.transfer(result)
    }

    /// Copies up to `bytesMax` waiting bytes to the end of `buffer` and leaves them where they are.
    func peek(into buffer: inout ByteBuffer, bytesMax: Int) -> Transfer {
        var result = 0
        _ = unsafe buffer.appendUnsafely(room: bytesMax) { room in
            // SAFETY: the kernel writes at most room.count bytes, and says how many.
            result = unsafe clinux_peek(descriptor.raw, room.baseAddress, room.count)
            return max(0, result)
        }
        if result == 0 { return .end }
        return Self.transfer(result)
    }

    /// Offers the bytes of `buffer` to the kernel and takes away those it took.
    func send(_ buffer: inout ByteBuffer) -> Transfer {
        let result = buffer.withBytes { bytes in
            // SAFETY: the kernel reads count bytes from the base of a span that is alive during the call.
            unsafe bytes.withUnsafeBytes { unsafe clinux_send(descriptor.raw, $0.baseAddress, $0.count) }
        }
        if result > 0 { buffer.removeFirst(result) }
        return Self.transfer(result)
    }

    /// Tells the client that nothing more comes. A client that is gone will show at the next read.
    func endOutput() { _ = clinux_shutdown_write(descriptor.raw) }

    private static func transfer(_ result: Int) -> Transfer {
        if result >= 0 { return .bytes(result) }
        return result == Int(-EAGAIN) ? .blocked : .failed
    }
}
