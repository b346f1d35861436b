/// Why a server could not start: what, where, and what to do.
package enum ServerError: Error, Equatable, Sendable, CustomStringConvertible {
    case invalidHost(String)
    case invalidPort(Int)
    case invalidLoopCount(Int)
    case invalidListenerCount(Int)
    case invalidLimit(name: String, got: String, wanted: String)
    case addressInUse(host: String, port: Int)
    case addressNotAvailable(host: String)
    case portNotPermitted(port: Int)
    /// A Unix socket's path: what is wrong with it.
    case socketPath(String, problem: SocketPathProblem)
    /// A descriptor that was handed down is no listening stream socket.
    case notListening(descriptor: Int32)
    case alreadyStarted
    /// A system call failed that does not on a healthy machine.
    case system(call: String, code: Int32)

    package enum SocketPathProblem: Sendable {
        case inUse, noSocket, noDirectory, notPermitted, tooLong
    }

    package var description: String {
        switch self {
        case .invalidHost(let host):
            "cannot listen on host \"\(host)\": want an IPv4 address, an IPv6 address or localhost; "
                + "use 0.0.0.0 or :: for every interface"
        case .invalidPort(let port): "cannot listen on port \(port): want 0 to 65535, where 0 lets the system choose"
        case .invalidLoopCount(let loops): "cannot run \(loops) event loops: want 1 to 256; one per core is enough"
        case .invalidListenerCount(let count): "cannot listen on \(count) addresses: want 1 to 64"
        case .invalidLimit(let name, let got, let wanted): "the limit \(name) is \(got): want \(wanted)"
        case .addressInUse(let host, let port):
            "cannot listen on \(host) port \(port): another process does; stop it or choose another port "
                + "(`ss -ltnp 'sport = :\(port)'` names it)"
        case .addressNotAvailable(let host):
            "cannot listen on \(host): no interface of this machine has that address; `ip address` lists those it has"
        case .portNotPermitted(let port):
            "cannot listen on port \(port): the system does not permit it to this user; choose a port from 1024 up"
        case .socketPath(let path, let problem): "cannot listen on the Unix socket \(path): \(Self.text(problem))"
        case .notListening(let descriptor):
            "cannot accept from descriptor \(descriptor): it is not a listening stream socket; "
                + "a systemd socket unit wants ListenStream= and Accept=no"
        case .alreadyStarted: "the server was started before; make another one"
        case .system(let call, let code): SystemError.text(call, code: code)
        }
    }

    private static func text(_ problem: SocketPathProblem) -> String {
        switch problem {
        case .inUse: "another process answers there; stop it or choose another path (`ss -lxp` names it)"
        case .noSocket: "the file is there and is no socket; remove it or choose another path"
        case .noDirectory: "its directory does not exist; make it or choose another path"
        case .notPermitted: "the system does not permit it to this user; choose a directory that this user may write to"
        case .tooLong: "the path is longer than the 107 bytes that Linux takes"
        }
    }
}
