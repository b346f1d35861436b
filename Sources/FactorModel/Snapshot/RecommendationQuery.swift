/// What to recommend to whom, within which filters.
package struct RecommendationQuery: Equatable, Sendable {
    /// nil for a user that the model does not know.
    package var user: UserIndex?
    /// Items wanted; fewer come back only when fewer exist.
    package var k: Int
    /// Ranks to skip before the first one returned.
    package var offset: Int
    /// Only items that one of these hotels sells. nil for every item; empty for a filter that matches nothing.
    package var hotels: [HotelIndex]?
    /// Leave out what the user already ordered. Guests re-order, so the caller has to ask for it.
    package var excludeSeen: Bool

    package init(user: UserIndex?, k: Int, offset: Int = 0, hotels: [HotelIndex]? = nil, excludeSeen: Bool = false) {
        self.user = user
        self.k = k
        self.offset = offset
        self.hotels = hotels
        self.excludeSeen = excludeSeen
    }
}

/// How an answer was made.
package enum Strategy: String, Sendable, CaseIterable {
    case als
    case foldIn = "fold_in"
    case popular
    case similar
}

/// Why an answer was not made from the user's own factors.
package enum FallbackReason: String, Sendable, CaseIterable {
    case unknownUser = "unknown_user"
    /// The user is known but has no vector: nothing of theirs was trained on.
    case noFactors = "no_factors"
    case tooFewItems = "too_few_items"
}

/// What was done; the items are in the scratch.
package struct RecommendationOutcome: Equatable, Sendable {
    package let strategy: Strategy
    package let fallbackReason: FallbackReason?

    package init(strategy: Strategy, fallbackReason: FallbackReason? = nil) {
        self.strategy = strategy
        self.fallbackReason = fallbackReason
    }
}
