import FactorModel
import HTTPMessages

extension LoopService {
    /// `GET /popular`: the most ordered items, within the same filters as `/recommend`.
    func writePopular(
        _ query: Span<UInt8>, _ model: ServedModel, requestID: [UInt8], into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try parameters.read(query, of: .popular, model.snapshot)
        let outcome = rank(model) { $0.popular($1, scratch: $2) }
        writeRecommendation(
            outcome, scratch, userID: nil, model: model.name, version: model.version, snapshot: model.snapshot,
            requestID: requestID, into: &body)
        return "application/json"
    }
}
