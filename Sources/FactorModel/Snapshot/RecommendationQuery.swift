/// What to recommend to whom, within which filters.
package struct RecommendationQuery: Equatable, Sendable {
    /// nil for a user that the model does not know.
    package var user: UserIndex?
    /// Items wanted; fewer come back only when fewer exist.
    package var k: Int
    /// Ranks to skip before the first one returned.
    package var offset: Int
    /// Which items may come back.
    package var filter: ItemFilter
    /// Leave out what the user already ordered, whatever the strategy. Guests re-order, so the caller has to ask for it. What is
    /// only in the basket was not ordered yet: deny it to leave it out.
    package var excludeSeen: Bool
    /// What the guest is about to order, folded into the ranking. Items may repeat: their counts are added up.
    package var basket: [BasketItem]

    package init(
        user: UserIndex?, k: Int, offset: Int = 0, filter: ItemFilter, excludeSeen: Bool = false,
        basket: [BasketItem] = []
    ) {
        self.user = user
        self.k = k
        self.offset = offset
        self.filter = filter
        self.excludeSeen = excludeSeen
        self.basket = basket
    }

    package init(user: UserIndex?, k: Int, offset: Int = 0, hotels: [HotelIndex]? = nil, excludeSeen: Bool = false) {
        self.init(user: user, k: k, offset: offset, filter: ItemFilter(hotels: hotels), excludeSeen: excludeSeen)
    }

    /// The hotels of the filter.
    package var hotels: [HotelIndex]? {
        get { filter.hotels }
        set { filter.hotels = newValue }
    }
}

/// An item of a basket.
package struct BasketItem: Equatable, Sendable {
    package let item: ItemIndex
    /// How many of it: the strength of the interaction. Positive and finite.
    package let count: Float

    package init(item: ItemIndex, count: Float) {
        precondition(count > 0 && count.isFinite, "BUG: a basket count of \(count)")
        self.item = item
        self.count = count
    }
}

/// How an answer was made.
package enum Strategy: String, Sendable, CaseIterable {
    /// By the user's own vector.
    case als
    /// By a vector solved for this request, from the basket and, when the user is known, their history.
    case foldIn = "fold_in"
    case popular
    case similar
}

/// Why an answer is not all that was asked for.
package enum FallbackReason: String, Sendable, CaseIterable {
    case unknownUser = "unknown_user"
    /// There is no vector to rank by: the user's is all zeros, the basket's items have none, or the model does not say what it was
    /// trained with, so nothing can be folded in. With the strategy `als`: the ranking is the user's own, without the basket. With
    /// `similar`: the item has no vector.
    case noFactors = "no_factors"
    /// Fewer similar items than wanted, though more pass the filters: the others have no vector.
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

/// What one item of a history or basket gave to a score.
package struct Contribution: Equatable, Sendable {
    package let item: ItemIndex
    /// In the unit of the score; negative when it speaks against the recommended item.
    package let contribution: Float

    package init(item: ItemIndex, contribution: Float) {
        self.item = item
        self.contribution = contribution
    }
}
