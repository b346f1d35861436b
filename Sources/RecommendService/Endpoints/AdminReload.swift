import HTTPMessages

extension LoopService {
    /// `POST /admin/reload`: looks at the registry now, or asks for one version whatever the policy wants.
    ///
    /// Never waits for a load: that may take seconds and would hold every connection of the loop. A version that is in memory answers
    /// at once and the status says `live`; otherwise the request is accepted (202), the follower does the work, and `GET /models/{name}`
    /// tells how it ended.
    ///
    /// - Returns: the status.
    func writeReload(
        object text: Span<UInt8>, _ rules: ParameterRules, _ plan: ServingPlan, into body: inout ByteBuffer
    ) throws(Problem) -> Int {
        guard let follower = service.follower else { throw .notReady("No registry is followed by this process.") }
        let wish = try readReload(text, rules, plan)
        var isLive = false
        if let version = wish.version {
            isLive = follower.pin(wish.models[0], version: version, force: wish.force)
        } else {
            follower.follow(wish.models, force: wish.force)
        }
        body.append(
            isLive ? "{\"status\":\"live\",\"models\":[" : "{\"status\":\"accepted\",\"models\":[" as StaticString)
        for (place, name) in wish.models.enumerated() {
            if place > 0 { body.append(UInt8(ascii: ",")) }
            body.appendJSONString(name)
        }
        body.append("],\"version\":" as StaticString)
        if let version = wish.version { body.appendDecimal(version) } else { body.append("null" as StaticString) }
        writeEnd(requestID, into: &body)
        return isLive ? 200 : 202
    }

    private struct ReloadWish {
        /// One, or all when none was named.
        var models: [String]
        var version: Int?
        var force = false
    }

    /// A body without a byte is an empty object.
    private func readReload(
        _ text: Span<UInt8>, _ rules: ParameterRules, _ plan: ServingPlan
    ) throws(Problem) -> ReloadWish {
        var wish = ReloadWish(models: plan.models.map(\.name))
        if text.isEmpty { return wish }
        do {
            try document.parse(text)
        } catch {
            throw .badBody("The body is not JSON as wanted here: \(error).")
        }
        guard document.kind(JSONDocument.root) == .object else {
            throw .badBody("The body is \(document.kind(JSONDocument.root).inWords); wanted an object.")
        }
        try document.forEachMember(of: JSONDocument.root) { (name, value) throws(Problem) in
            guard let parameter = document.withString(name, { Parameter(named: $0) }), rules.known.contains(parameter)
            else { throw .unknownParameter(.body, known: rules.known.list) }
            switch parameter.kind {
            case .wholeNumber(let range, _):
                wish.version = try RecommendParameters.wholeNumber(value, document, in: range, "\(parameter.name)")
            case .flag:
                guard document.kind(value) == .boolean else {
                    throw RecommendParameters.wrong(value, document, "\(parameter.name)", "true or false")
                }
                wish.force = document.boolean(value)
            default: wish.models = [try readModelName(value, plan)]
            }
        }
        // A number means nothing to several models: it is the first one's.
        if wish.version != nil { wish.models = [wish.models[0]] }
        return wish
    }

    private func readModelName(_ value: Int, _ plan: ServingPlan) throws(Problem) -> String {
        guard document.kind(value) == .string else {
            throw RecommendParameters.wrong(
                value, document, "\(Parameter.model.name)", RecommendParameters.modelNameInWords)
        }
        return try document.withString(value) { name throws(Problem) in
            try RecommendParameters.checkModelName(name)
            guard let model = plan.model(named: name) else { throw .unknownModel(known: plan.models.map(\.name)) }
            return model.name
        }
    }
}
