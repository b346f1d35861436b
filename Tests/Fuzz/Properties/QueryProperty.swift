import HTTPMessages

/// The items of a query, joined again, are the query without its empty items; decoding agrees with a naive decoder, and what
/// was decoded survives being encoded and decoded again.
func checkQuery(_ bytes: [UInt8]) throws(BrokenProperty) {
    let query = bytes.span
    var items: [[UInt8]] = []
    try forEachQueryItem(in: query) { (name, value) throws(BrokenProperty) in
        if let value { try expect(value.lowerBound == name.upperBound + 1, "name and value apart") }
        items.append(Array(bytes[name.lowerBound..<(value?.upperBound ?? name.upperBound)]))
        for plusIsSpace in [true, false] {
            try checkDecoding(Array(bytes[name]), plusIsSpace)
            if let value { try checkDecoding(Array(bytes[value]), plusIsSpace) }
        }
    }
    let wanted = bytes.split(separator: UInt8(ascii: "&")).map { Array($0) }
    try expect(items == wanted, "items \(items), wanted \(wanted)")
    try checkDecoding(bytes, false)
}

private func checkDecoding(_ encoded: [UInt8], _ plusIsSpace: Bool) throws(BrokenProperty) {
    let decoded = decode(encoded, plusIsSpace)
    try expect(decoded == naivelyDecoded(encoded, plusIsSpace), "decoded \(String(describing: decoded))")
    guard let decoded else { return }
    let valid = isValidUTF8(decoded.span)
    try expect(valid == (Array(String(decoding: decoded, as: UTF8.self).utf8) == decoded), "UTF-8: \(valid)")
    // Every byte but NUL can be written as an escape.
    if decoded.contains(0) { return }
    let again = decoded.flatMap { Array("%\($0 < 16 ? "0" : "")\(String($0, radix: 16))".utf8) }
    try expect(decode(again, plusIsSpace) == decoded, "encoded and decoded again")
}

private func decode(_ encoded: [UInt8], _ plusIsSpace: Bool) -> [UInt8]? {
    var output = ByteBuffer(capacity: 8)
    do { try percentDecode(encoded.span, plusIsSpace: plusIsSpace, into: &output) } catch { return nil }
    return output.withBytes { decoded in decoded.indices.map { decoded[$0] } }
}

private func naivelyDecoded(_ encoded: [UInt8], _ plusIsSpace: Bool) -> [UInt8]? {
    var result: [UInt8] = []
    var rest = encoded[...]
    while let byte = rest.popFirst() {
        if byte == UInt8(ascii: "%") {
            let digits = rest.prefix(2).map { Character(Unicode.Scalar($0)) }
            guard digits.count == 2, digits.allSatisfy({ $0.isASCII && $0.isHexDigit }),
                let value = UInt8(String(digits), radix: 16), value != 0
            else { return nil }
            result.append(value)
            rest = rest.dropFirst(2)
        } else {
            result.append(byte == UInt8(ascii: "+") && plusIsSpace ? 0x20 : byte)
        }
    }
    return result
}
