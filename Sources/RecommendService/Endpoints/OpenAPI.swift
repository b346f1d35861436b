import HTTPMessages

extension LoopService {
    /// `GET /openapi.json`: what is served, as OpenAPI 3.1.
    func writeOpenAPI(into body: inout ByteBuffer) -> StaticString {
        body.append("{}" as StaticString)
        return "application/json"
    }
}
