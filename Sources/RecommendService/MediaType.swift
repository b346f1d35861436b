/// What a body may be, as its `Content-Type` says.
enum MediaType {
    case json
    case ndjson

    private var names: [StaticString] {
        switch self {
        case .json: ["application/json"]
        // No registered name: the three that are in use.
        case .ndjson: ["application/x-ndjson", "application/ndjson", "application/jsonl"]
        }
    }

    /// For messages.
    var wanted: String { names.map { "\($0)" }.joined(separator: " or ") }

    /// Whether a `Content-Type` names this type, in any case and with any parameters: JSON is UTF-8 whatever they say.
    func matches(_ contentType: Span<UInt8>) -> Bool {
        var end = 0
        while end < contentType.count, contentType[end] != UInt8(ascii: ";") { end += 1 }
        while end > 0, contentType[end - 1] == 0x20 || contentType[end - 1] == 0x09 { end -= 1 }
        let type = contentType.extracting(0..<end)
        return names.contains { equalIgnoringCase(type, $0) }
    }
}

private func equalIgnoringCase(_ bytes: Span<UInt8>, _ lowercase: StaticString) -> Bool {
    guard bytes.count == lowercase.utf8CodeUnitCount else { return false }
    for index in bytes.indices {
        let byte = bytes[index]
        let isUpper = byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z")
        // SAFETY: both have the same count.
        if unsafe (isUpper ? byte | 0x20 : byte) != lowercase.utf8Start[index] { return false }
    }
    return true
}
