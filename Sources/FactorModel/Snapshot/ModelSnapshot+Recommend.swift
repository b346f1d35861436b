import VectorKernels

extension ModelSnapshot {
    /// Ranks the items for a user, by the first of these that can be had:
    ///
    /// 1. with a basket, x·yᵢ with x folded in from the user's history and the basket: ``Strategy/foldIn``;
    /// 2. xᵤ·yᵢ: ``Strategy/als``, with ``FallbackReason/noFactors`` when there was a basket that could not be folded in;
    /// 3. how often the items were ordered, in the filter's hotels when the model knows it: ``Strategy/popular``, with
    ///    ``FallbackReason/unknownUser`` when neither a known user nor a basket was given, else ``FallbackReason/noFactors``.
    ///
    /// Filters act before the ranking: `k` items come back whenever `k` pass them. Equal scores go by item row, the lower
    /// first.
    ///
    /// - Complexity: O(items that pass · factorCount) at the speed of memory; O(k) for popularity without a filter.
    package func recommend(_ query: RecommendationQuery, scratch: RecommendationScratch) -> RecommendationOutcome {
        let plan = plan(query, scratch)
        switch plan.strategy {
        case .als, .foldIn:
            if scratch.begin(query, itemCount: itemCount) { rank(query, by: plan, scratch) }
        case .popular, .similar: rankByPopularity(query, scratch)
        }
        return plan
    }

    /// Ranks the items by how often they were ordered, within the filters; equal ones by item row.
    ///
    /// With hotels in the filter it is how often they were ordered there, all of them together, when the model holds that.
    package func popular(_ query: RecommendationQuery, scratch: RecommendationScratch) -> RecommendationOutcome {
        scratch.setSubject(.none)
        rankByPopularity(query, scratch)
        return RecommendationOutcome(strategy: .popular)
    }

    /// Decides how the query will be answered. After it the scratch knows the subject, and has the vector of a fold-in.
    func plan(_ query: RecommendationQuery, _ scratch: RecommendationScratch) -> RecommendationOutcome {
        let identity = ObjectIdentifier(self)
        scratch.setSubject(.vector(user: query.user, basket: query.basket, of: identity))
        if !query.basket.isEmpty, foldIn(query.user, query.basket, scratch) {
            return RecommendationOutcome(strategy: .foldIn)
        }
        if let user = query.user, hasFactors(user) {
            scratch.setSubject(.vector(user: user, basket: [], of: identity))
            return RecommendationOutcome(strategy: .als, fallbackReason: query.basket.isEmpty ? nil : .noFactors)
        }
        scratch.setSubject(.none)
        let isUnknown = query.user == nil && query.basket.isEmpty
        return RecommendationOutcome(strategy: .popular, fallbackReason: isUnknown ? .unknownUser : .noFactors)
    }

    /// Ranks by the vector of a plan by vector.
    func rank(_ query: RecommendationQuery, by plan: RecommendationOutcome, _ scratch: RecommendationScratch) {
        withVector(of: query, plan, scratch) { vector in
            if rankByCodes(vector, query, scratch) { return }
            withExcluded(query, scratch) { rank(by: vector, query, without: $0, scratch) }
        }
    }

    /// Lends the vector that a plan by vector ranks with.
    func withVector<R>(
        of query: RecommendationQuery, _ plan: RecommendationOutcome, _ scratch: RecommendationScratch,
        _ body: (Span<Float>) -> R
    ) -> R {
        if plan.strategy == .als, let user = query.user { return withUserFactors(user, body) }
        let vector = scratch.vector
        return body(vector.span)
    }

    /// Whether a user's vector is not all zeros.
    func hasFactors(_ user: UserIndex) -> Bool {
        withUserFactors(user) { factors in factors.indices.contains { factors[$0] != 0 } }
    }

    // MARK: Given pairs

    /// The scores of chosen items for a user: for each the very bits that ``recommend(_:scratch:)`` ranks by.
    ///
    /// - Parameters:
    ///   - items: nil for an item that the model does not know.
    ///   - scores: replaced; one for each of `items`, nil for nil. All nil when the user's vector is all zeros: there is nothing
    ///     to score with then.
    package func scores(of user: UserIndex, items: [ItemIndex?], into scores: inout [Float?]) {
        scores.removeAll(keepingCapacity: true)
        guard hasFactors(user) else {
            scores.append(contentsOf: repeatElement(nil, count: items.count))
            return
        }
        for item in items { scores.append(item.map { score(user, $0) }) }
    }

    private func score(_ user: UserIndex, _ item: ItemIndex) -> Float {
        withUserFactors(user) { vector in
            withItemFactors { dot(vector, $0.extracting(item.row * factorCount..<(item.row + 1) * factorCount)) }
        }
    }
}
