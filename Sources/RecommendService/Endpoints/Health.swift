import HTTPMessages

extension LoopService {
    /// `GET /livez`: the loop runs. Says nothing of the model: a process that loads is alive.
    func writeLiveness(into body: inout ByteBuffer) -> StaticString {
        body.append("{\"status\":\"alive\"}\n" as StaticString)
        return "application/json"
    }

    /// `GET /readyz`: 200 when a model answers and no drain has begun; else 503 with the reason.
    func writeReadiness(_ model: ServedModel?, into body: inout ByteBuffer) throws(Problem) -> StaticString {
        if let reason = service.readiness.reason { throw .notReady(reason) }
        guard let model else { throw .notReady("No model is loaded yet.") }
        body.append("{\"status\":\"ready\",\"model\":" as StaticString)
        body.appendJSONString(model.name)
        body.append(",\"model_version\":" as StaticString)
        body.appendDecimal(model.version)
        body.append("}\n" as StaticString)
        return "application/json"
    }
}
