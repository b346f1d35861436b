/// Working memory for bulk recommendations: one per thread, reused.
package final class BulkScratch {
    /// Queries that are answered in one pass over the items.
    package static let windowCount = 64

    /// The answers of a window.
    var answers: [RecommendationScratch] = []

    package init() {}

    func reserve(_ count: Int) {
        while answers.count < count { answers.append(RecommendationScratch()) }
    }
}
