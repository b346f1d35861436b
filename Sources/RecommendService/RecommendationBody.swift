package import FactorModel
package import HTTPMessages

/// The answer of everything that ranks items, over HTTP and on the command line alike.
///
/// Nothing is padded: `items` holds what there is, best first.
///
/// - Parameters:
///   - itemID: of the item that was asked about, for similar items.
///   - explains: adds to each item what carried its score; an empty list when the answer was not made by a vector.
///   - written: of the same snapshot, when it is there.
package func writeRecommendation(
    _ outcome: RecommendationOutcome, _ ranked: RecommendationScratch, userID: Span<UInt8>?,
    itemID: Span<UInt8>? = nil, explains: Bool = false, model: String, version: Int, snapshot: ModelSnapshot,
    written: WrittenItems? = nil, arm: ArmStatement = .none, requestID: [UInt8], into body: inout ByteBuffer
) {
    body.append(UInt8(ascii: "{"))
    if let userID {
        body.append("\"user_id\":" as StaticString)
        body.appendJSONString(userID)
        body.append(UInt8(ascii: ","))
    }
    if let itemID {
        body.append("\"item_id\":" as StaticString)
        body.appendJSONString(itemID)
        body.append(UInt8(ascii: ","))
    }
    writeModel(model, version, into: &body)
    arm.write(into: &body)
    body.append(",\"strategy\":" as StaticString)
    body.appendJSONString(outcome.strategy.rawValue)
    writeFallbackReason(outcome.fallbackReason, into: &body)
    body.append(",\"items\":[" as StaticString)
    // Asked once, not once an item: each time a reference would be counted.
    if let written, !explains {
        writeItems(ranked, written, into: &body)
    } else {
        writeItems(ranked, snapshot, explains: explains, into: &body)
    }
    body.append(UInt8(ascii: "]"))
    writeEnd(requestID, into: &body)
}

/// The items from texts that were written ahead.
private func writeItems(_ ranked: RecommendationScratch, _ written: WrittenItems, into body: inout ByteBuffer) {
    ranked.forEachItem { rank, item, score in
        if rank > 0 { body.append(UInt8(ascii: ",")) }
        written.writeBeforeScore(of: item, into: &body)
        body.appendJSONNumber(score)
        written.writeBehindScore(of: item, into: &body)
        body.append(UInt8(ascii: "}"))
    }
}

/// The same bytes from the columns of the model, and what carried each score if that is asked for.
private func writeItems(
    _ ranked: RecommendationScratch, _ snapshot: ModelSnapshot, explains: Bool, into body: inout ByteBuffer
) {
    ranked.forEachItem { rank, item, score in
        if rank > 0 { body.append(UInt8(ascii: ",")) }
        snapshot.withTexts(of: item) { id, name, department in
            writeItemStart(id, into: &body)
            body.appendJSONNumber(score)
            writeAttributes(name, snapshot.price(item), department, into: &body)
        }
        if explains { writeBecause(snapshot.explain(item: item, scratch: ranked), of: score, snapshot, into: &body) }
        body.append(UInt8(ascii: "}"))
    }
}

/// `"model":"room-service","model_version":7`
func writeModel(_ model: String, _ version: Int, into body: inout ByteBuffer) {
    body.append("\"model\":" as StaticString)
    body.appendJSONString(model)
    body.append(",\"model_version\":" as StaticString)
    body.appendDecimal(version)
}

func writeFallbackReason(_ reason: FallbackReason?, into body: inout ByteBuffer) {
    body.append(",\"fallback_reason\":" as StaticString)
    if let reason {
        body.appendJSONString(reason.rawValue)
    } else {
        body.append("null" as StaticString)
    }
}

/// The last member of every answer, and its end.
func writeEnd(_ requestID: [UInt8], into body: inout ByteBuffer) {
    body.append(",\"request_id\":" as StaticString)
    body.appendJSONString(requestID.span)
    body.append("}\n" as StaticString)
}

/// How far contributions may be from the score that they sum to, of the greater of 1 and the score: trained and folded-in vectors are
/// within 5e-5 (docs/engine.md).
private let contributionTolerance: Float = 1e-4

/// What carried a score, the greatest contribution first; and what that sums to where it is not the score, because the vector came from
/// elsewhere and is not the fold-in of its history.
private func writeBecause(
    _ contributions: [Contribution], of score: Float, _ snapshot: ModelSnapshot, into body: inout ByteBuffer
) {
    body.append(",\"because\":[" as StaticString)
    for (place, entry) in contributions.enumerated() {
        if place > 0 { body.append(UInt8(ascii: ",")) }
        body.append("{\"item_id\":" as StaticString)
        snapshot.withItemID(entry.item) { body.appendJSONString($0) }
        body.append(",\"contribution\":" as StaticString)
        if entry.contribution.isFinite {
            body.appendJSONNumber(entry.contribution)
        } else {
            // Of factors near the ends of float32 a term can overflow where the sum does not.
            body.append("null" as StaticString)
        }
        body.append(UInt8(ascii: "}"))
    }
    body.append(UInt8(ascii: "]"))
    let sum = Float(contributions.reduce(0) { $0 + Double($1.contribution) })
    guard !contributions.isEmpty, sum.isFinite, abs(sum - score) > contributionTolerance * max(1, abs(score)) else {
        return
    }
    body.append(",\"explained_score\":" as StaticString)
    body.appendJSONNumber(sum)
}

/// What comes before the score of an item: `{"item_id":"310","score":`
func writeItemStart(_ id: Span<UInt8>, into body: inout ByteBuffer) {
    body.append("{\"item_id\":" as StaticString)
    body.appendJSONString(id)
    body.append(",\"score\":" as StaticString)
}

/// Name, price and department, each null when the model does not know it.
func writeAttributes(
    _ name: Span<UInt8>, _ price: Int64?, _ department: Span<UInt8>, into body: inout ByteBuffer
) {
    body.append(",\"name\":" as StaticString)
    writeOptional(name, into: &body)
    body.append(",\"price\":" as StaticString)
    if let price {
        body.appendDecimal(Int(price))
    } else {
        body.append("null" as StaticString)
    }
    body.append(",\"department_id\":" as StaticString)
    writeOptional(department, into: &body)
}

/// An empty text stands for "unknown" in the model's columns.
private func writeOptional(_ text: Span<UInt8>, into body: inout ByteBuffer) {
    if text.isEmpty {
        body.append("null" as StaticString)
    } else {
        body.appendJSONString(text)
    }
}
