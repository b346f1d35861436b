import ArgumentParser
import Glibc
import HTTPServer

/// Where `serve` listens, and whom it believes about the client.
struct ListenOptions: ParsableArguments {
    @Option(help: "Address to listen on: an IPv4 or IPv6 literal, or localhost. Default: 127.0.0.1.")
    var host: String?

    @Option(help: "TCP port, 0 to 65535; 0 takes a free one and says which. Default: 8080.")
    var port: Int?

    @Option(
        help: """
            Address to listen on, in place of --host and --port: 127.0.0.1:8080, [::1]:8080 or unix:/run/nextloop.sock. \
            May be given up to 32 times; commas between addresses in the environment variable.
            """)
    var listen: [String] = []

    @Option(
        help: "Port on 127.0.0.1 for /admin, /metrics, /models and the probes, 0 to 65535. Default: none of its own.")
    var adminPort: Int?

    @Option(help: "The same as an address, as for --listen. May be given up to 32 times.")
    var adminListen: [String] = []

    @Option(help: "File mode of Unix sockets, octal, 0 to 777.")
    var socketMode = "660"

    @Option(
        help: """
            A proxy whose X-Forwarded-For is believed and whose connections are not counted as one client's: an address, a \
            range (10.0.0.0/8), or unix for all Unix sockets. May be given up to 64 times. Default: none.
            """)
    var trustedProxy: [String] = []

    @Flag(
        help: """
            Trusted proxies begin each connection to a service address with a PROXY protocol header, version 1 or 2.
            """)
    var proxyProtocol = false

    func validate() throws {
        if let port, !(0...65535).contains(port) {
            throw ValidationError("--port is \(port); wanted 0 to 65535.")
        }
        if let adminPort, !(0...65535).contains(adminPort) {
            throw ValidationError("--admin-port is \(adminPort); wanted 0 to 65535.")
        }
        if !listen.isEmpty, host != nil || port != nil {
            throw ValidationError("--listen takes the place of --host and --port; wanted one or the other.")
        }
        if adminPort != nil, !adminListen.isEmpty {
            throw ValidationError("--admin-listen takes the place of --admin-port; wanted one or the other.")
        }
        for (name, values, most) in [
            ("listen", listen, 32), ("admin-listen", adminListen, 32), ("trusted-proxy", trustedProxy, 64),
        ] where values.count > most {
            throw ValidationError("--\(name) is given \(values.count) times; wanted at most \(most).")
        }
        for (name, values) in [("listen", listen), ("admin-listen", adminListen)] {
            for text in values where ListenAddress(text) == nil {
                throw ValidationError(
                    "--\(name) is '\(text)'; wanted 127.0.0.1:8080, [::1]:8080 or unix:/run/nextloop.sock.")
            }
        }
        for text in trustedProxy where AddressRange(text) == nil {
            throw ValidationError(
                "--trusted-proxy is '\(text)'; wanted an address, a range such as 10.0.0.0/8 or 2001:db8::/32 without "
                    + "bits beyond its length, or unix.")
        }
        guard socketMode.count <= 4, let mode = UInt32(socketMode, radix: 8), mode <= 0o777 else {
            throw ValidationError("--socket-mode is '\(socketMode)'; wanted octal digits, 0 to 777.")
        }
        if proxyProtocol, trustedProxy.isEmpty {
            throw ValidationError("--proxy-protocol needs --trusted-proxy: whose headers are to be believed?")
        }
    }

    var trustedProxies: [AddressRange] { trustedProxy.compactMap { AddressRange($0) } }

    /// The addresses of the command line with the sockets that systemd handed down. The first is a service one.
    ///
    /// Sockets of systemd take the place of the default address; one with the name `admin` (FileDescriptorName=) is an admin listener.
    func listeners() throws -> [ListenerConfiguration] {
        let inherited = try inheritedSockets(environment: [
            "LISTEN_PID": variable("LISTEN_PID"), "LISTEN_FDS": variable("LISTEN_FDS"),
            "LISTEN_FDNAMES": variable("LISTEN_FDNAMES"),
        ])
        // Not for the programs that this one might start.
        // SAFETY: as in ``variable(_:)``.
        for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsafe unsetenv(name) }
        let mode = UInt32(socketMode, radix: 8) ?? 0o660
        var service = listen.compactMap { ListenAddress($0) } + inherited.filter { !$0.isAdmin }.map(\.address)
        if service.isEmpty || host != nil || port != nil {
            service.insert(.tcp(host: host ?? "127.0.0.1", port: port ?? 8080), at: 0)
        }
        var admin = adminListen.compactMap { ListenAddress($0) } + inherited.filter(\.isAdmin).map(\.address)
        if let adminPort { admin.append(.tcp(host: "127.0.0.1", port: adminPort)) }
        return service.map {
            ListenerConfiguration($0, role: .service, hasProxyHeaders: proxyProtocol, fileMode: mode)
        } + admin.map { ListenerConfiguration($0, role: .admin, fileMode: mode) }
    }

    private func variable(_ name: String) -> String? {
        // SAFETY: the environment is read on the first thread, before there are others.
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    private struct Inherited {
        let address: ListenAddress
        let isAdmin: Bool
    }

    /// The protocol of sd_listen_fds(3): descriptors from 3 on, for this process only.
    private func inheritedSockets(environment: [String: String?]) throws -> [Inherited] {
        guard let pid = environment["LISTEN_PID"] ?? nil, pid == String(getpid()),
            let text = environment["LISTEN_FDS"] ?? nil
        else { return [] }
        guard let count = Int(text), (0...32).contains(count) else {
            throw CommandFailure(.usage, "LISTEN_FDS is '\(text)'; wanted 0 to 32")
        }
        let names =
            (environment["LISTEN_FDNAMES"] ?? nil)?
            .split(separator: ":", omittingEmptySubsequences: false) ?? []
        return (0..<count).map { index in
            Inherited(
                address: .inherited(descriptor: Int32(3 + index)),
                isAdmin: names.indices.contains(index) && names[index] == "admin")
        }
    }
}
