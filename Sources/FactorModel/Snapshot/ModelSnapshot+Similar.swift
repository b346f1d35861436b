import VectorKernels

extension ModelSnapshot {
    /// Ranks the items by the cosine of their vector with an item's, within the filters. The item itself is left out, and so is
    /// every item whose vector is all zeros: it has no direction.
    ///
    /// The query's user counts for `excludeSeen` only. Equal cosines go by item row.
    ///
    /// - Returns: ``Strategy/similar``; with ``FallbackReason/noFactors`` and nothing when the item's own vector is all zeros; with
    ///   ``FallbackReason/tooFewItems`` when fewer than `k` come back although more pass the filters.
    /// - Complexity: a scan of the items that pass. The first call of a snapshot also computes all lengths: ``prepare(codes:)``.
    package func similar(
        to item: ItemIndex, _ query: RecommendationQuery, scratch: RecommendationScratch
    ) -> RecommendationOutcome {
        scratch.setSubject(.none)
        let norms = itemNorms()
        let norm = norms[item.row]
        guard norm > 0 else {
            var nothing = query
            nothing.k = 0
            _ = scratch.begin(nothing, itemCount: itemCount)
            return RecommendationOutcome(strategy: .similar, fallbackReason: .noFactors)
        }
        guard scratch.begin(query, itemCount: itemCount) else { return RecommendationOutcome(strategy: .similar) }
        var isShort = false
        withExcluded(query, also: item, scratch) { excluded in
            rank(byCosineWith: item, norm, norms, query, without: excluded, scratch)
            if scratch.best.count < scratch.wanted {
                isShort = scratch.best.count < passingCount(query, without: excluded, scratch)
            }
        }
        return RecommendationOutcome(strategy: .similar, fallbackReason: isShort ? .tooFewItems : nil)
    }

    private func rank(
        byCosineWith item: ItemIndex, _ norm: Float, _ norms: Column<Float>, _ query: RecommendationQuery,
        without excluded: Span<UInt32>, _ scratch: RecommendationScratch
    ) {
        withItemFactors { matrix in
            // Scaled first: the product of two tiny vectors would be lost below the smallest float32.
            scratch.vector.removeAll(keepingCapacity: true)
            for factor in 0..<factorCount { scratch.vector.append(matrix[item.row * factorCount + factor] / norm) }
            let unit = scratch.vector
            rank(
                query, without: excluded, scratch,
                scoreRange: { first, scores in
                    scoreRows(unit.span, matrix, firstRow: first, into: &scores)
                    for place in 0..<scores.count { scores[place] = cosine(scores[place], norms[first + place]) }
                },
                scoreList: { rows, scores in
                    scoreRows(unit.span, matrix, rows: rows, into: &scores)
                    for place in rows.indices { scores[place] = cosine(scores[place], norms[Int(rows[place])]) }
                })
        }
    }
}

/// A dot product with a vector of length 1, over the other's length; NaN, which is never kept, for a vector of zeros. Rounding may
/// carry it a little past 1: taken back.
private func cosine(_ dot: Float, _ norm: Float) -> Float {
    let cosine = dot / norm
    return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine
}
