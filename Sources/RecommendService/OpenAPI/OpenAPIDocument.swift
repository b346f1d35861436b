import HTTPMessages

/// The OpenAPI 3.1 description of what is served, made from ``Route`` and ``Parameter``, the tables that requests are read
/// by: so it cannot say what is not so. Only the shapes of answers are written by hand, in `OpenAPISchemas.swift`.
///
/// https://spec.openapis.org/oas/v3.1.0
enum OpenAPIDocument {
    /// The whole document, as it is served.
    ///
    /// - Parameter withAdmin: whether `/admin/*` is served.
    static func text(version: String, withAdmin: Bool) -> String {
        let paths = Route.allCases.filter { $0 != .none && (withAdmin || !$0.isAdmin) }
            .map { "\"\($0.template)\":{\(operations(of: $0))}" }.joined(separator: ",\n")
        return """
            {"openapi":"3.1.0",
            "info":{"title":"NextLoop","version":\(quoted(version)),
            "summary":"Room-service recommendations for hotel guests.",
            "description":\(quoted(OpenAPISchemas.introduction)),
            "license":{"name":"Apache-2.0","identifier":"Apache-2.0"}},
            "servers":[{"url":"/"}],
            "paths":{
            \(paths)
            },
            "components":{"schemas":{
            \(OpenAPISchemas.schemas)
            },
            "headers":{
            \(OpenAPISchemas.headers)
            }\(withAdmin ? ",\n" + AdminOperations.securitySchemes : "")}}

            """
    }

    // MARK: Operations

    private static func operations(of route: Route) -> String {
        if let text = AdminOperations.text(of: route) { return text }
        var operations: [String] = []
        if route.allows(.get) { operations.append("\"get\":{\(operation(route, isPost: false))}") }
        if route.allows(.post) { operations.append("\"post\":{\(operation(route, isPost: true))}") }
        return operations.joined(separator: ",\n ")
    }

    private static func operation(_ route: Route, isPost: Bool) -> String {
        guard let entry = isPost ? route.postDescription : route.getDescription else {
            preconditionFailure("BUG: \(route) is not described")
        }
        var members = [
            "\"operationId\":\(quoted(entry.id))", "\"tags\":[\(quoted(entry.tag))]",
            "\"summary\":\(quoted(entry.summary))", "\"description\":\(quoted(entry.description))",
        ]
        if isPost, let body = requestBody(of: route) { members.append(body) }
        if route.isAdmin { members.append(AdminOperations.security) }
        let parameters = self.parameters(of: route, isPost: isPost)
        if !parameters.isEmpty { members.append("\"parameters\":[\(parameters.joined(separator: ","))]") }
        members.append("\"responses\":{\(responses(of: route, entry))}")
        return members.joined(separator: ",")
    }

    // MARK: Requests

    private static func parameters(of route: Route, isPost: Bool) -> [String] {
        var parameters: [String] = []
        if let (name, meaning) = route.pathParameter {
            parameters.append(
                """
                {"name":\(quoted(name)),"in":"path","required":true,"description":\(quoted(meaning)),\
                "schema":\(reference("ID"))}
                """)
        }
        guard !isPost, let rules = route.queryRules else { return parameters }
        for parameter in rules.known.parameters {
            var serialization = ""
            if case .ids(let splitsAtCommas) = parameter.kind {
                serialization = ",\"style\":\"form\",\"explode\":\(!splitsAtCommas)"
            }
            parameters.append(
                """
                {"name":\(quoted("\(parameter.name)")),"in":"query",\
                "required":\(rules.required.contains(parameter)),\
                "description":\(quoted("\(parameter.meaning)"))\(serialization),\
                "schema":\(schema(of: parameter, inQuery: true))}
                """)
        }
        return parameters
    }

    private static func requestBody(of route: Route) -> String? {
        guard let rules = route.bodyRules else { return nil }
        let content: String
        switch route.bodyType {
        case .ndjson:
            content = """
                "application/x-ndjson":{"schema":{"type":"string","minLength":1,"description":\
                \(quoted("One object of POST /recommend a line, 1 to \(LoopService.bulkLinesMax) lines."))},\
                "example":\(quoted("{\"user_id\":\"1042\",\"k\":3}\n{\"user_id\":\"1043\"}\n"))}
                """
        case .json: content = "\"application/json\":{\"schema\":\(object(of: rules))}"
        }
        return "\"requestBody\":{\"required\":\(!route.bodyMayBeMissing),\"content\":{\(content)}}"
    }

