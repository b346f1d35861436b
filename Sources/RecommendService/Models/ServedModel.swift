package import FactorModel
package import ModelRegistry
import PrometheusText
import Synchronization

/// One loaded version and everything an answer needs to say about it. Immutable but for its counters.
package final class ServedModel: Sendable {
    package let name: String
    package let version: Int
    package let snapshot: ModelSnapshot
    /// `manifest.json` as it lies in the registry.
    let manifest: [UInt8]
    /// Seconds since 1970.
    let createdAt: Double
    let loadedAt: Double
    let loadSeconds: Double
    let metrics: ModelMetrics
    /// What is not to be had at the moment.
    let unavailable: UnavailableSlot
    package let unavailableTarget: UnavailableTarget
    let recentUsers: RecentUsers
    /// The users of its golden queries.
    let goldenUsers: [UserIndex]
    /// What keeps a prune off the version for as long as it is loaded; nothing where the registry cannot be written to.
    private let lease: (any Sendable)?
    private let texts = WrittenItemsSlot()
    /// What the version was published with, until ``prepare()`` has used it: a file that is held open for it is closed then.
    private let codes: Mutex<VersionCodes?>

    /// - Parameter codes: for ``prepare()``; nil to have it make them, or when the snapshot has been prepared.
    package init(
        name: String, version: Int, snapshot: ModelSnapshot, manifest: [UInt8], createdAt: Double, loadedAt: Double,
        loadSeconds: Double, loops: Int, lease: (any Sendable)? = nil,
        goldenUsers: [UserIndex] = [], codes: VersionCodes? = nil
    ) {
        self.name = name
        self.version = version
        self.snapshot = snapshot
        self.manifest = manifest
        self.createdAt = createdAt
        self.loadedAt = loadedAt
        self.loadSeconds = loadSeconds
        self.lease = lease
        self.goldenUsers = goldenUsers
        self.codes = Mutex(codes)
        unavailable = UnavailableSlot()
        unavailableTarget = UnavailableTarget(unavailable, snapshot)
        recentUsers = RecentUsers(loops: loops)
        metrics = ModelMetrics(model: name, version: version, itemCount: snapshot.itemCount, loops: loops)
    }

    /// The texts of the items, once ``prepare()`` has written them; nil for a large catalogue.
    package var writtenItems: WrittenItems? { texts.items }

    /// Makes ahead what answers are quicker with, and the same without. Call it once the version serves, on a thread that answers no
    /// requests.
    ///
    /// - Returns: why the codes that the version was published with are not used; nil when they are, or when it has none.
    @discardableResult
    package func prepare() -> RegistryError? {
        // Held to the end: who comes second waits, instead of making what the first is about to find in a file.
        codes.withLock { codes in
            let problem = codes?.prepare(snapshot)
            codes = nil
            // Without a file; otherwise everything is there already.
            snapshot.prepare()
            texts.fill(snapshot)
            return problem
        }
    }
}
