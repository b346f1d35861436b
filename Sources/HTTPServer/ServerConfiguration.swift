package import HTTPMessages

/// Where to listen and with how much.
package struct ServerConfiguration: Sendable {
    /// At least one and at most 64, in the order in which ``HTTPServer/boundAddresses`` gives them.
    package var listeners: [ListenerConfiguration]
    /// Event loops, each with a thread of its own: 1 to 256. One per core is enough.
    package var loops: Int
    package var limits: Limits
    package var gzip = GzipSettings()
    /// Peers whose word about the client is taken: `X-Forwarded-For`, and the PROXY header where the listener has it.
    package var trustedProxies: [AddressRange] = []
    /// Peers whose connections ``Limits/connectionsPerClientMax`` does not count, besides the trusted proxies. What this
    /// machine itself sends is not an attack from outside, and what a proxy on it sends is many clients.
    package var uncountedClients: [AddressRange] = AddressRange.loopback

    package init(listeners: [ListenerConfiguration], loops: Int = 1, limits: Limits = Limits()) {
        self.listeners = listeners
        self.loops = loops
        self.limits = limits
    }

    package init(host: String = "127.0.0.1", port: Int = 8080, loops: Int = 1, limits: Limits = Limits()) {
        self.init(listeners: [ListenerConfiguration(.tcp(host: host, port: port))], loops: loops, limits: limits)
    }
}
