import Dispatch
import FoundationEssentials
package import ModelRegistry
import Synchronization

/// A version that computes beside the live one on a sample of the traffic and never answers.
package struct ShadowDeclaration: Sendable, Equatable {
    package let selector: VersionPolicy
    /// Of the requests to `/recommend`; bulk requests are not sampled.
    package let share: BasisPoints

    package init(selector: VersionPolicy, share: BasisPoints) {
        self.selector = selector
        self.share = share
    }
}

/// A request that the live version has answered, to be answered again.
struct ShadowJob: Sendable {
    /// The query of a GET or the body of a POST, as it came.
    var text: [UInt8]
    var isBody: Bool
    var live: RankedIDs
    /// What the live version's ranking took.
    var seconds: Double
}

/// The best of an answer, known by ids: rows mean nothing to another version.
struct RankedIDs: Sendable {
    var ids: [[UInt8]] = []
    var scores: [Float] = []
    /// Whether the scores are inner products, so that those of two versions compare.
    var isByVector = false
}

/// The requests of one model that wait for its shadow.
///
/// A loop copies a sampled request and the ids of its answer, and goes on. When the shadow is slower than its sample, requests are dropped
/// and counted: it never holds a loop up and never holds more than ``queueMax`` requests.
final class Shadow: Sendable {
    static let queueMax = 256
    /// Longer requests are not sampled.
    static let requestBytesMax = 16 * 1024
    /// Ranks that are compared.
    static let depth = 10

    let declaration: ShadowDeclaration
    let metrics: ShadowMetrics
    private let queue = Mutex<[ShadowJob]>([])
    private let arrived = DispatchSemaphore(value: 0)

    init(model: String, _ declaration: ShadowDeclaration) {
        self.declaration = declaration
        metrics = ShadowMetrics(model: model)
    }

    /// Takes a request over, unless too many wait.
    func submit(_ job: ShadowJob) {
        // A lock that somebody holds is not worth waiting for.
        let isTaken = queue.withLockIfAvailable { queue in
            if queue.count >= Self.queueMax { return false }
            queue.append(job)
            return true
        }
        if isTaken == true {
            arrived.signal()
        } else {
            metrics.countDropped()
        }
    }

    /// The oldest request that waits; waits for one when there is none.
    func next() -> ShadowJob {
        while true {
            if let job = nextIfAny() { return job }
            arrived.wait()
        }
    }

    func nextIfAny() -> ShadowJob? { queue.withLock { $0.isEmpty ? nil : $0.removeFirst() } }
}

/// Takes every n-th request of one model on one loop, evenly, from a place by chance: no request is more likely than another, and the share
/// is met to one request.
struct ShadowSampler {
    private var accumulated = Int.random(in: 0..<BasisPoints.all.value)

    mutating func takes(_ share: BasisPoints) -> Bool {
        accumulated += share.value
        guard accumulated >= BasisPoints.all.value else { return false }
        accumulated -= BasisPoints.all.value
        return true
    }
}
