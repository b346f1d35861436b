/// Where a request came from.
package struct RequestContext: Sendable {
    /// What the listener is for.
    package let role: ListenerRole
    /// Who asked: the peer of the connection, or whom a trusted proxy named in its PROXY header or in `X-Forwarded-For`.
    package let client: ClientAddress

    package init(role: ListenerRole = .service, client: ClientAddress = .unixSocket) {
        self.role = role
        self.client = client
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

    var context: RequestContext { RequestContext(role: role, client: client) }
}
