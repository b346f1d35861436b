import FactorModel
import HTTPMessages

extension LoopService {
    /// `GET /popular`: the most ordered items, within the same filters as `/recommend`.
    func writePopular(
        _ query: Span<UInt8>, _ rules: ParameterRules, _ model: ServedModel, into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try parameters.read(query: query, rules, model.snapshot, decoding: &queryItem)
        let outcome = try rank(model) { $0.popular($1, scratch: $2) }
        writeRecommendation(
            outcome, scratch, userID: nil, model: model.name, version: model.version, snapshot: model.snapshot,
            written: model.writtenItems, requestID: requestID, into: &body)
        return "application/json"
    }
}
