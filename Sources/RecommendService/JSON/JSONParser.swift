import HTTPMessages

// A recursive descent over the grammar of RFC 8259, as deep as the limits allow. Bytes were checked to be UTF-8 before.

/// Reads one value and the white space around it, up to the end of the text.
func parseText(
    _ text: Span<UInt8>, _ offset: inout Int, _ limits: JSONLimits, _ values: inout [JSONDocument.Value],
    _ texts: inout ByteBuffer
) throws(JSONError) {
    try parseValue(text, &offset, depth: 0, limits, &values, &texts)
    skipWhiteSpace(text, &offset)
    if offset < text.count { throw JSONError(offset: offset, fault: .trailingBytes) }
}

private func parseValue(
    _ text: Span<UInt8>, _ offset: inout Int, depth: Int, _ limits: JSONLimits,
    _ values: inout [JSONDocument.Value], _ texts: inout ByteBuffer
) throws(JSONError) {
    skipWhiteSpace(text, &offset)
    guard offset < text.count else { throw unexpected(text, offset, .value) }
    let place = values.count
    switch text[offset] {
    case UInt8(ascii: "{"):
        try parseObject(text, &offset, depth: depth + 1, limits, &values, &texts)
    case UInt8(ascii: "["):
        try parseArray(text, &offset, depth: depth + 1, limits, &values, &texts)
    case UInt8(ascii: "\""):
        let range = try parseString(text, &offset, limits, &texts)
        try append(JSONDocument.Value(kind: .string, text: range), at: offset, limits, &values)
    case UInt8(ascii: "t"):
        try parseLiteral(text, &offset, "true")
        try append(JSONDocument.Value(kind: .boolean, number: 1), at: offset, limits, &values)
    case UInt8(ascii: "f"):
        try parseLiteral(text, &offset, "false")
        try append(JSONDocument.Value(kind: .boolean), at: offset, limits, &values)
    case UInt8(ascii: "n"):
        try parseLiteral(text, &offset, "null")
        try append(JSONDocument.Value(kind: .null), at: offset, limits, &values)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        let number = try parseNumber(text, &offset, limits)
        try append(JSONDocument.Value(kind: .number, number: number), at: offset, limits, &values)
    default: throw unexpected(text, offset, .value)
    }
    values[place].end = values.count
}

// MARK: Arrays and objects

private func parseArray(
    _ text: Span<UInt8>, _ offset: inout Int, depth: Int, _ limits: JSONLimits,
    _ values: inout [JSONDocument.Value], _ texts: inout ByteBuffer
) throws(JSONError) {
    if depth > limits.depthMax { throw JSONError(offset: offset, fault: .tooDeep(max: limits.depthMax)) }
    let place = values.count
    try append(JSONDocument.Value(kind: .array), at: offset, limits, &values)
    offset += 1
    skipWhiteSpace(text, &offset)
    if take(UInt8(ascii: "]"), text, &offset) { return }
    while true {
        try parseValue(text, &offset, depth: depth, limits, &values, &texts)
        values[place].count += 1
        skipWhiteSpace(text, &offset)
        if take(UInt8(ascii: "]"), text, &offset) { return }
        guard take(UInt8(ascii: ","), text, &offset) else { throw unexpected(text, offset, .commaOrBracket) }
    }
}

private func parseObject(
    _ text: Span<UInt8>, _ offset: inout Int, depth: Int, _ limits: JSONLimits,
    _ values: inout [JSONDocument.Value], _ texts: inout ByteBuffer
) throws(JSONError) {
    if depth > limits.depthMax { throw JSONError(offset: offset, fault: .tooDeep(max: limits.depthMax)) }
    let place = values.count
    try append(JSONDocument.Value(kind: .object), at: offset, limits, &values)
    offset += 1
    skipWhiteSpace(text, &offset)
    if take(UInt8(ascii: "}"), text, &offset) { return }
    while true {
        skipWhiteSpace(text, &offset)
        guard offset < text.count, text[offset] == UInt8(ascii: "\"") else {
            throw unexpected(text, offset, values[place].count == 0 ? .nameOrEnd : .name)
        }
        let nameOffset = offset
        let name = try parseString(text, &offset, limits, &texts)
        if values[place].count == limits.membersMax {
            throw JSONError(offset: nameOffset, fault: .tooManyMembers(max: limits.membersMax))
        }
        if hasMember(place, values, named: name, texts) { throw JSONError(offset: nameOffset, fault: .repeatedName) }
        try append(JSONDocument.Value(kind: .string, text: name), at: offset, limits, &values)
        values[values.count - 1].end = values.count
        skipWhiteSpace(text, &offset)
        guard take(UInt8(ascii: ":"), text, &offset) else { throw unexpected(text, offset, .colon) }
        try parseValue(text, &offset, depth: depth, limits, &values, &texts)
        values[place].count += 1
        skipWhiteSpace(text, &offset)
        if take(UInt8(ascii: "}"), text, &offset) { return }
        guard take(UInt8(ascii: ","), text, &offset) else { throw unexpected(text, offset, .commaOrBrace) }
    }
}

