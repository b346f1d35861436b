import HTTPMessages

extension LoopService {
    /// `GET /livez`: the loop runs. Says nothing of the model: a process that loads is alive.
    func writeLiveness(into body: inout ByteBuffer) -> StaticString {
        body.append("{\"status\":\"alive\"}\n" as StaticString)
        return "application/json"
    }

    /// `GET /readyz`: 200 when every model answers and no drain has begun; else 503 with the reason. A version that answers in place of the
    /// one that the policy wants is as ready as any, and says so.
    func writeReadiness(_ plan: ServingPlan, into body: inout ByteBuffer) throws(Problem) -> StaticString {
        if let reason = service.readiness.reason { throw .notReady(reason) }
        for model in plan.models where model.live == nil {
            throw .notReady(service.models.unreadiness(of: model.name))
        }
        for model in plan.models where service.unavailable?.isKnown(model.name) == false {
            throw .notReady("What is unavailable of '\(model.name)' could not be read yet. The log says why.")
        }
        guard let model = plan.standard.live else { preconditionFailure("BUG: the first model is one of all") }
        body.append("{\"status\":\"ready\",\"model\":" as StaticString)
        body.appendJSONString(model.name)
        body.append(",\"model_version\":" as StaticString)
        body.appendDecimal(model.version)
        if let wanted = service.models.standIn(of: model.name) {
            body.append(",\"in_place_of\":" as StaticString)
            body.appendDecimal(wanted)
        }
        body.append("}\n" as StaticString)
        return "application/json"
    }
}
