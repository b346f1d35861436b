import FactorModel
import HTTPMessages

extension LoopService {
    /// `GET /items/{item_id}/similar`: the items whose vectors point the same way, by cosine, within the same filters.
    ///
    /// An item that the model does not hold is a 404: there is nothing to be similar to.
    func writeSimilar(
        to segment: Span<UInt8>, _ query: Span<UInt8>, _ rules: ParameterRules, _ model: ServedModel,
        into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try decodeSegment(segment, "item_id")
        try parameters.read(query: query, rules, model.snapshot, decoding: &queryItem)
        guard let item = pathID.withBytes({ model.snapshot.item(id: $0) }) else { throw .unknownItem }
        let outcome = try rank(model) { $0.similar(to: item, $1, scratch: $2) }
        pathID.withBytes { id in
            writeRecommendation(
                outcome, scratch, userID: nil, itemID: id, model: model.name, version: model.version,
                snapshot: model.snapshot, written: model.writtenItems, requestID: requestID, into: &body)
        }
        return "application/json"
    }

    /// Decodes the id in a path into `pathID`.
    func decodeSegment(_ segment: Span<UInt8>, _ name: String) throws(Problem) {
        try decodeText(segment, plusIsSpace: false, into: &pathID, or: .undecodablePath)
        try pathID.withBytes { id throws(Problem) in try RecommendParameters.checkLength(of: id, name) }
    }
}
