import VectorKernels

extension ModelSnapshot {
    /// Ranks the items for a user by xᵤ·yᵢ, or by popularity when there is no xᵤ.
    ///
    /// Filters act before the ranking: `k` items come back whenever `k` pass them. Equal scores go by item row, the lower
    /// first. A user that is not known, or whose vector is all zeros, gets what is popular within the same filters, and the
    /// outcome says why.
    ///
    /// - Complexity: O(items that pass · factorCount) at the speed of memory; O(k) for popularity without a filter.
    package func recommend(_ query: RecommendationQuery, scratch: RecommendationScratch) -> RecommendationOutcome {
        guard let user = query.user else {
            rankByPopularity(query, scratch)
            return RecommendationOutcome(strategy: .popular, fallbackReason: .unknownUser)
        }
        guard withUserFactors(user, { factors in factors.indices.contains { factors[$0] != 0 } }) else {
            rankByPopularity(query, scratch)
            return RecommendationOutcome(strategy: .popular, fallbackReason: .noFactors)
        }
        rankByFactors(user, query, scratch)
        return RecommendationOutcome(strategy: .als)
    }

    /// Ranks the items by how often they were ordered, within the filters; equal ones by item row.
    package func popular(_ query: RecommendationQuery, scratch: RecommendationScratch) -> RecommendationOutcome {
        rankByPopularity(query, scratch)
        return RecommendationOutcome(strategy: .popular)
    }

    // MARK: By factors

    private func rankByFactors(_ user: UserIndex, _ query: RecommendationQuery, _ scratch: RecommendationScratch) {
        scratch.begin(query)
        if let hotels = query.hotels { collectItems(of: hotels, into: &scratch.rows) }
        withSeen(query) { seen in
            withUserFactors(user) { factors in
                withItemFactors { matrix in
                    if query.hotels == nil {
                        offerAll(factors, matrix, without: seen, scratch)
                    } else {
                        offerChosen(factors, matrix, without: seen, scratch)
                    }
                }
            }
        }
        scratch.best.sortBestFirst()
    }

    private func offerAll(
        _ factors: Span<Float>, _ matrix: Span<Float>, without seen: Span<UInt32>, _ scratch: RecommendationScratch
    ) {
        var nextSeen = 0
        for first in stride(from: 0, to: itemCount, by: RecommendationScratch.blockRows) {
            let count = min(RecommendationScratch.blockRows, itemCount - first)
            scratch.withScores(count) { scoreRows(factors, matrix, firstRow: first, into: &$0) }
            while nextSeen < seen.count, Int(seen[nextSeen]) < first + count {
                scratch.scores[Int(seen[nextSeen]) - first] = .nan  // TopK never keeps a NaN.
                nextSeen += 1
            }
            scratch.best.offer(firstRow: first, scores: scratch.scores.span.extracting(0..<count))
        }
    }

    /// Chosen rows come in ascending order. Where a whole block of them is consecutive, as the items of one hotel are, it is
    /// scored as such.
    private func offerChosen(
        _ factors: Span<Float>, _ matrix: Span<Float>, without seen: Span<UInt32>, _ scratch: RecommendationScratch
    ) {
        var nextSeen = 0
        for first in stride(from: 0, to: scratch.rows.count, by: RecommendationScratch.blockRows) {
            let count = min(RecommendationScratch.blockRows, scratch.rows.count - first)
            let rows = scratch.rows.span.extracting(first..<first + count)
            let firstRow = Int(rows[0])
            let isConsecutive = Int(rows[count - 1]) - firstRow == count - 1
            scratch.withScores(count) { scores in
                if isConsecutive {
                    scoreRows(factors, matrix, firstRow: firstRow, into: &scores)
                } else {
                    scoreRows(factors, matrix, rows: rows, into: &scores)
                }
            }
            for place in rows.indices where isSeen(rows[place], seen, &nextSeen) { scratch.scores[place] = .nan }
            scratch.best.offer(rows: rows, scores: scratch.scores.span.extracting(0..<count))
        }
    }

    // MARK: By popularity

    private func rankByPopularity(_ query: RecommendationQuery, _ scratch: RecommendationScratch) {
        scratch.begin(query)
        withSeen(query) { seen in
            if let hotels = query.hotels {
                collectItems(of: hotels, into: &scratch.rows)
                var nextSeen = 0
                for row in scratch.rows where !isSeen(row, seen, &nextSeen) {
                    scratch.best.offer(row: row, score: columns.itemPopularity[Int(row)])
                }
            } else {
                offerMostPopular(query.k == 0 ? 0 : query.k + query.offset, without: seen, scratch)
            }
        }
        scratch.best.sortBestFirst()
    }

    /// The file holds the order, so only as many items are looked at as are wanted or seen.
    private func offerMostPopular(_ wanted: Int, without seen: Span<UInt32>, _ scratch: RecommendationScratch) {
        for place in 0..<itemCount where scratch.best.count < wanted {
            let row = columns.popularityOrder[place]
            if contains(seen, row) { continue }
            scratch.best.offer(row: row, score: columns.itemPopularity[Int(row)])
        }
    }

    // MARK: Filters

    /// Lends the rows that the user already ordered, ascending; none unless the query leaves them out.
    private func withSeen(_ query: RecommendationQuery, _ body: (Span<UInt32>) -> Void) {
        if query.excludeSeen, let user = query.user {
            withHistory(user) { items, _ in body(items) }
        } else {
            body(Span())
        }
    }

    /// The items that any of the hotels sells, ascending and once each.
    private func collectItems(of hotels: [HotelIndex], into rows: inout [UInt32]) {
        for hotel in hotels {
            withItems(of: hotel) { items in
                for index in items.indices { rows.append(items[index]) }
            }
        }
        if hotels.count > 1 { sortUnique(&rows) }
    }
}

private func sortUnique(_ rows: inout [UInt32]) {
    rows.sort()
    var kept = 0
    for index in rows.indices where index == 0 || rows[index] != rows[kept - 1] {
        rows[kept] = rows[index]
        kept += 1
    }
    rows.removeLast(rows.count - kept)
}

/// Whether `row` is seen, when asked of ascending rows: `next` remembers how far the seen ones were read.
private func isSeen(_ row: UInt32, _ seen: Span<UInt32>, _ next: inout Int) -> Bool {
    while next < seen.count, seen[next] < row { next += 1 }
    return next < seen.count && seen[next] == row
}

/// Binary search in ascending rows.
private func contains(_ rows: Span<UInt32>, _ row: UInt32) -> Bool {
    var (low, high) = (0, rows.count)
    while low < high {
        let middle = (low + high) / 2
        if rows[middle] < row { low = middle + 1 } else { high = middle }
    }
    return low < rows.count && rows[low] == row
}
