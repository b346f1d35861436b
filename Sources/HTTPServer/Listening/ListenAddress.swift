import CLinux

/// Where to listen.
package enum ListenAddress: Sendable, Equatable {
    /// An IPv4 or IPv6 address (IPv6 with or without brackets), or `localhost` for 127.0.0.1. Port 0 lets the kernel choose.
    case tcp(host: String, port: Int)
    /// A Unix socket: at most 107 bytes.
    case unix(path: String)
    /// A listening stream socket that this process was given, by systemd for one. The server takes it over.
    case inherited(descriptor: Int32)
}

extension ListenAddress {
    /// Reads `127.0.0.1:8080`, `localhost:8080`, `[::1]:8080` or `unix:/run/nextloop.sock`; nil for anything else.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            if path.isEmpty { return nil }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let host = text[..<colon]
        let digits = text[text.index(after: colon)...].utf8
        // An IPv6 address without brackets ends with what might be a port.
        guard !host.isEmpty, !host.contains(":") || host.hasPrefix("[") && host.hasSuffix("]"),
            (1...5).contains(digits.count), digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let port = Int(String(text[text.index(after: colon)...])), port <= 65_535
        else { return nil }
        self = .tcp(host: String(host), port: port)
    }
}

extension ListenAddress {
    /// Whether only who is on this machine gets there, through the permissions of a file. An inherited socket is asked.
    package var isUnixSocket: Bool {
        switch self {
        case .tcp: false
        case .unix: true
        case .inherited(let descriptor): clinux_is_unix_socket(descriptor) == 1
        }
    }
}

extension ListenAddress: CustomStringConvertible {
    /// As it is read, with brackets around IPv6.
    package var description: String {
        switch self {
        case .tcp(let host, let port):
            host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .inherited(let descriptor): "descriptor \(descriptor)"
        }
    }
}

/// What a listener is for.
package enum ListenerRole: Sendable {
    case service
    /// Operators and monitoring: connections are counted apart and never shed, so that they get in when clients do not.
    case admin
}

/// One address to listen on, and how.
package struct ListenerConfiguration: Sendable, Equatable {
    package var address: ListenAddress
    package var role: ListenerRole
    /// Whether a trusted proxy begins each connection with a PROXY protocol header (version 1 or 2). Others begin with HTTP.
    package var hasProxyHeaders: Bool
    /// Of the file of a Unix socket.
    package var fileMode: UInt32
    /// What connections are encrypted with; nil for none.
    package var tls: TLSContext?

    package init(
        _ address: ListenAddress, role: ListenerRole = .service, hasProxyHeaders: Bool = false,
        fileMode: UInt32 = 0o660,
        tls: TLSContext? = nil
    ) {
        self.address = address
        self.role = role
        self.hasProxyHeaders = hasProxyHeaders
        self.fileMode = fileMode
        self.tls = tls
    }
}
