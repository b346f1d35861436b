import Synchronization

/// How many connections each client has open, and what memory their unfinished requests hold, over all loops.
///
/// Touched when a connection opens and when it closes, and when the memory that a request holds changes, not for a request that comes in one
/// read: one lock, held for one look-up (0.1 µs). Entries without connections are removed, so there are never more than
/// connections. The hash is seeded per process: nobody can choose addresses that collide.
final class ClientCounts: Sendable {
    private struct Counts {
        var connections = 0
        var bufferedBytes = 0
    }

    private let counts = Mutex<[ClientAddress: Counts]>([:])

    /// Counts one connection more, unless `most` are open already.
    func add(_ client: ClientAddress, most: Int) -> Bool {
        let key = client.countedAs
        return counts.withLock { counts in
            if counts[key, default: Counts()].connections >= most { return false }
            counts[key, default: Counts()].connections += 1
            return true
        }
    }

    /// Counts a connection no more. What its requests held has been given back before.
    func remove(_ client: ClientAddress) {
        let key = client.countedAs
        counts.withLock { counts in
            var count = counts[key, default: Counts()]
            precondition(count.connections > 0, "BUG: a client that was not counted")
            count.connections -= 1
            precondition(count.connections > 0 || count.bufferedBytes == 0, "BUG: bytes of no connection")
            counts[key] = count.connections == 0 ? nil : count
        }
    }

    /// Counts `more` bytes (or fewer, when negative) for a client that has a counted connection. Returns how many it holds.
    func addBuffered(_ more: Int, of client: ClientAddress) -> Int {
        let key = client.countedAs
        return counts.withLock { counts in
            counts[key, default: Counts()].bufferedBytes += more
            return counts[key, default: Counts()].bufferedBytes
        }
    }

    /// Clients with at least one connection.
    var clientCount: Int { counts.withLock { $0.count } }
}
