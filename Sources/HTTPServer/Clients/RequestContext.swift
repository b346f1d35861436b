/// Where a request came from.
package struct RequestContext: Sendable {
    /// What the listener is for.
    package let role: ListenerRole
    /// Who asked: the peer of the connection, or whom a trusted proxy named in its PROXY header or in `X-Forwarded-For`.
    package let client: ClientAddress
    /// Whether it came over TLS that this server ended.
    package let isEncrypted: Bool

    package init(role: ListenerRole = .service, client: ClientAddress = .unixSocket, isEncrypted: Bool = false) {
        self.role = role
        self.client = client
        self.isEncrypted = isEncrypted
    }
}

/// What is known about a connection when it is accepted.
struct Origin: Sendable {
    var role: ListenerRole
    /// The peer, until a PROXY header names another.
    var client: ClientAddress
    /// Whether the peer is a proxy that is believed.
    var isTrustedProxy = false
    /// Whether a PROXY header is still to come.
    var awaitsProxyHeader = false
    /// Whether the connection stands in the count of its client.
    var isCounted = false
    var isEncrypted = false

    var context: RequestContext { RequestContext(role: role, client: client, isEncrypted: isEncrypted) }
}