/// Whether an object already has a member of this name. Names are compared unescaped: `"k"` and `"\u006b"` are the same.
private func hasMember(
    _ place: Int, _ values: [JSONDocument.Value], named name: Range<Int>, _ texts: borrowing ByteBuffer
) -> Bool {
    texts.withBytes { bytes in
        var next = place + 1
        for _ in 0..<values[place].count {
            let other = values[next].text
            if other.count == name.count,
                (0..<name.count).allSatisfy({
                    bytes[other.lowerBound + $0] == bytes[name.lowerBound + $0]
                })
            {
                return true
            }
            next = values[next + 1].end
        }
        return false
    }
}

private func append(
    _ value: JSONDocument.Value, at offset: Int, _ limits: JSONLimits, _ values: inout [JSONDocument.Value]
) throws(JSONError) {
    if values.count == limits.valuesMax {
        throw JSONError(offset: offset, fault: .tooManyValues(max: limits.valuesMax))
    }
    values.append(value)
}

// MARK: Strings

/// Reads a string with its quotation marks and appends its text, unescaped, to `texts`.
private func parseString(
    _ text: Span<UInt8>, _ offset: inout Int, _ limits: JSONLimits, _ texts: inout ByteBuffer
) throws(JSONError) -> Range<Int> {
    let start = texts.count
    let stringOffset = offset
    offset += 1
    while true {
        var runEnd = offset
        while runEnd < text.count, text[runEnd] >= 0x20, text[runEnd] != UInt8(ascii: "\""),
            text[runEnd] != UInt8(ascii: "\\")
        {
            runEnd += 1
        }
        texts.append(text.extracting(offset..<runEnd))
        offset = runEnd
        if texts.count - start > limits.stringBytesMax {
            throw JSONError(offset: stringOffset, fault: .stringTooLong(bytesMax: limits.stringBytesMax))
        }
        guard offset < text.count else { throw unexpected(text, offset, .stringEnd) }
        if take(UInt8(ascii: "\""), text, &offset) { return start..<texts.count }
        guard take(UInt8(ascii: "\\"), text, &offset) else { throw JSONError(offset: offset, fault: .controlCharacter) }
        try parseEscape(text, &offset, &texts)
    }
}

/// Reads what follows a reverse solidus (RFC 8259 section 7).
private func parseEscape(_ text: Span<UInt8>, _ offset: inout Int, _ texts: inout ByteBuffer) throws(JSONError) {
    guard offset < text.count else { throw unexpected(text, offset, .stringEnd) }
    let escapeOffset = offset
    offset += 1
    switch text[escapeOffset] {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): texts.append(text[escapeOffset])
    case UInt8(ascii: "b"): texts.append(0x08)
    case UInt8(ascii: "f"): texts.append(0x0C)
    case UInt8(ascii: "n"): texts.append(0x0A)
    case UInt8(ascii: "r"): texts.append(0x0D)
    case UInt8(ascii: "t"): texts.append(0x09)
    case UInt8(ascii: "u"):
        let first = try parseFourDigits(text, &offset)
        if first == 0 { throw JSONError(offset: escapeOffset, fault: .nulCharacter) }
        var code = UInt32(first)
        if UTF16.isLeadSurrogate(first) {
            guard offset + 1 < text.count, text[offset] == UInt8(ascii: "\\"), text[offset + 1] == UInt8(ascii: "u")
            else { throw JSONError(offset: escapeOffset, fault: .loneSurrogate) }
            offset += 2
            let second = try parseFourDigits(text, &offset)
            guard UTF16.isTrailSurrogate(second) else { throw JSONError(offset: escapeOffset, fault: .loneSurrogate) }
            code = 0x1_0000 + (UInt32(first) & 0x3FF) << 10 + UInt32(second) & 0x3FF
        }
        guard let scalar = Unicode.Scalar(code) else { throw JSONError(offset: escapeOffset, fault: .loneSurrogate) }
        for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { texts.append(byte) }
    default: throw JSONError(offset: escapeOffset, fault: .badEscape)
    }
}

