package import HTTPMessages

/// Where to listen and with how much.
package struct ServerConfiguration: Sendable {
    /// An IPv4 or IPv6 address (IPv6 with or without brackets), or `localhost` for 127.0.0.1.
    package var host: String
    /// 0 lets the kernel choose; see ``HTTPServer/port``.
    package var port: Int
    /// Event loops, each with a thread of its own: 1 to 256. One per core is enough.
    package var loops: Int
    package var limits: Limits
    package var gzip = GzipSettings()

    package init(host: String = "127.0.0.1", port: Int = 8080, loops: Int = 1, limits: Limits = Limits()) {
        self.host = host
        self.port = port
        self.loops = loops
        self.limits = limits
    }
}
