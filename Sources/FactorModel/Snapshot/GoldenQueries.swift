/// Questions to a model and the answers that it gave where it was made, so that every machine can see whether it gives them too.
///
/// A user is named by the id that the model has them under; nothing else is said of anybody.
package struct GoldenQueries: Codable, Equatable, Sendable {
    package var queries: [Query]

    package struct Query: Codable, Equatable, Sendable {
        package var user: String
        /// The user's ``k`` best items, best first; fewer when the model has fewer.
        package var items: [Item]

        package init(user: String, items: [Item]) {
            self.user = user
            self.items = items
        }
    }

    package struct Item: Codable, Equatable, Sendable {
        package var id: String
        /// As ``ModelSnapshot/recommend(_:scratch:)`` gives it.
        package var score: Float

        package init(id: String, score: Float) {
            self.id = id
            self.score = score
        }
    }

    /// Items of each answer.
    package static let k = 10
    /// Queries that are written down with a model, when it has so many users with vectors.
    package static let count = 32
    /// The most that a reader takes.
    package static let countMax = 256

    package init(queries: [Query]) { self.queries = queries }
}

extension ModelSnapshot {
    /// Asks ``GoldenQueries/count`` users, spread evenly over the rows: of each part the first with a vector. The same model gives the
    /// same queries.
    ///
    /// - Complexity: one ranking a query, and one pass over the vectors of users that are all zeros.
    package func goldenQueries() -> GoldenQueries {
        let scratch = RecommendationScratch()
        let parts = min(GoldenQueries.count, userCount)
        let users = (0..<parts).compactMap { part in
            (part * userCount / parts..<(part + 1) * userCount / parts).lazy.map { UserIndex($0) }
                .first { self.hasFactors($0) }
        }
        return GoldenQueries(
            queries: users.map { user in
                let items = goldenAnswer(user, scratch).map {
                    GoldenQueries.Item(id: withItemID($0.item, text), score: $0.score)
                }
                return GoldenQueries.Query(user: withUserID(user, text), items: items)
            })
    }

    /// Asks the first `count` of the queries and holds the answers against those that were written down.
    ///
    /// Scores must agree within factorCount · 2⁻²³ · |x| · |y|: what summing the same products in any two orders can make them differ by
    /// (each sum is off by at most factorCount · 2⁻²⁴ · Σ|xᵢyᵢ|, and Cauchy-Schwarz bounds that). So the same items come back, but for
    /// those that change places within that distance. The kernels have one order on every CPU (docs/kernels.md): between builds of it the
    /// difference is 0.
    ///
    /// - Returns: the first difference, in words that name no id; nil when there is none.
    package func disagreement(with golden: GoldenQueries, count: Int = .max) -> String? {
        let scratch = RecommendationScratch()
        for (place, query) in golden.queries.prefix(count).enumerated() {
            if let difference = disagreement(with: query, scratch) {
                return "golden query \(place + 1) of \(golden.queries.count): \(difference)"
            }
        }
        return nil
    }

    private func disagreement(with query: GoldenQueries.Query, _ scratch: RecommendationScratch) -> String? {
        guard let user = user(id: query.user) else { return "its user is not in the model" }
        guard hasFactors(user) else { return "the user in row \(user.row) has no vector" }
        let wanted = query.items.map { (item: item(id: $0.id), score: $0.score) }
        let got = goldenAnswer(user, scratch)
        let row = "the user in row \(user.row)"
        guard got.count == wanted.count else { return "\(row) gets \(got.count) items, wanted \(wanted.count)" }
        let items = wanted.map(\.item)
        guard items.allSatisfy({ $0 != nil }) else { return "\(row) should get an item that is not in the model" }
        let tolerance = scoreTolerance(user, got.map(\.item) + items.compactMap { $0 })
        for rank in got.indices where abs(got[rank].score - wanted[rank].score) > tolerance {
            return """
                \(row) gets a score of \(got[rank].score) at rank \(rank + 1), wanted \(wanted[rank].score) within \(tolerance)
                """
        }
        // The scores by rank are right; now that it is these items which have them.
        var alone: [Float?] = []
        scores(of: user, items: items, into: &alone)
        for rank in got.indices where abs((alone[rank] ?? .infinity) - wanted[rank].score) > tolerance {
            return "\(row) should get another item at rank \(rank + 1)"
        }
        return nil
    }

    private func goldenAnswer(
        _ user: UserIndex, _ scratch: RecommendationScratch
    ) -> [(item: ItemIndex, score: Float)] {
        _ = recommend(RecommendationQuery(user: user, k: GoldenQueries.k), scratch: scratch)
        return (0..<scratch.count).map { scratch[$0] }
    }

    private func scoreTolerance(_ user: UserIndex, _ items: [ItemIndex]) -> Float {
        func squaredLength(_ vector: Span<Float>) -> Double {
            vector.indices.reduce(0) { $0 + Double(vector[$1]) * Double(vector[$1]) }
        }
        let longest = items.reduce(0) { longest, item in
            let rows = item.row * factorCount..<(item.row + 1) * factorCount
            return max(longest, withItemFactors { squaredLength($0.extracting(rows)) })
        }
        let length = withUserFactors(user) { squaredLength($0) }
        return Float(Double(factorCount) * 0x1p-23 * (length * longest).squareRoot())
    }
}

/// An id as a string: the model has checked that it is UTF-8.
private func text(_ bytes: Span<UInt8>) -> String {
    String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self)
}
