import FactorModel
import HTTPMessages

extension LoopService {
    /// `GET /recommend`: the best items for one user.
    ///
    /// A user that the model does not know gets what is popular within the same filters, marked as a fallback, or a
    /// 404 with `strict=true`.
    func writeRecommend(
        _ query: Span<UInt8>, _ model: ServedModel, requestID: [UInt8], into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try parameters.read(query, of: .recommend, model.snapshot)
        if parameters.query.user == nil, parameters.strict { throw .unknownUser }
        let outcome = rank(model) { $0.recommend($1, scratch: $2) }
        parameters.withUserID { userID in
            writeRecommendation(
                outcome, scratch, userID: userID, model: model.name, version: model.version,
                snapshot: model.snapshot, requestID: requestID, into: &body)
        }
        return "application/json"
    }

    /// Runs one ranking on the loop's scratch, timed and counted.
    func rank(
        _ model: ServedModel,
        _ ranking: (ModelSnapshot, RecommendationQuery, RecommendationScratch) -> RecommendationOutcome
    ) -> RecommendationOutcome {
        let clock = ContinuousClock()
        let began = clock.now
        let outcome = ranking(model.snapshot, parameters.query, scratch)
        let took = (clock.now - began) / .seconds(1)
        model.metrics.count(outcome, scratch, seconds: took, loop: loop)
        return outcome
    }
}
