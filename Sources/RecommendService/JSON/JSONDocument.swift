import HTTPMessages

/// One JSON text (RFC 8259) as a flat list of values, in the order in which they were written.
///
/// ```
/// {"k":5,"allow":["a"]}   →   object(end 6) · "k" · 5 · "allow" · array(end 6) · "a"
/// ```
///
/// An object is followed by its names and values in turn, an array by its elements; `end` is the place behind the last of
/// them, so that a value is skipped in one step. Kept by its loop and reused: once it has grown to the largest request,
/// nothing is allocated.
package struct JSONDocument: ~Copyable {
    package enum Kind: Sendable {
        case null, boolean, number, string, array, object

        /// For messages: "was a number".
        package var inWords: StaticString {
            switch self {
            case .null: "null"
            case .boolean: "a boolean"
            case .number: "a number"
            case .string: "a string"
            case .array: "a list"
            case .object: "an object"
            }
        }
    }

    struct Value {
        var kind: Kind
        /// Of a number; 0 or 1 of a boolean.
        var number = 0.0
        /// Of a string: where its bytes lie in `texts`.
        var text = 0..<0
        /// The place behind the value and everything in it.
        var end = 0
        /// Elements of an array, members of an object.
        var count = 0
    }

    private var values: [Value] = []
    /// The strings, unescaped, one behind the other.
    private var texts = ByteBuffer(capacity: 256)

    package init() {}

    /// The place of the whole text's value.
    package static var root: Int { 0 }

    /// Replaces what was held by the value of `text`.
    ///
    /// Strict: UTF-8 without a byte order mark, no duplicate names, no lone surrogates, nothing after the value but white
    /// space. After an error the document holds nothing that may be looked at.
    ///
    /// - Complexity: O(bytes), and O(members²) in each object, which `membersMax` bounds.
    package mutating func parse(_ text: Span<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
        values.removeAll(keepingCapacity: true)
        texts.removeAll()
        if !isValidUTF8(text) { throw JSONError(offset: 0, fault: .invalidUTF8) }
        var offset = 0
        try parseText(text, &offset, limits, &values, &texts)
    }

    // MARK: Looking

    package func kind(_ place: Int) -> Kind { values[place].kind }

    /// - Precondition: a number.
    package func number(_ place: Int) -> Double {
        precondition(values[place].kind == .number, "BUG: not a number")
        return values[place].number
    }

    /// - Precondition: a boolean.
    package func boolean(_ place: Int) -> Bool {
        precondition(values[place].kind == .boolean, "BUG: not a boolean")
        return values[place].number != 0
    }

    /// Elements of an array, members of an object.
    package func count(_ place: Int) -> Int { values[place].count }

    /// Lends the bytes of a string.
    ///
    /// - Precondition: a string.
    package func withString<R, E: Error>(_ place: Int, _ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
        precondition(values[place].kind == .string, "BUG: not a string")
        let range = values[place].text
        return try texts.withBytes { bytes throws(E) in try body(bytes.extracting(range)) }
    }

    /// Calls `body` with the number and the place of each element of an array, in order.
    package func forEachElement<E: Error>(of place: Int, _ body: (Int, Int) throws(E) -> Void) throws(E) {
        precondition(values[place].kind == .array, "BUG: not an array")
        var next = place + 1
        for number in 0..<values[place].count {
            try body(number, next)
            next = values[next].end
        }
    }

    /// Calls `body` with the places of the name and of the value of each member of an object, in order.
    package func forEachMember<E: Error>(of place: Int, _ body: (Int, Int) throws(E) -> Void) throws(E) {
        precondition(values[place].kind == .object, "BUG: not an object")
        var name = place + 1
        for _ in 0..<values[place].count {
            try body(name, name + 1)
            name = values[name + 1].end
        }
    }
}
