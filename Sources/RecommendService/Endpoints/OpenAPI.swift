import HTTPMessages

extension LoopService {
    /// `GET /openapi.json`: what is served, as OpenAPI 3.1.
    func writeOpenAPI(into body: inout ByteBuffer) -> StaticString {
        let document = service.openAPIDocument
        body.append(document.span)
        return "application/json"
    }
}
