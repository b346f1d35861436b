package import FactorModel
package import HTTPMessages

/// The answer of `/recommend` and `/popular`, over HTTP and on the command line alike.
///
/// Nothing is padded: `items` holds what there is, best first.
package func writeRecommendation(
    _ outcome: RecommendationOutcome, _ ranked: RecommendationScratch, userID: Span<UInt8>?, model: String,
    version: Int, snapshot: ModelSnapshot, requestID: [UInt8], into body: inout ByteBuffer
) {
    body.append(UInt8(ascii: "{"))
    if let userID {
        body.append("\"user_id\":" as StaticString)
        body.appendJSONString(userID)
        body.append(UInt8(ascii: ","))
    }
    body.append("\"model\":" as StaticString)
    body.appendJSONString(model)
    body.append(",\"model_version\":" as StaticString)
    body.appendDecimal(version)
    body.append(",\"strategy\":" as StaticString)
    body.appendJSONString(outcome.strategy.rawValue)
    body.append(",\"fallback_reason\":" as StaticString)
    if let reason = outcome.fallbackReason {
        body.appendJSONString(reason.rawValue)
    } else {
        body.append("null" as StaticString)
    }
    body.append(",\"items\":[" as StaticString)
    for rank in 0..<ranked.count {
        if rank > 0 { body.append(UInt8(ascii: ",")) }
        writeItem(ranked[rank].item, score: ranked[rank].score, snapshot, into: &body)
    }
    body.append("],\"request_id\":" as StaticString)
    body.appendJSONString(requestID.span)
    body.append("}\n" as StaticString)
}

private func writeItem(_ item: ItemIndex, score: Float, _ snapshot: ModelSnapshot, into body: inout ByteBuffer) {
    body.append("{\"item_id\":" as StaticString)
    snapshot.withItemID(item) { body.appendJSONString($0) }
    body.append(",\"score\":" as StaticString)
    body.appendJSONNumber(score)
    body.append(",\"name\":" as StaticString)
    snapshot.withItemName(item) { writeOptional($0, into: &body) }
    body.append(",\"price\":" as StaticString)
    if let price = snapshot.price(item) {
        body.appendDecimal(Int(price))
    } else {
        body.append("null" as StaticString)
    }
    body.append(",\"department_id\":" as StaticString)
    snapshot.withDepartmentID(item) { writeOptional($0, into: &body) }
    body.append(UInt8(ascii: "}"))
}

/// An empty text stands for "unknown" in the model's columns.
private func writeOptional(_ text: Span<UInt8>, into body: inout ByteBuffer) {
    if text.isEmpty {
        body.append("null" as StaticString)
    } else {
        body.appendJSONString(text)
    }
}
