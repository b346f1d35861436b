import FactorModel
import HTTPMessages

extension LoopService {
    /// `GET /users/{user_id}`: whether the model knows a user, and the orders it knows of them.
    ///
    /// Not knowing is an answer, not an error: 200 both ways. The history is most ordered first, equal ones by item row.
    func writeUser(
        _ segment: Span<UInt8>, _ query: Span<UInt8>, _ rules: ParameterRules, _ model: ServedModel,
        into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try decodeSegment(segment, "user_id")
        let snapshot = model.snapshot
        try parameters.read(query: query, rules, snapshot, decoding: &queryItem)
        let user = pathID.withBytes { snapshot.user(id: $0) }
        let hasFactors =
            user.map { snapshot.withUserFactors($0) { xs in xs.indices.contains { xs[$0] != 0 } } } ?? false
        body.append("{\"user_id\":" as StaticString)
        pathID.withBytes { body.appendJSONString($0) }
        body.append(",\"known\":" as StaticString)
        body.append(user != nil ? "true" : "false" as StaticString)
        body.append(",\"has_factors\":" as StaticString)
        body.append(hasFactors ? "true" : "false" as StaticString)
        body.append(UInt8(ascii: ","))
        writeModel(model.name, model.version, into: &body)
        body.append(",\"history\":[" as StaticString)
        for (place, entry) in history(of: user, snapshot).enumerated() {
            if place > 0 { body.append(UInt8(ascii: ",")) }
            snapshot.withTexts(of: entry.item) { id, name, department in
                body.append("{\"item_id\":" as StaticString)
                body.appendJSONString(id)
                body.append(",\"count\":" as StaticString)
                body.appendJSONNumber(entry.count)
                writeAttributes(name, snapshot.price(entry.item), department, into: &body)
                body.append(UInt8(ascii: "}"))
            }
        }
        body.append("]" as StaticString)
        writeEnd(requestID, into: &body)
        return "application/json"
    }

    private func history(of user: UserIndex?, _ snapshot: ModelSnapshot) -> [(item: ItemIndex, count: Float)] {
        guard let user else { return [] }
        return snapshot.withHistory(user) { items, strengths in
            items.indices.map { (item: ItemIndex(Int(items[$0])), count: strengths[$0]) }
        }.sorted { $0.count > $1.count || ($0.count == $1.count && $0.item < $1.item) }
    }
}
