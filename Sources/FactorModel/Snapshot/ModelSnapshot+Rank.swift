import VectorKernels

extension ModelSnapshot {
    /// Keeps the best of the rows that pass the query's filters, by whatever the closures score.
    ///
    /// - Parameters:
    ///   - scoreRange: writes the scores of rows `first`, `first + 1`, …
    ///   - scoreList: writes the scores of these rows. A NaN is never kept, in either.
    func rank(
        _ query: RecommendationQuery, without excluded: Span<UInt32>, _ scratch: RecommendationScratch,
        scoreRange: (_ first: Int, inout MutableSpan<Float>) -> Void,
        scoreList: (Span<UInt32>, inout MutableSpan<Float>) -> Void
    ) {
        forEachCandidate(
            query.filter, scratch,
            range: { offer($0, without: excluded, scratch, scoreRange) },
            list: { offer($0, without: excluded, scratch, scoreRange, scoreList) })
        scratch.best.sortBestFirst()
    }

    /// Scores consecutive rows in blocks and keeps the best.
    private func offer(
        _ rows: Range<Int>, without excluded: Span<UInt32>, _ scratch: RecommendationScratch,
        _ scoreRange: (Int, inout MutableSpan<Float>) -> Void
    ) {
        var next = firstPlace(in: excluded, notBelow: UInt32(rows.lowerBound))
        for first in stride(from: rows.lowerBound, to: rows.upperBound, by: RecommendationScratch.blockRows) {
            let count = min(RecommendationScratch.blockRows, rows.upperBound - first)
            scratch.withScores(count) { scores in
                scoreRange(first, &scores)
                // TopK never keeps a NaN. A history is short beside the catalogue, so this touches few scores, where
                // asking of each candidate whether it was seen would cost every one a search.
                while next < excluded.count, Int(excluded[next]) < first + count {
                    scores[Int(excluded[next]) - first] = .nan
                    next += 1
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
        _ rows: Span<UInt32>, without excluded: Span<UInt32>, _ scratch: RecommendationScratch,
        _ scoreRange: (Int, inout MutableSpan<Float>) -> Void,
        _ scoreList: (Span<UInt32>, inout MutableSpan<Float>) -> Void
    ) {
        guard rows.count > 0 else { return }
        let (first, last) = (Int(rows[0]), Int(rows[rows.count - 1]))
        if last - first == rows.count - 1 {
            offer(first..<last + 1, without: excluded, scratch, scoreRange)
        } else if rows.count <= RecommendationScratch.gatherRows {
            var next = firstPlace(in: excluded, notBelow: rows[0])
            scratch.withScores(rows.count) { scores in
                scoreList(rows, &scores)
                guard next < excluded.count else { return }
                for place in rows.indices where contains(rows[place], in: excluded, &next) { scores[place] = .nan }
            }
            scratch.offerScores(rows: rows)
        } else {
            let middle = rows.count / 2
            offer(rows.extracting(0..<middle), without: excluded, scratch, scoreRange, scoreList)
            offer(rows.extracting(middle..<rows.count), without: excluded, scratch, scoreRange, scoreList)
        }
    }

    /// How many rows pass the query's filters. For the rare answer that has to say why it is short.
    func passingCount(
        _ query: RecommendationQuery, without excluded: Span<UInt32>, _ scratch: RecommendationScratch
    ) -> Int {
        var count = 0
        forEachCandidate(
            query.filter, scratch,
            range: { rows in
                let end = firstPlace(in: excluded, notBelow: UInt32(rows.upperBound))
                count += rows.count - (end - firstPlace(in: excluded, notBelow: UInt32(rows.lowerBound)))
            },
            list: { rows in
                var next = 0
                for place in rows.indices where !contains(rows[place], in: excluded, &next) { count += 1 }
            })
        return count
    }

    // MARK: By a vector

    /// Ranks by x·yᵢ, reading the float32 factors of the rows that pass.
    func rank(
        by vector: Span<Float>, _ query: RecommendationQuery, without excluded: Span<UInt32>,
        _ scratch: RecommendationScratch
    ) {
        withItemFactors { matrix in
            rank(
                query, without: excluded, scratch,
                scoreRange: { scoreRows(vector, matrix, firstRow: $0, into: &$1) },
                scoreList: { scoreRows(vector, matrix, rows: $0, into: &$1) })
        }
    }
}
