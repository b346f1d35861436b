import HTTPMessages

extension LoopService {
    /// `GET /model/info`: the served version's manifest, byte for byte as the registry holds it.
    func writeModelInfo(_ model: ServedModel, into body: inout ByteBuffer) -> StaticString {
        let manifest = model.manifest
        body.append(manifest.span)
        return "application/json"
    }
}
