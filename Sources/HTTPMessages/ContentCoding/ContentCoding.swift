/// What content is coded with (RFC 9110 section 8.4.1), as far as it is known here.
package enum ContentCoding: UInt8, Sendable, Equatable {
    case identity
    case gzip
    /// Another, or more than one.
    case unsupported

    /// Takes in one Content-Encoding field: codings in the order in which they were applied (RFC 9110 section 8.4). `x-gzip`
    /// is gzip (section 8.4.1.3); `identity`, which has no place there, is no coding.
    mutating func add(_ value: Range<Int>, _ bytes: Span<UInt8>) {
        var coding = self
        bytes.forEachListMember(in: value) { member in
            let name = bytes.extracting(member)
            if name.equalsIgnoringCase("identity") { return }
            // Twice is a body within a body: nobody sends it in good faith.
            coding = coding == .identity && isGzip(name) ? .gzip : .unsupported
        }
        self = coding
    }
}

/// The codings an answer may have (RFC 9110 section 12.5.3), of those that matter here: gzip and none.
///
/// Weights are in thousandths. A member whose weight cannot be read counts as not said; of several the last one counts.
package struct AcceptedCodings: Sendable, Equatable {
    private static let unsaid: Int16 = -1
    private static let most: Int16 = 1000
    private var gzip = unsaid
    private var identity = unsaid
    private var any = unsaid

    package init() {}

    private var gzipWeight: Int16 { gzip == Self.unsaid ? any : gzip }
    /// As `*` says for what is not named; said nowhere, it is acceptable, and less wanted than whatever is named.
    private var identityWeight: Int16 { identity == Self.unsaid ? any : identity }

    /// Whether gzip is acceptable, and not less than no coding.
    package var prefersGzip: Bool { gzipWeight > 0 && gzipWeight >= identityWeight }

    /// Whether an answer as it is would not be acceptable, however small.
    package var refusesIdentity: Bool { identityWeight == 0 }

    var acceptsNothing: Bool { refusesIdentity && gzipWeight <= 0 }

    /// Takes in one Accept-Encoding field.
    mutating func read(_ value: Range<Int>, _ bytes: Span<UInt8>) {
        var codings = self
        bytes.forEachListMember(in: value) { member in
            var nameEnd = member.lowerBound
            while nameEnd < member.upperBound, CharacterSet128.token.contains(bytes[nameEnd]) { nameEnd += 1 }
            let name = bytes.extracting(member.lowerBound..<nameEnd)
            guard let weight = Self.weight(bytes.trimmingWhiteSpace(nameEnd..<member.upperBound), bytes) else { return }
            if isGzip(name) {
                codings.gzip = weight
            } else if name.equalsIgnoringCase("identity") {
                codings.identity = weight
            } else if name.equals("*") {
                codings.any = weight
            }
        }
        self = codings
    }

    /// `OWS ";" OWS "q=" qvalue` (RFC 9110 section 12.4.2), in thousandths; 1 when nothing is said, nil when it is something else.
    private static func weight(_ range: Range<Int>, _ bytes: Span<UInt8>) -> Int16? {
        if range.isEmpty { return most }
        guard bytes[range.lowerBound] == UInt8(ascii: ";") else { return nil }
        let weight = bytes.trimmingWhiteSpace((range.lowerBound + 1)..<range.upperBound)
        let start = weight.lowerBound
        guard (3...7).contains(weight.count), bytes[start].asciiLowercased == UInt8(ascii: "q"),
            bytes[start + 1] == UInt8(ascii: "="), bytes[start + 2].isDigit,
            weight.count == 3 || bytes[start + 3] == UInt8(ascii: ".")
        else { return nil }
        var value = Int16(bytes[start + 2] - UInt8(ascii: "0")) * most
        var unit = most / 10
        for index in (start + 3)..<weight.upperBound where index > start + 3 {
            guard bytes[index].isDigit else { return nil }
            value += Int16(bytes[index] - UInt8(ascii: "0")) * unit
            unit /= 10
        }
        return value <= most ? value : nil
    }
}

private func isGzip(_ name: Span<UInt8>) -> Bool {
    name.equalsIgnoringCase("gzip") || name.equalsIgnoringCase("x-gzip")
}
