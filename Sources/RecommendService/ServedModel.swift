package import FactorModel
import PrometheusText
import Synchronization

/// One loaded version and everything an answer needs to say about it. Immutable but for its counters.
package final class ServedModel: Sendable {
    package let name: String
    package let version: Int
    /// The alias that was followed to this version, or empty.
    package let alias: String
    package let snapshot: ModelSnapshot
    /// `manifest.json` as it lies in the registry.
    let manifest: [UInt8]
    /// Seconds since 1970.
    let createdAt: Double
    let loadedAt: Double
    let loadSeconds: Double
    let metrics: ModelMetrics

    package init(
        name: String, version: Int, alias: String, snapshot: ModelSnapshot, manifest: [UInt8], createdAt: Double,
        loadedAt: Double, loadSeconds: Double, loops: Int
    ) {
        self.name = name
        self.version = version
        self.alias = alias
        self.snapshot = snapshot
        self.manifest = manifest
        self.createdAt = createdAt
        self.loadedAt = loadedAt
        self.loadSeconds = loadSeconds
        metrics = ModelMetrics(version: version, itemCount: snapshot.itemCount, loops: loops)
    }
}

/// Holds the model that answers, for all loops.
///
/// A loop keeps its own reference and asks only whether the generation moved: one atomic load a request instead of a
/// lock. It may see a new model one request late, never half of one.
package final class ModelSlot: Sendable {
    private let current: Mutex<ServedModel?>
    private let generation = Atomic<Int>(0)

    package init(_ first: ServedModel? = nil) { current = Mutex(first) }

    package func publish(_ next: ServedModel) {
        var retired: ServedModel? = next
        current.withLock { swap(&$0, &retired) }
        // Releasing: whoever sees the new generation then takes the lock, which orders the rest.
        generation.add(1, ordering: .releasing)
        _ = consume retired  // Possibly the last reference: unmapped here, outside the lock.
    }

    /// How often a model was published here: the loads that succeeded.
    package var publishCount: Int { generation.load(ordering: .relaxed) }

    /// The model now, for those who ask rarely.
    package var model: ServedModel? { current.withLock { $0 } }

    /// One loop's view of the slot.
    struct Reader {
        private let slot: ModelSlot
        private var seen = -1
        private var held: ServedModel?

        init(_ slot: ModelSlot) { self.slot = slot }

        /// Take it once per request: a second read may see another generation.
        mutating func model() -> ServedModel? {
            let now = slot.generation.load(ordering: .acquiring)
            if now != seen {
                held = slot.model
                seen = now
            }
            return held
        }
    }
}
