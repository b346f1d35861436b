package import FactorModel
import HTTPMessages
package import ModelRegistry

/// One recommendation that does not come over HTTP, read by the very rules of `POST /recommend`: the same names, bounds and words.
package struct RecommendationRequest: Sendable {
    package let query: RecommendationQuery
    package let explains: Bool

    /// Reads the JSON object of one request.
    ///
    /// - Parameter marks: the items taken from sale that are left out, as a server leaves them out: those in force.
    /// - Throws: what HTTP would answer with: an unknown, missing or bad parameter; an unknown user when `strict` asks for no
    ///   fallback; a model that cannot explain when `explain` asks for it.
    package init(
        object text: Span<UInt8>, _ snapshot: ModelSnapshot, without marks: [UnavailableItem]
    ) throws(Problem) {
        var document = JSONDocument()
        var parameters = RecommendParameters()
        var limits = JSONLimits()
        // Whoever writes the object may read more than one request's bytes: ids and numbers get their own bounds below.
        limits.stringBytesMax = .max
        limits.numberBytesMax = .max
        limits.valuesMax = .max
        do {
            try document.parse(text, limits: limits)
        } catch {
            throw .badBody("The request is not JSON as wanted here: \(error).")
        }
        let rules = ParameterRules(known: .recommendBody, required: .userID)
        try parameters.read(document, rules, snapshot)
        try parameters.check(snapshot)
        parameters.deny(UnavailableRows(marks, snapshot), snapshot)
        if parameters.explain, !snapshot.canExplain(parameters.query, scratch: RecommendationScratch()) {
            throw .cannotExplain(.unsolvable)
        }
        query = parameters.query
        explains = parameters.explain
    }
}

extension RecommendParameters {
    /// Contributions that one answer may list: some ten megabytes of JSON.
    static let contributionsMax = 100_000

    /// Checks what depends on the model: whether the user may fall back and the answer can be explained.
    func check(_ snapshot: ModelSnapshot) throws(Problem) {
        if strict, query.user == nil { throw .unknownUser }
        guard explain else { return }
        guard snapshot.hasFoldIn else { throw .cannotExplain(.untrained) }
        let history = query.user.map { snapshot.withHistory($0) { items, _ in items.count } } ?? 0
        let contributions = min(query.k, snapshot.itemCount) * (history + query.basket.count)
        guard contributions <= Self.contributionsMax else {
            throw .badParameter(
                "\(Parameter.explain.name)", got: "true for up to \(contributions) contributions",
                wanted: "at most \(Self.contributionsMax): a smaller k")
        }
    }
}

extension Problem: CustomStringConvertible {
    /// What was got and what was wanted.
    package var description: String { detail }
}
