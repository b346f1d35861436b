import CLinux
import Glibc

/// One loop's listening socket: its own, sharing an address with those of the other loops (SO_REUSEPORT), or its own
/// descriptor of one socket that all loops have.
final class Listener: Sendable {
    enum Kind {
        /// A TCP socket of this loop.
        case own
        /// One Unix socket for all loops.
        case unix
        /// One socket for all loops that another process opened, and will go on listening on.
        case inherited
    }

    enum Accepted {
        case connection(Int32, ClientAddress)
        /// Nobody waits.
        case none
        /// The connection that was to be taken is gone: there may be a next one.
        case gone
        /// The process, or the machine, has no descriptor left.
        case noDescriptor
        /// Nothing that will pass by itself soon.
        case broken
    }

    let descriptor: FileDescriptor
    let kind: Kind
    let configuration: ListenerConfiguration

    init(_ descriptor: consuming FileDescriptor, _ kind: Kind, _ configuration: ListenerConfiguration) {
        self.descriptor = descriptor
        self.kind = kind
        self.configuration = configuration
    }

    /// Takes one connection off the queue; the descriptor is the caller's.
    func accept() -> Accepted {
        var peer = clinux_address()
        // SAFETY: the call writes the struct it is given.
        let result = unsafe clinux_accept(descriptor.raw, &peer)
        switch -result {
        case ..<1: return .connection(result, ClientAddress(peer))
        case EAGAIN: return .none
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .noDescriptor
        // These are errors of the connection (accept(2)).
        case ECONNABORTED, EPERM, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, ENONET,
            EOPNOTSUPP, ECONNRESET, ETIMEDOUT:
            return .gone
        default: return .broken
        }
    }

    /// Sees to it that nobody new connects, as far as that can be done while those who are about to are still let in.
    ///
    /// The kernel drops the first segment of each new handshake: its sender repeats it after a second, and finds the next
    /// process or nobody. Handshakes that have begun come to their end. Without it a connection that is
    /// established between the last accept and the close would be reset, its request with it.
    func stopNewcomers() {
        if kind == .own { _ = clinux_drop_handshakes(descriptor.raw) }
    }
}

/// A socket that is bound, before any loop has it.
struct BoundSocket: ~Copyable {
    let descriptor: FileDescriptor

    /// - Parameter sharesPort: whether other listeners may be bound to the same address.
    init(host: String, port: Int, sharesPort: Bool, onlyIPv6: Bool) throws(SystemError) {
        // SAFETY: the bridged C string lives for the call and is only read.
        let raw = unsafe clinux_bound_socket(host, Int32(port), sharesPort ? 1 : 0, onlyIPv6 ? 1 : 0)
        descriptor = FileDescriptor(owning: try check(raw, "bind"))
    }

    /// A Unix socket, which listens already: whoever looks at its path has to find it either free or answered.
    ///
    /// - Parameter file: set to the file that stands for the socket.
    init(listeningAt path: String, mode: UInt32, backlog: Int, file: inout clinux_file) throws(SystemError) {
        // SAFETY: the bridged C string lives for the call and is only read; the struct is written.
        let raw = unsafe clinux_listening_unix_socket(path, mode, Int32(clamping: backlog), &file)
        descriptor = FileDescriptor(owning: try check(raw, "bind"))
    }

    /// Takes over a listening socket.
    init(inherited raw: Int32) throws(SystemError) {
        _ = try check(clinux_prepare_inherited(raw), "getsockopt")
        descriptor = FileDescriptor(owning: raw)
    }

    func listen(backlog: Int) throws(SystemError) {
        _ = try check(clinux_listen(descriptor.raw, Int32(clamping: backlog)), "listen")
    }

    func localPort() throws(SystemError) -> Int { Int(try check(clinux_local_port(descriptor.raw), "getsockname")) }

    /// Another descriptor for the same socket.
    func duplicate() throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try check(clinux_duplicate(descriptor.raw), "fcntl"))
    }

    consuming func release() -> FileDescriptor { descriptor }

    /// Whether `host` is an IPv4 or IPv6 literal, and which; nil for anything else.
    static func addressFamily(_ host: String) -> Int? {
        var address = clinux_address()
        var host = host
        // SAFETY: the call reads the bytes of a string that is alive, and writes the struct it is given.
        let family = host.withUTF8 { unsafe clinux_parse_address($0.baseAddress, $0.count, &address) }
        return family == 0 ? nil : Int(family)
    }
}

/// The file of a Unix socket, removed when nobody is to connect any more.
struct SocketFile: Sendable {
    let path: String
    let file: clinux_file

    /// Removes the file, unless the path names another by now.
    func remove() {
        // SAFETY: the bridged C string lives for the call and is only read.
        _ = unsafe clinux_unlink_socket(path, file)
    }
}
