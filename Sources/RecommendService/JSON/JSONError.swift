/// Why bytes are not JSON that we take, and where: the offset counts from the first byte of the text.
package struct JSONError: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Fault: Equatable, Sendable {
        case invalidUTF8
        /// nil at the end of the text.
        case unexpected(got: UInt8?, wanted: Wanted)
        case trailingBytes
        case controlCharacter
        case badEscape
        case loneSurrogate
        case nulCharacter
        case repeatedName
        case tooDeep(max: Int)
        case tooManyValues(max: Int)
        case tooManyMembers(max: Int)
        case stringTooLong(bytesMax: Int)
        case numberTooLong(bytesMax: Int)
        case numberOutOfRange
    }

    package enum Wanted: String, Sendable {
        case value = "a value"
        case name = "a name in quotation marks"
        case nameOrEnd = "a name in quotation marks or }"
        case colon = "a colon"
        case commaOrBrace = "a comma or }"
        case commaOrBracket = "a comma or ]"
        case literal = "true, false or null"
        case digit = "a digit"
        case stringEnd = "the rest of a string"
    }

    package let offset: Int
    package let fault: Fault

    package var description: String { "at byte \(offset): \(what)" }

    private var what: String {
        switch fault {
        case .invalidUTF8: "the text is not UTF-8"
        case .unexpected(let got, let wanted): "got \(Self.safe(got)), wanted \(wanted.rawValue)"
        case .trailingBytes: "got more after the value, wanted the end"
        case .controlCharacter: "a string holds a control character; wanted it escaped"
        case .badEscape: "a string holds an escape that JSON does not have"
        case .loneSurrogate: "a string holds half of a surrogate pair"
        case .nulCharacter: "a string holds U+0000, which no id or name has"
        case .repeatedName: "an object has the same name twice"
        case .tooDeep(let max): "arrays and objects are nested more than \(max) deep"
        case .tooManyValues(let max): "there are more than \(max) names and values"
        case .tooManyMembers(let max): "an object has more than \(max) members"
        case .stringTooLong(let max): "a string has more than \(max) bytes"
        case .numberTooLong(let max): "a number has more than \(max) characters"
        case .numberOutOfRange: "a number is too large for 64-bit floating point"
        }
    }

    /// A byte in words that are safe to send back: markup and what cannot be printed by its number.
    private static func safe(_ byte: UInt8?) -> String {
        guard let byte else { return "the end" }
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "."), UInt8(ascii: "+"),
            UInt8(ascii: "-"):
            return String(Unicode.Scalar(byte))
        default: return "byte \(byte)"
        }
    }
}

/// Bounds of one JSON text; one past is an error. Its bytes are bounded by the request.
package struct JSONLimits: Sendable {
    /// Arrays and objects inside each other. Our requests need three.
    package var depthMax = 8
    /// Names and values together. The largest request there can be has 9,032.
    package var valuesMax = 16_384
    /// Members of one object.
    package var membersMax = 32
    /// Decoded bytes of one string: four times the longest id.
    package var stringBytesMax = 1024
    /// Characters of one number.
    package var numberBytesMax = 64

    package init() {}
}
