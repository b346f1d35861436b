import FactorModel
import HTTPMessages

extension LoopService {
    /// `POST /score`: what `/recommend` would score the given items with, in the given order; null for an item that the model
    /// does not hold.
    ///
    /// A user without a vector has no scores: all are null and `fallback_reason` says why, for a list of nulls alone could
    /// as well mean unknown items. With `strict` an unknown user is a 404.
    func writeScore(
        object text: Span<UInt8>, _ rules: ParameterRules, _ plan: ServingPlan, _ answering: inout ServedModel?,
        into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        // By the version that recommends to the user; it counts as no recommendation.
        let model = try readObject(text, rules, plan, &answering, inExperiments: true)
        let snapshot = model.snapshot
        var reason: FallbackReason?
        if let user = parameters.query.user {
            snapshot.scores(of: user, items: parameters.scoredItems, into: &scores)
            let hasFactors = snapshot.withUserFactors(user) { xs in xs.indices.contains { xs[$0] != 0 } }
            if !hasFactors { reason = .noFactors }
        } else {
            if parameters.strict { throw .unknownUser }
            scores.removeAll(keepingCapacity: true)
            for _ in parameters.scoredItems { scores.append(nil) }
            reason = .unknownUser
        }
        body.append("{\"user_id\":" as StaticString)
        parameters.withUserID { body.appendJSONString($0) }
        body.append(UInt8(ascii: ","))
        writeModel(model.name, model.version, into: &body)
        armStatement.write(into: &body)
        writeFallbackReason(reason, into: &body)
        body.append(",\"scores\":[" as StaticString)
        for (place, score) in scores.enumerated() {
            if place > 0 { body.append(UInt8(ascii: ",")) }
            if let score { body.appendJSONNumber(score) } else { body.append("null" as StaticString) }
        }
        body.append("]" as StaticString)
        writeEnd(requestID, into: &body)
        return "application/json"
    }
}
