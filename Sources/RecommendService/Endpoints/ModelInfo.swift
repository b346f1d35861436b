import HTTPMessages

extension LoopService {
    /// `GET /model/info`: the live version's manifest, byte for byte as the registry holds it.
    func writeModelInfo(
        _ query: Span<UInt8>, _ rules: ParameterRules, _ model: ServedModel, into body: inout ByteBuffer
    ) throws(Problem) -> StaticString {
        try parameters.read(query: query, rules, model.snapshot, decoding: &queryItem)
        let manifest = model.manifest
        body.append(manifest.span)
        return "application/json"
    }
}
