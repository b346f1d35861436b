extension ModelSnapshot {
    /// Answers many queries, each with the very bits that ``recommend(_:scratch:)`` gives.
    ///
    /// - Parameter each: called once for each query, in their order, with its number, the outcome, and the scratch that holds its
    ///   items until the call returns; it may be explained.
    package func recommend(
        many queries: [RecommendationQuery], scratch: BulkScratch,
        each: (Int, RecommendationOutcome, RecommendationScratch) -> Void
    ) {
        scratch.reserve(1)
        for (number, query) in queries.enumerated() {
            each(number, recommend(query, scratch: scratch.answers[0]), scratch.answers[0])
        }
    }
}