private func parseFourDigits(_ text: Span<UInt8>, _ offset: inout Int) throws(JSONError) -> UInt16 {
    var value: UInt16 = 0
    for _ in 0..<4 {
        guard offset < text.count else { throw unexpected(text, offset, .stringEnd) }
        let byte = text[offset]
        let digit: UInt8
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
        default: throw JSONError(offset: offset, fault: .badEscape)
        }
        value = value << 4 | UInt16(digit)
        offset += 1
    }
    return value
}

// MARK: Numbers and literals

/// `[ minus ] int [ frac ] [ exp ]`, as the nearest double.
private func parseNumber(_ text: Span<UInt8>, _ offset: inout Int, _ limits: JSONLimits) throws(JSONError) -> Double {
    let start = offset
    let isNegative = take(UInt8(ascii: "-"), text, &offset)
    let integerStart = offset
    if !take(UInt8(ascii: "0"), text, &offset) { try takeDigits(text, &offset) }
    let integer = integerStart..<offset
    var isInteger = true
    if take(UInt8(ascii: "."), text, &offset) {
        isInteger = false
        try takeDigits(text, &offset)
    }
    if take(UInt8(ascii: "e"), text, &offset) || take(UInt8(ascii: "E"), text, &offset) {
        isInteger = false
        if !take(UInt8(ascii: "+"), text, &offset) { _ = take(UInt8(ascii: "-"), text, &offset) }
        try takeDigits(text, &offset)
    }
    if offset - start > limits.numberBytesMax {
        throw JSONError(offset: start, fault: .numberTooLong(bytesMax: limits.numberBytesMax))
    }
    // Fifteen digits are exact in a double; nearly every number there is.
    if isInteger, integer.count <= 15 {
        let value = integer.reduce(0) { $0 * 10 + Int(text[$1] - UInt8(ascii: "0")) }
        return isNegative ? -Double(value) : Double(value)
    }
    let characters = String(decoding: (start..<offset).map { text[$0] }, as: UTF8.self)
    guard let value = Double(characters), value.isFinite else {
        throw JSONError(offset: start, fault: .numberOutOfRange)
    }
    return value
}

/// One digit or more.
private func takeDigits(_ text: Span<UInt8>, _ offset: inout Int) throws(JSONError) {
    let start = offset
    while offset < text.count, text[offset] >= UInt8(ascii: "0"), text[offset] <= UInt8(ascii: "9") { offset += 1 }
    if offset == start { throw unexpected(text, offset, .digit) }
}

private func parseLiteral(_ text: Span<UInt8>, _ offset: inout Int, _ literal: StaticString) throws(JSONError) {
    let end = offset + literal.utf8CodeUnitCount
    guard end <= text.count, equal(text.extracting(offset..<end), literal) else {
        throw unexpected(text, offset, .literal)
    }
    offset = end
}

// MARK: Bytes

private func skipWhiteSpace(_ text: Span<UInt8>, _ offset: inout Int) {
    while offset < text.count,
        text[offset] == 0x20 || text[offset] == 0x0A || text[offset] == 0x0D || text[offset] == 0x09
    {
        offset += 1
    }
}

/// Steps over `byte` if it is next.
private func take(_ byte: UInt8, _ text: Span<UInt8>, _ offset: inout Int) -> Bool {
    guard offset < text.count, text[offset] == byte else { return false }
    offset += 1
    return true
}

private func unexpected(_ text: Span<UInt8>, _ offset: Int, _ wanted: JSONError.Wanted) -> JSONError {
    JSONError(offset: offset, fault: .unexpected(got: offset < text.count ? text[offset] : nil, wanted: wanted))
}
