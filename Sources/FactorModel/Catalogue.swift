/// What is known of each item apart from its factors: columns in item-row order.
package struct Catalogue: Equatable, Sendable {
    /// [I], 1 to 256 bytes each, no repeats.
    package var itemIDs: [String]
    /// [I], empty when unknown. As the menu spells it; never a guest's or a room's name.
    package var names: [String]
    /// [I], in the currency's smallest unit (KRW has none smaller than 1); nil when unknown, else not negative.
    package var prices: [Int64?]
    /// [I], the department that serves it; nil when unknown.
    package var departmentIDs: [String?]
    /// Hotels in row order, no repeats.
    package var hotelIDs: [String]
    /// [hotels], the items each hotel sells: item rows, ascending.
    package var hotelItems: [[UInt32]]

    package var itemCount: Int { itemIDs.count }

    package init(
        itemIDs: [String], names: [String], prices: [Int64?], departmentIDs: [String?], hotelIDs: [String],
        hotelItems: [[UInt32]]
    ) {
        self.itemIDs = itemIDs
        self.names = names
        self.prices = prices
        self.departmentIDs = departmentIDs
        self.hotelIDs = hotelIDs
        self.hotelItems = hotelItems
    }
}

/// Learned vectors, row-major.
package struct Factors: Equatable, Sendable {
    package let factorCount: Int
    /// X, [U × factorCount].
    package let userFactors: [Float]
    /// Y, [I × factorCount].
    package let itemFactors: [Float]

    package init(factorCount: Int, userFactors: [Float], itemFactors: [Float]) {
        precondition(factorCount > 0, "BUG: no factors")
        precondition(userFactors.count.isMultiple(of: factorCount), "BUG: ragged user factors")
        precondition(itemFactors.count.isMultiple(of: factorCount), "BUG: ragged item factors")
        self.factorCount = factorCount
        self.userFactors = userFactors
        self.itemFactors = itemFactors
    }

    package var userCount: Int { userFactors.count / factorCount }
    package var itemCount: Int { itemFactors.count / factorCount }
}

/// Everything a model file holds, in memory: what `train` and `import` hand to the writer.
package struct ModelContents: Equatable, Sendable {
    /// [U], 1 to 256 bytes each, no repeats.
    package var userIDs: [String]
    package var catalogue: Catalogue
    package var factors: Factors
    /// [U × I], each user's history.
    package var interactions: InteractionMatrix
    /// [I], how often each item was ordered; finite, not negative.
    package var itemPopularity: [Float]
    /// [hotels], how often each item was ordered in each hotel, at the places of `catalogue.hotelItems`; finite, not negative. nil
    /// when it is not known, and then popularity within a hotel is that over all of them.
    package var hotelPopularity: [[Float]]?
    /// What the factors were trained with; nil when it is not known, and then nothing can be folded in or explained.
    package var foldIn: FoldInParameters?

    package init(
        userIDs: [String], catalogue: Catalogue, factors: Factors, interactions: InteractionMatrix,
        itemPopularity: [Float], hotelPopularity: [[Float]]? = nil, foldIn: FoldInParameters? = nil
    ) {
        self.userIDs = userIDs
        self.catalogue = catalogue
        self.factors = factors
        self.interactions = interactions
        self.itemPopularity = itemPopularity
        self.hotelPopularity = hotelPopularity
        self.foldIn = foldIn
    }
}
