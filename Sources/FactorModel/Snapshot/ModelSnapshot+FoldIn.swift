extension ModelSnapshot {
    /// Whether the model says what it was trained with, so that a basket can be folded in and a score explained.
    package var hasFoldIn: Bool { columns.foldIn != nil }

    /// Solves the vector of a basket and, when the user is known, their history, into `scratch.vector`.
    ///
    /// x = A⁻¹ b with A = YᵀY + λI + Σ (c - 1)·y·yᵀ and b = Σ c·y over the different items (Hu, Koren and Volinsky, section 4).
    /// Strengths of an item that is in both, or in the basket twice, are added up.
    ///
    /// - Returns: false when the model does not say what it was trained with, when the equations have no single solution
    ///   in double, or when the solution is zero or no float32.
    /// - Complexity: O(items · factorCount² + factorCount³).
    func foldIn(_ user: UserIndex?, _ basket: [BasketItem], _ scratch: RecommendationScratch) -> Bool {
        guard let parameters = columns.foldIn else { return false }
        let solver = scratch.shared.solver
        solver.key = nil
        gather(user, basket, scratch)
        let isSolved = withItemFactors { solver.solve(itemGram(), $0, parameters, into: &scratch.vector) }
        if isSolved { solver.key = scratch.equationsKey }
        return isSolved
    }

    /// Tells the solver the different items of a history and a basket, ascending, with their strengths.
    private func gather(_ user: UserIndex?, _ basket: [BasketItem], _ scratch: RecommendationScratch) {
        let solver = scratch.shared.solver
        scratch.shared.marks.reserve(itemCount)
        if let user { withHistory(user) { items, _ in scratch.shared.marks.insert(items) } }
        for entry in basket { scratch.shared.marks.insert(checkedRow(entry.item)) }
        scratch.shared.marks.drain(into: &solver.rows)
        solver.clearStrengths()
        if let user {
            withHistory(user) { items, strengths in
                for place in items.indices { solver.add(strengths[place], to: items[place]) }
            }
        }
        for entry in basket { solver.add(entry.count, to: UInt32(entry.item.row)) }
    }

    // MARK: Explain

    /// Whether ``explain(item:scratch:)`` has what made the scratch's last answer: an answer that no vector made it explains by nothing,
    /// one by a vector only when the history and the basket have a single solution. An imported vector may have no history at all.
    ///
    /// - Complexity: a fold-in, unless one made the answer; what is solved here is not solved again to explain.
    package func canExplain(scratch: RecommendationScratch) -> Bool {
        guard case .vector(let user, let basket, let snapshot) = scratch.subject else { return true }
        precondition(snapshot == ObjectIdentifier(self), "BUG: explained by another snapshot")
        return scratch.shared.solver.key == scratch.equationsKey || foldIn(user, basket, scratch)
    }

    /// The same before the query is answered.
    package func canExplain(_ query: RecommendationQuery, scratch: RecommendationScratch) -> Bool {
        _ = plan(query, scratch)
        return canExplain(scratch: scratch)
    }

    /// What each item of the history and the basket gave to the score of an item, for the vector that made the scratch's last
    /// answer: c·yᵢᵀ A⁻¹ yⱼ for item j (Hu, Koren and Volinsky, section 5).
    ///
    /// The sum is yᵢᵀ A⁻¹ b, which is the score, as closely as the vector solves its equations: docs/engine.md has the figures.
    ///
    /// - Returns: the greatest contribution first, equal ones by item row. Empty when the answer was not made by a vector, when
    ///   the model does not say what it was trained with, or when its equations have no single solution.
    /// - Complexity: the first item of an answer costs a fold-in, unless one made it; each item O(factorCount² + items · factorCount).
    package func explain(item: ItemIndex, scratch: RecommendationScratch) -> [Contribution] {
        guard case .vector = scratch.subject, canExplain(scratch: scratch) else { return [] }
        return withItemFactors { scratch.shared.solver.contributions(to: item, $0) }
            .sorted { a, b in
                a.contribution > b.contribution || (a.contribution == b.contribution && a.item < b.item)
            }
    }
}
