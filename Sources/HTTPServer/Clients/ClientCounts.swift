import Synchronization

/// How many connections each client has open, over all loops.
///
/// Touched when a connection opens and when it closes, not for a request: one lock, held for one look-up (0.1 µs). Entries
/// that reach 0 are removed, so there are never more than connections. The hash is seeded per process: nobody can choose addresses that collide.
final class ClientCounts: Sendable {
    private let counts = Mutex<[ClientAddress: Int]>([:])

    /// Counts one more, unless `most` are open already.
    func add(_ client: ClientAddress, most: Int) -> Bool {
        let key = client.countedAs
        return counts.withLock { counts in
            let count = counts[key, default: 0]
            if count >= most { return false }
            counts[key] = count + 1
            return true
        }
    }

    func remove(_ client: ClientAddress) {
        let key = client.countedAs
        counts.withLock { counts in
            let count = counts[key, default: 0]
            precondition(count > 0, "BUG: a client that was not counted")
            counts[key] = count == 1 ? nil : count - 1
        }
    }

    /// Clients with at least one connection.
    var clientCount: Int { counts.withLock { $0.count } }
}
