/// Reads the `contents` of one row after another: JSON, or what real exports hold instead.
///
/// Beyond JSON it takes: text wrapped in extra quotes; quotes doubled once or twice more (`""itemSeq""`); text encoded
/// as a JSON string (`\"itemSeq\"`); line ends and tabs inside strings; whole numbers written as strings; a trailing
/// comma. Values of unknown keys are stepped over with brackets matched and nothing else checked.
///
/// Our own, because the field is read once per row of a table of millions and a JSON library takes none of the above.
struct ContentsParser {
    /// Brackets inside one another, the element's own and the array's around it among them, and elements of one row.
    static let depthMax = 64
    static let elementCountMax = 1000
    /// Times that quotes are taken off before the text is given up.
    static let encodingCountMax = 3

    private(set) var elements: [ContentsElement] = []
    /// Cleaned names of all elements, one behind the other.
    private(set) var names: [UInt8] = []
    private let keys = ContentsKeys()
    /// Room for the longest field so far.
    private var fieldText: [UInt8] = []

    /// Fills `elements` and `names` from a field of a record.
    mutating func parse(_ bytes: Span<UInt8>, _ field: CSVField) throws(ContentsProblem) {
        if !field.hasDoubledQuotes { return try parse(bytes.extracting(field.range)) }
        if fieldText.count < field.range.count {
            fieldText.append(contentsOf: repeatElement(0, count: field.range.count - fieldText.count))
        }
        var target = fieldText.mutableSpan
        let count = CSVScanner.copyText(bytes, field, into: &target)
        let text = fieldText
        try parse(text.span.extracting(0..<count))
    }

    /// Fills `elements` and `names` from a field's text, doubled CSV quotes already single.
    mutating func parse(_ text: Span<UInt8>) throws(ContentsProblem) {
        elements.removeAll(keepingCapacity: true)
        names.removeAll(keepingCapacity: true)
        let range = ContentsQuoting.unwrapped(text, 0..<text.count)
        if FieldValues.isNull(text, range) { throw .empty }
        guard UTF8Check.isValid(text) else { throw .notUTF8 }
        var style = ContentsQuoting.style(text, range)
        if style == .plain { return try parseValue(text, range) }
        // The rare way: a copy in plain quotes.
        var plain = ContentsQuoting.removing(style, text, range)
        var encodingCount = 1
        while true {
            let range = ContentsQuoting.unwrapped(plain.span, 0..<plain.count)
            style = ContentsQuoting.style(plain.span, range)
            if style == .plain || encodingCount == Self.encodingCountMax { return try parseValue(plain.span, range) }
            plain = ContentsQuoting.removing(style, plain.span, range)
            encodingCount += 1
        }
    }

    /// One object, or an array of them.
    private mutating func parseValue(_ text: Span<UInt8>, _ range: Range<Int>) throws(ContentsProblem) {
        var cursor = JSONCursor(place: range.lowerBound, end: range.upperBound)
        cursor.skipSpace(text)
        switch cursor.peek(text) {
        case UInt8(ascii: "{"): try parseObject(text, &cursor)
        case UInt8(ascii: "["): try parseArray(text, &cursor)
        default: throw .notJSON
        }
        cursor.skipSpace(text)
        if cursor.place != cursor.end { throw .notJSON }
    }

    private mutating func parseArray(_ text: Span<UInt8>, _ cursor: inout JSONCursor) throws(ContentsProblem) {
        cursor.place += 1
        cursor.outerDepth += 1
        while true {
            cursor.skipSpace(text)
            if cursor.take(UInt8(ascii: "]"), text) { return }
            if cursor.peek(text) == UInt8(ascii: "{") {
                try parseObject(text, &cursor)
            } else {
                // Not an object: an element without an id.
                try cursor.skipValue(text)
                try append(ContentsElement())
            }
            cursor.skipSpace(text)
            if cursor.take(UInt8(ascii: "]"), text) { return }
            guard cursor.take(UInt8(ascii: ","), text) else { throw .notJSON }
        }
    }

    private mutating func append(_ element: ContentsElement) throws(ContentsProblem) {
        if elements.count == Self.elementCountMax { throw .tooManyItems }
        elements.append(element)
    }

    private mutating func parseObject(_ text: Span<UInt8>, _ cursor: inout JSONCursor) throws(ContentsProblem) {
        var element = ContentsElement()
        var expected = 0
        cursor.place += 1
        cursor.outerDepth += 1
        while true {
            cursor.skipSpace(text)
            if cursor.take(UInt8(ascii: "}"), text) { break }
            let key = try cursor.string(text)
            cursor.skipSpace(text)
            guard cursor.take(UInt8(ascii: ":"), text) else { throw .notJSON }
            cursor.skipSpace(text)
            switch keys.find(text, key, expected: &expected) {
            case .itemName: try parseName(text, &cursor, &element)
            case .itemSeq: element.itemSeq = try cursor.integer(text)
            case .count: element.count = try cursor.integer(text)
            case .departmentSeq: element.departmentSeq = try cursor.integer(text)
            case .price: element.price = try cursor.integer(text)
            case .waitingPeriod: element.waitingPeriod = try cursor.integer(text)
            case .delayPeriod: element.delayPeriod = try cursor.integer(text)
            case .freeCount: element.freeCount = try cursor.integer(text)
            case .couponSeq: element.couponSeq = try cursor.integer(text)
            case .resultPrice: element.resultPrice = try cursor.integer(text)
            case .completePeriod: element.completePeriod = try cursor.integer(text)
            case .orderType, nil: try cursor.skipValue(text)
            }
            cursor.skipSpace(text)
            if cursor.take(UInt8(ascii: "}"), text) { break }
            guard cursor.take(UInt8(ascii: ","), text) else { throw .notJSON }
        }
        cursor.outerDepth -= 1
        try append(element)
    }

    private mutating func parseName(
        _ text: Span<UInt8>, _ cursor: inout JSONCursor, _ element: inout ContentsElement
    ) throws(ContentsProblem) {
        guard cursor.peek(text) == UInt8(ascii: "\"") else { return try cursor.skipValue(text) }
        let start = names.count
        ContentsText.appendCleaned(text, try cursor.string(text), to: &names)
        element.name = start..<names.count
    }
}