    private static func object(of rules: ParameterRules) -> String {
        let properties = rules.known.parameters.map { parameter in
            let schema = schema(of: parameter, inQuery: false)
            let description = quoted("\(parameter.meaning)")
            return "\(quoted("\(parameter.name)")):\(schema.dropLast()),\"description\":\(description)}"
        }
        let required = rules.required.parameters.map { quoted("\($0.name)") }.joined(separator: ",")
        return """
            {"type":"object","additionalProperties":false,"required":[\(required)],\
            "properties":{\(properties.joined(separator: ","))}}
            """
    }

    /// What one parameter may be: an object.
    private static func schema(of parameter: Parameter, inQuery: Bool) -> String {
        switch parameter.kind {
        case .id: return reference("ID")
        case .wholeNumber(let range, let standard):
            let standard = standard.map { ",\"default\":\($0)" } ?? ""
            return """
                {"type":"integer","minimum":\(range.lowerBound),"maximum":\(range.upperBound)\(standard)}
                """
        case .flag: return "{\"type\":\"boolean\",\"default\":false}"
        case .ids(let splitsAtCommas):
            // In a query an empty list cannot be told from an empty id, nor a comma in an id from one between two.
            let items = inQuery && splitsAtCommas ? reference("IDWithoutComma") : reference("ID")
            return """
                {"type":"array","items":\(items),"minItems":\(inQuery ? 1 : 0),"maxItems":\(Parameter.listCountMax)}
                """
        case .modelName:
            return "{\"type\":\"string\",\"pattern\":\(quoted(Parameter.modelNamePattern))}"
        case .basket:
            return """
                {"type":"array","maxItems":\(Parameter.listCountMax),"items":{"type":"object",\
                "additionalProperties":false,"required":["item_id"],"properties":{"item_id":\(reference("ID")),\
                "count":{"type":"integer","minimum":\(Parameter.basketCountRange.lowerBound),\
                "maximum":\(Parameter.basketCountRange.upperBound),"default":1}}}}
                """
        }
    }

    // MARK: Responses

    private static func responses(of route: Route, _ entry: OperationDescription) -> String {
        var headers = "\"X-Request-ID\":{\"$ref\":\"#/components/headers/X-Request-ID\"}"
        if route.answersFromModel {
            headers += ",\"X-Model-Version\":{\"$ref\":\"#/components/headers/X-Model-Version\"}"
        }
        if route == .recommend || route == .score {
            headers += ",\"X-Experiment\":{\"$ref\":\"#/components/headers/X-Experiment\"}"
        }
        let schema = entry.answerSchema.map { reference($0) } ?? "{\"type\":\"string\"}"
        var responses = [
            """
            "200":{"description":\(quoted(entry.answer)),"headers":{\(headers)},\
            "content":{\(quoted(entry.answerType)):{"schema":\(schema)}}}
            """
        ]
        if let accepted = entry.accepted {
            responses.append(
                """
                "202":{"description":\(quoted(accepted)),"headers":{\(headers)},\
                "content":{\(quoted(entry.answerType)):{"schema":\(schema)}}}
                """)
        }
        for (status, meaning) in entry.problems + [("default", "A refusal of the server's own.")] {
            responses.append(
                """
                \(quoted(status)):{"description":\(quoted(meaning)),"content":{"application/problem+json":\
                {"schema":\(reference("Problem"))}}}
                """)
        }
        return responses.joined(separator: ",")
    }

    private static func reference(_ schema: String) -> String { "{\"$ref\":\"#/components/schemas/\(schema)\"}" }

    /// - Precondition: our own words: no control characters but line feeds.
    private static func quoted(_ text: String) -> String {
        let escaped = text.map { character in
            switch character {
            case "\"": "\\\""
            case "\\": "\\\\"
            case "\n": "\\n"
            default: String(character)
            }
        }
        return "\"" + escaped.joined() + "\""
    }
}
