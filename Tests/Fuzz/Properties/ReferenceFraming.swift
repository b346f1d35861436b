/// Where requests end, by RFC 9112 sections 2.2, 6 and 7.1, written without a thought for speed or for bytes that come
/// later: the oracle for what the connection accepts. It judges framing only; what else is wrong it does not see.
struct ReferenceFraming {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    struct Message: Equatable {
        var firstLine: [UInt8]
        var body: [UInt8]
    }

    /// The next message; nil when there is none, or none that is whole.
    mutating func next() -> Message? {
        if bytes[place...].starts(with: [0x0D, 0x0A]) { place += 2 }
        guard let head = line(endingIn: [0x0D, 0x0A, 0x0D, 0x0A]) else { return nil }
        let lines = Self.lines(of: head)
        guard let first = lines.first else { return nil }
        var length = 0
        var isChunked = false
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: 0x3A) else { return nil }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            let value = String(decoding: line[(colon + 1)...], as: UTF8.self).filter { $0 != " " && $0 != "\t" }
            if name == "content-length" {
                guard let digits = Int(value), digits >= 0 else { return nil }
                length = digits
            }
            if name == "transfer-encoding" { isChunked = value.lowercased() == "chunked" }
        }
        if isChunked { return chunkedBody().map { Message(firstLine: first, body: $0) } }
        guard bytes.count - place >= length else { return nil }
        defer { place += length }
        return Message(firstLine: first, body: Array(bytes[place..<(place + length)]))
    }

    private mutating func chunkedBody() -> [UInt8]? {
        var body: [UInt8] = []
        while true {
            guard let sizeLine = line(endingIn: [0x0D, 0x0A]) else { return nil }
            let digits = sizeLine.prefix { Character(Unicode.Scalar($0)).isHexDigit }
            guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16) else { return nil }
            if size == 0 { break }
            guard bytes.count - place >= size + 2, bytes[(place + size)...].starts(with: [0x0D, 0x0A]) else {
                return nil
            }
            body += bytes[place..<(place + size)]
            place += size + 2
        }
        while true {
            guard let trailer = line(endingIn: [0x0D, 0x0A]) else { return nil }
            if trailer.isEmpty { return body }
        }
    }

    /// What comes before the next `end`, which is stepped over.
    private mutating func line(endingIn end: [UInt8]) -> [UInt8]? {
        var index = place
        while index + end.count <= bytes.count {
            if bytes[index..<(index + end.count)].elementsEqual(end) {
                defer { place = index + end.count }
                return Array(bytes[place..<index])
            }
            index += 1
        }
        return nil
    }

    private static func lines(of head: [UInt8]) -> [[UInt8]] {
        head.split(separator: 0x0A, omittingEmptySubsequences: false).map { line in
            Array(line.last == 0x0D ? line.dropLast() : line)
        }
    }
}
