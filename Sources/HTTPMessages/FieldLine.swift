/// Where a header or trailer line has its name and its trimmed value.
struct FieldLine {
    var name: Range<Int>
    var value: Range<Int>
    /// Of the line, behind the white space that follows the value.
    var end: Int
}

/// Takes apart `field-name ":" OWS field-value OWS` (RFC 9112 section 5), the line end already cut off.
func fieldLine(_ line: Range<Int>, _ bytes: Span<UInt8>) throws(Refusal) -> FieldLine {
    // A continuation of the line before (obs-fold): to be refused or replaced, RFC 9112 section 5.2.
    if !line.isEmpty, bytes[line.lowerBound].isOptionalWhiteSpace { throw .malformed(.foldedField) }
    var nameEnd = line.lowerBound
    while nameEnd < line.upperBound, CharacterSet128.token.contains(bytes[nameEnd]) { nameEnd += 1 }
    // White space before the colon has been used for smuggling: RFC 9112 section 5.1 wants a 400.
    guard nameEnd > line.lowerBound, nameEnd < line.upperBound, bytes[nameEnd] == .colon else {
        throw .malformed(.fieldName)
    }
    // CR, LF and NUL are dangerous, the other controls invalid: RFC 9110 section 5.5.
    for index in (nameEnd + 1)..<line.upperBound where !bytes[index].isFieldContent { throw .malformed(.fieldValue) }
    return FieldLine(
        name: line.lowerBound..<nameEnd, value: bytes.trimmingWhiteSpace((nameEnd + 1)..<line.upperBound),
        end: line.upperBound)
}
