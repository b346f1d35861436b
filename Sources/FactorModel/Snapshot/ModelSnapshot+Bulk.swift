import VectorKernels

extension ModelSnapshot {
    /// Answers many queries, each with the very bits that ``recommend(_:scratch:)`` gives, in less time: the queries of a window
    /// that have the same filter, but for what they deny, share the reading of the items.
    ///
    /// - Parameter each: called once for each query, in their order, with its number, the outcome, and the scratch that holds its
    ///   items until the next window or call; it may be explained there.
    /// - Complexity: memory for ``BulkScratch/windowCount`` answers, however many the queries.
    package func recommend(
        many queries: [RecommendationQuery], scratch: BulkScratch,
        each: (Int, RecommendationOutcome, RecommendationScratch) -> Void
    ) {
        for first in stride(from: 0, to: queries.count, by: BulkScratch.windowCount) {
            let window = queries[first..<min(first + BulkScratch.windowCount, queries.count)]
            answer(window, scratch)
            for place in window.indices {
                each(place, scratch.outcomes[place - first], scratch.answers[place - first])
            }
        }
    }

    /// What answering a query among others is worth, at most: multiply-adds of a solve, of which there are some 20 in a nanosecond.
    ///
    /// For whoever has others waiting and decides how many queries are answered before those get their turn.
    package func cost(of query: RecommendationQuery, isExplained: Bool) -> Int {
        let (n, f) = (entryCount(of: query), factorCount)
        // f³ / 3 is the factorization.
        let solve = query.basket.isEmpty && !isExplained ? 0 : (n + f / 3) * f * f
        let explanations = isExplained ? query.k * (f + n) * f : 0
        return solve + explanations + rankingCost
    }

    /// Different items that a solve would read, at most.
    private func entryCount(of query: RecommendationQuery) -> Int {
        query.basket.count + (query.user.map { withHistory($0) { items, _ in items.count } } ?? 0)
    }

    /// Of a ranking of all items: user by user the codes are read eight times as fast as a solve computes; where users share the rows, a
    /// tile of them is what there is time for.
    private var rankingCost: Int {
        FloatScanCost.areCodesCached(itemCount: itemCount, factorCount: factorCount)
            ? itemCount * factorCount / 8 : itemCount * factorCount / 128
    }

    private func answer(_ window: ArraySlice<RecommendationQuery>, _ scratch: BulkScratch) {
        scratch.reserve(window.count)
        scratch.outcomes.removeAll(keepingCapacity: true)
        scratch.waiting.removeAll(keepingCapacity: true)
        for (place, query) in window.enumerated() {
            let answer = scratch.answers[place]
            let plan = plan(query, answer)
            scratch.outcomes.append(plan)
            switch plan.strategy {
            case .als, .foldIn:
                // Where the lengths of a trained model leave out most of the items, one user by codes takes less time than a
                // user's share of reading all of them.
                guard answer.begin(query, itemCount: itemCount) else { break }
                let isFound = withVector(of: query, plan, answer) {
                    rankByCodes($0, query, answer, insteadOf: .shared)
                }
                if !isFound { scratch.waiting.append(place) }
            case .popular, .similar: rankByPopularity(query, answer)
            }
        }
        while let leader = scratch.waiting.first {
            let filter = window[window.startIndex + leader].filter
            takeMembers(like: filter, of: window, scratch)
            if scratch.members.count < BulkScratch.tileUserCountMin {
                for place in scratch.members {
                    let (query, answer) = (window[window.startIndex + place], scratch.answers[place])
                    rank(query, by: scratch.outcomes[place], answer)
                }
            } else {
                rankTogether(filter, window, scratch)
            }
        }
    }

    /// Moves up to a tile's users from those who wait to the members.
    private func takeMembers(
        like filter: ItemFilter, of window: ArraySlice<RecommendationQuery>, _ scratch: BulkScratch
    ) {
        scratch.members.removeAll(keepingCapacity: true)
        var kept = 0
        for place in scratch.waiting {
            if scratch.members.count < ScoreTile.userCountMax,
                filter.hasSameCandidates(as: window[window.startIndex + place].filter)
            {
                scratch.members.append(place)
            } else {
                scratch.waiting[kept] = place
                kept += 1
            }
        }
        scratch.waiting.removeLast(scratch.waiting.count - kept)
    }

    /// One pass over the candidates of `filter` for all members.
    private func rankTogether(
        _ filter: ItemFilter, _ window: ArraySlice<RecommendationQuery>, _ scratch: BulkScratch
    ) {
        let tile = scratch.tile
        tile.begin(factorCount: factorCount)
        for place in scratch.members {
            let (query, answer) = (window[window.startIndex + place], scratch.answers[place])
            gatherExcluded(query, answer)
            answer.nextExcluded = 0
            withVector(of: query, scratch.outcomes[place], answer) { tile.add($0) }
        }
        withItemFactors { matrix in
            forEachCandidate(
                filter, scratch.answers[scratch.members[0]],
                range: { rows in
                    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: ScoreTile.blockRows) {
                        let block = first..<min(first + ScoreTile.blockRows, rows.upperBound)
                        tile.score(matrix, rows: block)
                        for (user, place) in scratch.members.enumerated() {
                            tile.withScores(ofUser: user, count: block.count) {
                                scratch.answers[place].offer(block, &$0)
                            }
                        }
                    }
                },
                list: { rows in
                    for first in stride(from: 0, to: rows.count, by: ScoreTile.blockRows) {
                        let block = rows.extracting(first..<min(first + ScoreTile.blockRows, rows.count))
                        tile.score(matrix, rows: block)
                        for (user, place) in scratch.members.enumerated() {
                            tile.withScores(ofUser: user, count: block.count) {
                                scratch.answers[place].offer(block, &$0)
                            }
                        }
                    }
                })
        }
        for place in scratch.members { scratch.answers[place].best.sortBestFirst() }
    }
}

extension RecommendationScratch {
    /// Keeps the best of consecutive rows, but for the excluded ones. Blocks come in ascending order.
    fileprivate func offer(_ rows: Range<Int>, _ scores: inout MutableSpan<Float>) {
        while nextExcluded < excluded.count, Int(excluded[nextExcluded]) < rows.upperBound {
            let row = Int(excluded[nextExcluded])
            // TopK never keeps a NaN.
            if row >= rows.lowerBound { scores[row - rows.lowerBound] = .nan }
            nextExcluded += 1
        }
        best.offer(firstRow: rows.lowerBound, scores: scores.span)
    }

    /// Keeps the best of chosen rows, likewise.
    fileprivate func offer(_ rows: Span<UInt32>, _ scores: inout MutableSpan<Float>) {
        if nextExcluded < excluded.count {
            let left = excluded.span
            for place in rows.indices where contains(rows[place], in: left, &nextExcluded) { scores[place] = .nan }
        }
        best.offer(rows: rows, scores: scores.span)
    }
}
