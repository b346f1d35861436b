import CLinux
import Glibc

/// A listening TCP socket. Several on one address share its connections (SO_REUSEPORT).
struct Listener: ~Copyable {
    let descriptor: FileDescriptor

    enum Accepted {
        case connection(Int32)
        /// Nobody waits.
        case none
        /// The process, or the machine, has no descriptor left.
        case noDescriptor
    }

    /// - Parameter sharesPort: whether other listeners may be bound to the same address.
    init(host: String, port: Int, sharesPort: Bool) throws(SystemError) {
        // SAFETY: the bridged C string lives for the call and is only read.
        let raw = unsafe clinux_bound_socket(host, Int32(port), sharesPort ? 1 : 0)
        descriptor = FileDescriptor(owning: try check(raw, "bind"))
    }

    func listen(backlog: Int) throws(SystemError) {
        _ = try check(clinux_listen(descriptor.raw, Int32(clamping: backlog)), "listen")
    }

    func localPort() throws(SystemError) -> Int { Int(try check(clinux_local_port(descriptor.raw), "getsockname")) }

    /// Takes one connection off the queue; the descriptor is the caller's.
    func accept() -> Accepted {
        while true {
            let result = clinux_accept(descriptor.raw)
            switch -result {
            case ..<1: return .connection(result)
            case EAGAIN: return .none
            case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .noDescriptor
            // The others are errors of the connection that was to be taken (accept(2)): there may be a next one.
            case ECONNABORTED, EPERM, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, ENONET,
                EOPNOTSUPP:
                continue
            default: return .none
            }
        }
    }

    /// 4, 6 or nil for what is no address literal.
    static func addressFamily(_ host: String) -> Int? {
        // SAFETY: the bridged C string lives for the call and is only read.
        let family = unsafe clinux_address_family(host)
        return family == 0 ? nil : Int(family)
    }
}
