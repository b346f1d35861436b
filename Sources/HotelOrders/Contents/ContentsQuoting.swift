/// Quotes around and inside contents that some step of an export encoded once too often.
enum ContentsQuoting {
    enum Style: Equatable { case plain, doubled, backslashed }

    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")

    /// The range without spaces and quotes, escaped ones too, around it: JSON objects and arrays begin and end with a
    /// bracket.
    static func unwrapped(_ text: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end {
            let isEscape = text[start] == backslash && start + 1 < end && text[start + 1] == quote
            guard isEscape || text[start] == quote || FieldValues.isSpace(text[start]) else { break }
            start += 1
        }
        while start < end
            && (text[end - 1] == quote || text[end - 1] == backslash || FieldValues.isSpace(text[end - 1]))
        {
            end -= 1
        }
        return start..<end
    }

    /// How the first key is quoted. A key is never empty, so two quotes before one are a doubled quote.
    static func style(_ text: Span<UInt8>, _ range: Range<Int>) -> Style {
        var place = range.lowerBound
        while place < range.upperBound && text[place] != UInt8(ascii: "{") { place += 1 }
        place += 1
        while place < range.upperBound && FieldValues.isSpace(text[place]) { place += 1 }
        guard place < range.upperBound else { return .plain }
        if text[place] == quote {
            return place + 1 < range.upperBound && text[place + 1] == quote ? .doubled : .plain
        }
        // Line ends between tokens are encoded in the same text as the quotes.
        return text[place] == backslash ? .backslashed : .plain
    }

    /// A copy with one layer of quoting taken off; bytes that do not belong to it stay.
    static func removing(_ style: Style, _ text: Span<UInt8>, _ range: Range<Int>) -> [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(range.count)
        var place = range.lowerBound
        while place < range.upperBound {
            let byte = text[place]
            let next = place + 1 < range.upperBound ? text[place + 1] : 0
            switch style {
            case .doubled where byte == quote && next == quote:
                plain.append(quote)
                place += 2
            case .backslashed where byte == backslash:
                switch next {
                case quote, backslash, UInt8(ascii: "/"): plain.append(next)
                case UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"): plain.append(0x20)
                // \u stays: as a part of a string it is decoded there.
                default:
                    plain.append(byte)
                    place -= 1
                }
                place += 2
            default:
                plain.append(byte)
                place += 1
            }
        }
        return plain
    }
}
