import FoundationEssentials

/// How the registry's small files are written: keys in order, so that the same contents are the same bytes, and times as RFC 3339 says.
func registryEncoder() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    return encoder
}

/// What reads the files of ``registryEncoder()``.
func registryDecoder() -> JSONDecoder {
    let decoder = JSONDecoder()
    decoder.dateDecodingStrategy = .iso8601
    return decoder
}
