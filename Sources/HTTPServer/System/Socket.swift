import CLinux
import Glibc
import HTTPMessages

/// What became of an attempt to move bytes.
enum Transfer: Equatable {
    /// Bytes moved; sending over TLS, those that the socket took.
    case bytes(Int)
    /// The socket has none, or takes none, right now.
    case blocked
    /// The client ended its side (reading only).
    case end
    /// The connection is gone: reset, broken pipe, timed out. Over TLS also: a record that is none.
    case failed
}

/// One connection to a client, in the clear or over TLS, as its listener says.
struct Socket: ~Copyable {
    let descriptor: FileDescriptor
    /// When the TLS handshake has to be done.
    let handshakeDeadline: MonotonicTime
    private var session: TLSSession?
    /// What TLS is to begin with, once the first byte is here: a client that says nothing costs no session.
    private var context: TLSContext?

    /// A socket in the clear, or one whose client is expected to begin a TLS handshake.
    init(
        _ descriptor: consuming FileDescriptor, tls context: TLSContext? = nil,
        handshakeDeadline: MonotonicTime = .distantFuture
    ) {
        self.descriptor = descriptor
        self.handshakeDeadline = handshakeDeadline
        self.context = context
    }

    /// Reads up to `bytesMax` bytes to the end of `buffer`.
    mutating func receive(into buffer: inout ByteBuffer, bytesMax: Int) -> Transfer {
        if let result = session?.receive(into: &buffer, bytesMax: bytesMax) { return result }
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
    mutating func send(_ buffer: inout ByteBuffer) -> Transfer {
        if let result = session?.send(&buffer) { return result }
        let result = buffer.withBytes { bytes in
            // SAFETY: the kernel reads count bytes from the base of a span that is alive during the call.
            unsafe bytes.withUnsafeBytes { unsafe clinux_send(descriptor.raw, $0.baseAddress, $0.count) }
        }
        if result > 0 { buffer.removeFirst(result) }
        return Self.transfer(result)
    }

    /// Of the bytes that were sent, over TLS of its records, those that the kernel holds because the client has not taken them; 0
    /// when it does not say, as if they were taken.
    ///
    /// Over TCP taken is acknowledged: the client's kernel has it. On a Unix socket it is read, in blocks of up to 36 KiB that count, with the
    /// kernel's own share, until their last byte is read.
    var heldBytes: Int { max(0, Int(clinux_held_bytes(descriptor.raw))) }

    /// Tells the client that nothing more comes. A client that is gone will show at the next read.
    ///
    /// From here on what is received is what the socket has, encrypted or not: it is only read to be thrown away.
    mutating func endOutput() {
        endTLS()
        _ = clinux_shutdown_write(descriptor.raw)
    }

    private static func transfer(_ result: Int) -> Transfer {
        if result >= 0 { return .bytes(result) }
        return result == Int(-EAGAIN) ? .blocked : .failed
    }

    // MARK: TLS

    /// Whether the connection is to be TLS and is not yet.
    var isHandshaking: Bool {
        switch session {
        case .some(let session): !session.isEstablished
        case .none: context != nil
        }
    }

    /// Whether a byte of a handshake has come.
    var hasBegunHandshake: Bool {
        switch session {
        case .some: true
        case .none: false
        }
    }

    /// Whether bytes have come that epoll will not report.
    var holdsInput: Bool {
        switch session {
        case .some(let session): session.holdsInput
        case .none: false
        }
    }

    /// Whether what epoll reported makes a read worth while.
    func canRead(after interest: Interest) -> Bool {
        switch session {
        case .some(let session): !interest.isDisjoint(with: [session.readNeeds, .broken])
        case .none: !interest.isDisjoint(with: [.read, .broken])
        }
    }

    /// What epoll has to report when the connection wants to read, to write or both.
    func interest(for wanted: Interest) -> Interest {
        switch session {
        case .some(let session): session.interest(for: wanted)
        case .none: context == nil ? wanted : .read
        }
    }

    /// Whether bytes of a handshake wait to be read (``Transfer/bytes(_:)`` of 1), or what else there is.
    func peekHandshake() -> Transfer { peekByte().result }

    private func peekByte() -> (result: Transfer, byte: UInt8) {
        var byte: UInt8 = 0
        // SAFETY: the kernel writes one byte at most.
        let count = unsafe clinux_peek(descriptor.raw, &byte, 1)
        return (count == 0 ? .end : Self.transfer(count), byte)
    }

    mutating func shakeHands() -> TLSSession.Progress {
        if let context {
            let (peeked, first) = peekByte()
            if peeked == .blocked { return .blocked }
            guard peeked == .bytes(1) else { return .failed(.closed) }
            switch first {
            // The content type of a handshake record (RFC 8446 section 5.1); SSL 2 began otherwise, and is not spoken.
            case 0x16: break
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"):
                return .failed(.plainHTTP)
            default: return .failed(.notTLS)
            }
            self.context = nil
            session = context.makeSession(descriptor)
        }
        return session?.shakeHands() ?? .failed(.closed)
    }

    /// Goes on in the clear, after a handshake that failed.
    mutating func abandonTLS() {
        context = nil
        session = nil
    }

    /// Says good-bye in TLS and frees what it took: nothing more is sent, and what comes is not looked at.
    mutating func endTLS() {
        session?.end()
        session = nil
    }
}
