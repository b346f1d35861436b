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
        guard scratch.begin(query, itemCount: itemCount) else { return }
        withSeen(query) { seen in
            withUserFactors(user) { factors in
                withItemFactors { matrix in
                    if let hotels = query.hotels {
                        withItems(ofAnyOf: hotels, scratch) { offer($0, factors, matrix, without: seen, scratch) }
                    } else {
                        offer(0..<itemCount, factors, matrix, without: seen, scratch)
                    }
                }
            }
        }
        scratch.best.sortBestFirst()
    }

    /// Scores consecutive rows in blocks and keeps the best.
    private func offer(
        _ rows: Range<Int>, _ factors: Span<Float>, _ matrix: Span<Float>, without seen: Span<UInt32>,
        _ scratch: RecommendationScratch
    ) {
        var nextSeen = firstPlace(in: seen, notBelow: UInt32(rows.lowerBound))
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: RecommendationScratch.blockRows) {
            let count = min(RecommendationScratch.blockRows, rows.upperBound - first)
            scratch.withScores(count) { scores in
                scoreRows(factors, matrix, firstRow: first, into: &scores)
                // TopK never keeps a NaN. A history is short beside the catalogue, so this touches few scores, where
                // asking of each candidate whether it was seen would cost every one a search.
                while nextSeen < seen.count, Int(seen[nextSeen]) < first + count {
                    scores[Int(seen[nextSeen]) - first] = .nan
                    nextSeen += 1
                }
            }
            scratch.offerScores(firstRow: first, count: count)
        }
    }

    /// Scores chosen rows, ascending, and keeps the best.
    ///
    /// Runs of consecutive rows, as the items of one hotel mostly are, are scored as such: halving finds them without looking
    /// at every row.
    private func offer(
        _ rows: Span<UInt32>, _ factors: Span<Float>, _ matrix: Span<Float>, without seen: Span<UInt32>,
        _ scratch: RecommendationScratch
    ) {
        guard rows.count > 0 else { return }
        let (first, last) = (Int(rows[0]), Int(rows[rows.count - 1]))
        if last - first == rows.count - 1 {
            offer(first..<last + 1, factors, matrix, without: seen, scratch)
        } else if rows.count <= RecommendationScratch.gatherRows {
            var nextSeen = firstPlace(in: seen, notBelow: rows[0])
            scratch.withScores(rows.count) { scores in
                scoreRows(factors, matrix, rows: rows, into: &scores)
                guard nextSeen < seen.count else { return }
                for place in rows.indices where skip(rows[place], seen, &nextSeen) { scores[place] = .nan }
            }
            scratch.offerScores(rows: rows)
        } else {
            let middle = rows.count / 2
            offer(rows.extracting(0..<middle), factors, matrix, without: seen, scratch)
            offer(rows.extracting(middle..<rows.count), factors, matrix, without: seen, scratch)
        }
    }

    // MARK: By popularity

    private func rankByPopularity(_ query: RecommendationQuery, _ scratch: RecommendationScratch) {
        guard scratch.begin(query, itemCount: itemCount) else { return }
        withSeen(query) { seen in
            if let hotels = query.hotels {
                withItems(ofAnyOf: hotels, scratch) { rows in
                    var nextSeen = 0
                    for place in rows.indices where !skip(rows[place], seen, &nextSeen) {
                        scratch.best.offer(row: rows[place], score: columns.itemPopularity[Int(rows[place])])
                    }
                }
            } else {
                offerMostPopular(without: seen, scratch)
            }
        }
        scratch.best.sortBestFirst()
    }

    /// The file holds the order, so no more items are looked at than are wanted or seen.
    private func offerMostPopular(without seen: Span<UInt32>, _ scratch: RecommendationScratch) {
        var place = 0
        while place < itemCount, scratch.best.count < scratch.wanted {
            let row = columns.popularityOrder[place]
            place += 1
            var seenPlace = firstPlace(in: seen, notBelow: row)
            if skip(row, seen, &seenPlace) { continue }
            scratch.best.offer(row: row, score: columns.itemPopularity[Int(row)])
        }
    }

    // MARK: Filters

    /// Lends the item rows to leave out, ascending; none unless the query asks for it and the user is known.
    private func withSeen(_ query: RecommendationQuery, _ body: (Span<UInt32>) -> Void) {
        guard query.excludeSeen, let user = query.user else { return body(Span()) }
        withHistory(user) { items, _ in body(items) }
    }

    /// Lends the rows of the items that at least one of the hotels sells, ascending and once each.
    ///
    /// One hotel's are lent as they lie in the file. Several are marked, one bit an item, and read off in order.
    private func withItems(
        ofAnyOf hotels: [HotelIndex], _ scratch: RecommendationScratch, _ body: (Span<UInt32>) -> Void
    ) {
        if hotels.count == 1 { return withItems(of: hotels[0], body) }
        scratch.beginMarks(itemCount)
        for hotel in hotels {
            withItems(of: hotel) { rows in
                for place in rows.indices { scratch.mark(rows[place]) }
            }
        }
        scratch.withMarked(body)
    }
}

/// Whether `row` is among `seen`, both asked for in ascending order: `next` is the first place not passed yet.
private func skip(_ row: UInt32, _ seen: Span<UInt32>, _ next: inout Int) -> Bool {
    while next < seen.count, seen[next] < row { next += 1 }
    return next < seen.count && seen[next] == row
}

/// The first place of an ascending list whose row is at least `row`; its count when there is none.
private func firstPlace(in rows: Span<UInt32>, notBelow row: UInt32) -> Int {
    var (low, high) = (0, rows.count)
    while low < high {
        let middle = (low + high) / 2
        if rows[middle] < row { low = middle + 1 } else { high = middle }
    }
    return low
}
