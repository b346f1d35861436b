import VectorKernels

/// Working memory for bulk recommendations: one per thread, reused. It holds the answers of one window of queries.
package final class BulkScratch {
    /// Queries that are planned together: those among them with the same filter share a pass over the items.
    package static let windowCount = 128
    /// Fewer users than this with the same filter are ranked one by one: turning the items would cost more than it saves.
    static let tileUserCountMin = 4

    /// The answers of a window, and how each was made.
    private(set) var answers: [RecommendationScratch] = []
    var outcomes: [RecommendationOutcome] = []
    /// Places in the window that wait for a scan.
    var waiting: [Int] = []
    /// Those of them that share one.
    var members: [Int] = []
    let tile = ScoreTile()
    private let shared = SharedScratch()

    package init() {}

    func reserve(_ count: Int) {
        while answers.count < count { answers.append(RecommendationScratch(sharing: shared)) }
    }
}
