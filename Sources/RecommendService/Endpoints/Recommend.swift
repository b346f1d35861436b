import FactorModel
import HTTPMessages

extension LoopService {
    /// `GET /recommend`: the best items for one user.
    ///
    /// A user that the model does not know gets what is popular within the same filters, marked as a fallback, or a
    /// 404 with `strict=true`.
    func writeRecommend(
        _ query: Span<UInt8>, _ rules: ParameterRules, _ model: ServedModel, into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try parameters.read(query: query, rules, model.snapshot, decoding: &queryItem)
        return try writeRecommend(model, into: &body)
    }

    /// `POST /recommend`: the same as a JSON object, with a basket that is folded in.
    func writeRecommend(
        object text: Span<UInt8>, _ rules: ParameterRules, _ model: ServedModel, into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try readObject(text, rules, model)
        return try writeRecommend(model, into: &body)
    }

    private func writeRecommend(_ model: ServedModel, into body: inout ByteBuffer) throws(Problem) -> StaticString {
        try checkRecommend(model.snapshot)
        let outcome = rank(model) { $0.recommend($1, scratch: $2) }
        parameters.withUserID { userID in
            writeRecommendation(
                outcome, scratch, userID: userID, explains: parameters.explain, model: model.name,
                version: model.version, snapshot: model.snapshot, requestID: requestID, into: &body)
        }
        return "application/json"
    }

    /// Parses a body and reads the parameters in it.
    func readObject(_ text: Span<UInt8>, _ rules: ParameterRules, _ model: ServedModel) throws(Problem) {
        do {
            try document.parse(text)
        } catch {
            throw .badBody("The body is not JSON as wanted here: \(error).")
        }
        try parameters.read(document, rules, model.snapshot)
    }

    /// Contributions that one answer may list: some ten megabytes of JSON.
    static let contributionsMax = 100_000

    /// Checks what depends on the model: whether the user may fall back and the answer can be explained.
    func checkRecommend(_ snapshot: ModelSnapshot) throws(Problem) {
        if parameters.strict, parameters.query.user == nil { throw .unknownUser }
        guard parameters.explain else { return }
        guard snapshot.hasFoldIn else { throw .cannotExplain }
        let query = parameters.query
        let history = query.user.map { snapshot.withHistory($0) { items, _ in items.count } } ?? 0
        let contributions = min(query.k, snapshot.itemCount) * (history + query.basket.count)
        guard contributions <= Self.contributionsMax else {
            throw .badParameter(
                "\(Parameter.explain.name)", got: "true for up to \(contributions) contributions",
                wanted: "at most \(Self.contributionsMax): a smaller k")
        }
    }

    /// Runs one ranking on the loop's scratch, timed and counted.
    func rank(
        _ model: ServedModel,
        _ ranking: (ModelSnapshot, RecommendationQuery, RecommendationScratch) -> RecommendationOutcome
    ) -> RecommendationOutcome {
        let clock = ContinuousClock()
        let began = clock.now
        let outcome = ranking(model.snapshot, parameters.query, scratch)
        accessEntry.strategy = outcome.strategy
        let took = (clock.now - began) / .seconds(1)
        model.metrics.count(outcome, scratch, seconds: took, loop: loop)
        return outcome
    }
}
