import FactorModel
import HTTPMessages

/// Which model a request asks for has to be known before anything else of it is read: ids mean rows of one model.
extension LoopService {
    /// The model that a query names, the first one when it names none. It has a live version.
    func chosenModel(_ plan: ServingPlan, query: Span<UInt8>) throws(Problem) -> ModelPlan {
        var found: Bool = false
        try forEachQueryItem(in: query) { (name, value) throws(Problem) in
            guard !found, try names(.model, query.extracting(name)) else { return }
            try decodeText(query.extracting(value ?? 0..<0), plusIsSpace: true, into: &modelName, or: .undecodableQuery)
            found = true
        }
        if !found { return try answering(plan.standard) }
        return try modelName.withBytes { name throws(Problem) in try named(name, plan) }
    }

    /// The same for a body that was parsed.
    func chosenModel(_ plan: ServingPlan, _ document: borrowing JSONDocument) throws(Problem) -> ModelPlan {
        var chosen: ModelPlan?
        if document.kind(JSONDocument.root) == .object {
            try document.forEachMember(of: JSONDocument.root) { (name, value) throws(Problem) in
                guard document.withString(name, { equal($0, Parameter.model.name) }) else { return }
                // Another type is refused when the members are read, in their order.
                guard document.kind(value) == .string else { return }
                chosen = try document.withString(value) { name throws(Problem) in try named(name, plan) }
            }
        }
        if let chosen { return chosen }
        return try answering(plan.standard)
    }

    /// A name that no model can have is left to those who read the parameters, who say what is wrong with it.
    private func named(_ name: Span<UInt8>, _ plan: ServingPlan) throws(Problem) -> ModelPlan {
        guard let model = plan.model(named: name) else {
            if !RecommendParameters.isModelName(name) { return try answering(plan.standard) }
            throw .unknownModel(known: plan.models.map(\.name))
        }
        return try answering(model)
    }

    private func answering(_ model: ModelPlan) throws(Problem) -> ModelPlan {
        if model.live != nil { return model }
        throw .notReady(service.models.unreadiness(of: model.name))
    }

    /// Whether a raw name of a query is that of a parameter. Decoded only when it has to be.
    func names(_ parameter: Parameter, _ raw: Span<UInt8>) throws(Problem) -> Bool {
        for index in raw.indices where raw[index] == UInt8(ascii: "%") || raw[index] == UInt8(ascii: "+") {
            try decodeText(raw, plusIsSpace: true, into: &modelName, or: .undecodableQuery)
            return modelName.withBytes { equal($0, parameter.name) }
        }
        return equal(raw, parameter.name)
    }
}
