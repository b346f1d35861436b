/// What a prune did, and why it left the rest.
package struct PruneReport: Equatable, Sendable {
    /// Versions that are gone, ascending.
    package var removed: [Int] = []
    /// Versions that stay, ascending.
    package var kept: [Kept] = []

    package struct Kept: Equatable, Sendable {
        package let version: Int
        package let reasons: [KeepReason]

        package init(version: Int, reasons: [KeepReason]) {
            self.version = version
            self.reasons = reasons
        }
    }
}

/// Why a prune keeps a version.
package enum KeepReason: Equatable, Sendable, CustomStringConvertible {
    /// One of the newest so many that are complete.
    case newest
    case alias(String)
    /// A rollback of this alias returns to it, and so does a server that refuses what the alias names.
    case rollback(String)
    /// A process holds a ``ServingLease``.
    case inUse
    /// It came less than the grace ago: somebody may be about to load it.
    case young
    /// It is incomplete and changed within the last day: somebody may be copying it.
    case incomplete
    /// Whether a process uses it cannot be told: errno of the lock.
    case unknownUse(code: Int32)

    package var description: String {
        switch self {
        case .newest: "one of the newest"
        case .alias(let alias): "named by \(alias)"
        case .rollback(let alias): "a rollback of \(alias) returns to it"
        case .inUse: "in use by a running process"
        case .young: "too young"
        case .incomplete: "incomplete, perhaps being copied"
        case .unknownUse: "in use or not: the file system has no locks to tell"
        }
    }
}
