extension ModelSnapshot {
    /// Whether the model says what it was trained with, so that a basket can be folded in and a score explained.
    package var hasFoldIn: Bool { columns.foldIn != nil }

    /// What the model was trained with.
    package var foldInParameters: FoldInParameters? { columns.foldIn }

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
        gather(user, basket, scratch)
        return withItemFactors { matrix in
            scratch.solver.solve(itemGram(), matrix, parameters, into: &scratch.vector)
        }
    }

    /// Tells the solver the different items of a history and a basket, ascending, with their strengths.
    func gather(_ user: UserIndex?, _ basket: [BasketItem], _ scratch: RecommendationScratch) {
        let solver = scratch.solver
        scratch.marks.reserve(itemCount)
        if let user { withHistory(user) { items, _ in scratch.marks.insert(items) } }
        for entry in basket {
            precondition(entry.item.row >= 0 && entry.item.row < itemCount, "BUG: no such item")
            scratch.marks.insert(UInt32(entry.item.row))
        }
        scratch.marks.drain(into: &solver.rows)
        solver.clearStrengths()
        if let user {
            withHistory(user) { items, strengths in
                for place in items.indices { solver.add(strengths[place], to: items[place]) }
            }
        }
        for entry in basket { solver.add(entry.count, to: UInt32(entry.item.row)) }
    }

    // MARK: Explain

    /// What each item of the history and the basket gave to the score of an item, for the vector that made the scratch's last
    /// answer: c·yᵢᵀ A⁻¹ yⱼ for item j (Hu, Koren and Volinsky, section 5).
    ///
    /// The sum is yᵢᵀ A⁻¹ b, which is the score, as closely as the vector solves its equations: docs/engine.md has the figures.
    ///
    /// - Returns: the greatest contribution first, equal ones by item row. Empty when the answer was not made by a vector, when
    ///   the model does not say what it was trained with, or when its equations have no single solution.
    /// - Complexity: the first item of an answer by a stored vector costs a fold-in; each item O(factorCount² + items · factorCount).
    package func explain(item: ItemIndex, scratch: RecommendationScratch) -> [Contribution] {
        guard let parameters = columns.foldIn else { return [] }
        switch scratch.subject {
        case .none: return []
        case .user(let user, let snapshot):
            precondition(snapshot == ObjectIdentifier(self), "BUG: explained by another snapshot")
            gather(user, [], scratch)
            let isSolved = withItemFactors { matrix in
                scratch.solver.solve(itemGram(), matrix, parameters, into: &scratch.vector)
            }
            guard isSolved else { return [] }
            scratch.subject = .solved(of: snapshot)
        case .solved(let snapshot):
            precondition(snapshot == ObjectIdentifier(self), "BUG: explained by another snapshot")
        }
        return withItemFactors { matrix in
            scratch.solver.contributions(to: item, matrix)
                .sorted { a, b in
                    a.contribution > b.contribution || (a.contribution == b.contribution && a.item < b.item)
                }
        }
    }
}
