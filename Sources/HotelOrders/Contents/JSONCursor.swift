/// A place in JSON text, moved over one token at a time. It never goes beyond `end`.
struct JSONCursor {
    var place: Int
    let end: Int
    /// Brackets that are open around the values that ``skipValue(_:)`` steps over.
    var outerDepth = 0

    init(place: Int, end: Int) {
        self.place = place
        self.end = end
    }

    /// The next byte, 0 at the end: a zero byte means nothing in JSON either.
    func peek(_ text: Span<UInt8>) -> UInt8 { place < end ? text[place] : 0 }

    mutating func take(_ byte: UInt8, _ text: Span<UInt8>) -> Bool {
        if place < end && text[place] == byte {
            place += 1
            return true
        }
        return false
    }

    mutating func skipSpace(_ text: Span<UInt8>) {
        while place < end && FieldValues.isSpace(text[place]) { place += 1 }
    }

    /// Steps over a string, line ends and tabs inside it allowed.
    ///
    /// - Returns: where its text lies, quotes left out, escapes still in it.
    mutating func string(_ text: Span<UInt8>) throws(ContentsProblem) -> Range<Int> {
        guard take(UInt8(ascii: "\""), text) else { throw .notJSON }
        let start = place
        while place < end {
            switch text[place] {
            case UInt8(ascii: "\""):
                place += 1
                return start..<place - 1
            case UInt8(ascii: "\\"): place += 2
            default: place += 1
            }
        }
        throw .notJSON
    }

    /// Steps over a value that should be a whole number, or a string that holds one.
    mutating func integer(_ text: Span<UInt8>) throws(ContentsProblem) -> IntegerField {
        switch peek(text) {
        case UInt8(ascii: "\""): return FieldValues.integer(text, try string(text))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return FieldValues.integer(text, number(text))
        case UInt8(ascii: "n"):
            try skipValue(text)
            return .null
        default:
            try skipValue(text)
            return .unusable
        }
    }

    /// Steps over any value.
    ///
    /// Brackets must match; what stands between them is not checked further, for nothing of it is used.
    mutating func skipValue(_ text: Span<UInt8>) throws(ContentsProblem) {
        // One bit for each open bracket, 1 for an object: depth without recursion.
        var kinds: UInt64 = 0
        var depth = 0
        repeat {
            switch peek(text) {
            case UInt8(ascii: "\""): _ = try string(text)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if outerDepth + depth == ContentsParser.depthMax { throw .tooDeep }
                kinds = kinds << 1 | (text[place] == UInt8(ascii: "{") ? 1 : 0)
                depth += 1
                place += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0, kinds & 1 == (text[place] == UInt8(ascii: "}") ? 1 : 0) else { throw .notJSON }
                kinds >>= 1
                depth -= 1
                place += 1
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard depth > 0 else { throw .notJSON }
                place += 1
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): _ = number(text)
            case UInt8(ascii: "t"): try word("true", text)
            case UInt8(ascii: "f"): try word("false", text)
            case UInt8(ascii: "n"): try word("null", text)
            default:
                guard depth > 0, place < end, FieldValues.isSpace(text[place]) else { throw .notJSON }
                place += 1
            }
        } while depth > 0
    }

    private mutating func number(_ text: Span<UInt8>) -> Range<Int> {
        let start = place
        while place < end {
            switch text[place] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                place += 1
            default: return start..<place
            }
        }
        return start..<place
    }

    private mutating func word(_ word: StaticString, _ text: Span<UInt8>) throws(ContentsProblem) {
        let range = place..<min(place + word.utf8CodeUnitCount, end)
        guard FieldValues.equals(text, range, word) else { throw .notJSON }
        place = range.upperBound
    }
}
