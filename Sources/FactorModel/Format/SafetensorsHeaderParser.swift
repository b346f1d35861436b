/// Reads the JSON of a safetensors header: that grammar and nothing more.
///
/// Stricter than JSON, so that a file says one thing to every reader: no key twice, no unknown key in a tensor, no escapes in
/// strings, numbers are digits without a leading zero, nothing but spaces behind the object. One pass, no recursion.
struct SafetensorsHeaderParser {
    /// More tensors, metadata or dimensions than this are refused before memory is spent on them.
    static let entryCountMax = 1024
    static let dimensionCountMax = 8
    static let stringBytesMax = 256

    private(set) var metadata: [String: String] = [:]
    private(set) var tensors: [String: SafetensorsHeader.Tensor] = [:]
    private var place = 0
    private var hasMetadata = false

    mutating func parse(_ json: Span<UInt8>) throws(ModelFileError) {
        // The format has the object begin at once, so a reader may look at one byte to know it.
        guard json.count > 0, json[0] == UInt8(ascii: "{") else { throw fail("wanted '{' first") }
        try object(json, "the header") { (parser, key) throws(ModelFileError) in
            if key == SafetensorsHeader.metadataKey {
                guard !parser.hasMetadata else { throw parser.fail("'\(key)' is there twice") }
                parser.hasMetadata = true
                try parser.parseMetadata(json)
            } else {
                let tensor = try parser.tensor(json, key)
                guard parser.tensors.updateValue(tensor, forKey: key) == nil else {
                    throw parser.fail("tensor '\(key)' is there twice")
                }
            }
        }
        while place < json.count {
            guard json[place] == UInt8(ascii: " ") else { throw fail("wanted only spaces behind the object") }
            place += 1
        }
    }

    private mutating func parseMetadata(_ json: Span<UInt8>) throws(ModelFileError) {
        try object(json, SafetensorsHeader.metadataKey) { (parser, key) throws(ModelFileError) in
            let value = try parser.string(json)
            guard parser.metadata.updateValue(value, forKey: key) == nil else {
                throw parser.fail("metadata '\(key)' is there twice")
            }
        }
    }

    private mutating func tensor(
        _ json: Span<UInt8>, _ name: String
    ) throws(ModelFileError) -> SafetensorsHeader.Tensor {
        var type: TensorType?
        var shape: [Int]?
        var offsets: [Int]?
        try object(json, "tensor '\(name)'") { (parser, key) throws(ModelFileError) in
            switch key {
            case "dtype" where type == nil:
                let text = try parser.string(json)
                type = TensorType(rawValue: text)
                if type == nil { throw .wrongType(tensor: name, got: text, wanted: "F32, I64, U64, U32 or U8") }
            case "shape" where shape == nil: shape = try parser.numbers(json)
            case "data_offsets" where offsets == nil: offsets = try parser.numbers(json)
            default: throw parser.fail("tensor '\(name)' has the key '\(key)' twice, or it is none of the format")
            }
        }
        guard let type, let shape, let offsets else {
            throw fail("tensor '\(name)' lacks dtype, shape or data_offsets")
        }
        guard offsets.count == 2, offsets[0] <= offsets[1] else {
            throw fail("data_offsets of tensor '\(name)' are \(offsets), wanted a begin and an end not before it")
        }
        return SafetensorsHeader.Tensor(type: type, shape: shape, data: offsets[0]..<offsets[1])
    }

    // MARK: Grammar

    /// An object; `member` reads what follows each key's colon.
    private mutating func object(
        _ json: Span<UInt8>, _ what: String,
        _ member: (inout SafetensorsHeaderParser, String) throws(ModelFileError) -> Void
    ) throws(ModelFileError) {
        try expect("{", json)
        skipSpace(json)
        if take("}", json) { return }
        for _ in 0..<Self.entryCountMax {
            skipSpace(json)
            let key = try string(json)
            skipSpace(json)
            try expect(":", json)
            skipSpace(json)
            try member(&self, key)
            skipSpace(json)
            if take("}", json) { return }
            try expect(",", json)
        }
        throw fail("\(what) has more than \(Self.entryCountMax) entries")
    }

    /// An array of numbers, each 0 to 2⁶³ - 1.
    private mutating func numbers(_ json: Span<UInt8>) throws(ModelFileError) -> [Int] {
        try expect("[", json)
        skipSpace(json)
        var numbers: [Int] = []
        if take("]", json) { return numbers }
        while numbers.count < Self.dimensionCountMax {
            skipSpace(json)
            numbers.append(try number(json))
            skipSpace(json)
            if take("]", json) { return numbers }
            try expect(",", json)
        }
        throw fail("more than \(Self.dimensionCountMax) numbers in an array")
    }

    private mutating func number(_ json: Span<UInt8>) throws(ModelFileError) -> Int {
        let start = place
        var value = 0
        while place < json.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(json[place]) {
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflow) = tens.addingReportingOverflow(Int(json[place] - UInt8(ascii: "0")))
            if isTooLarge || overflow { throw fail("a number over \(Int.max)") }
            value = sum
            place += 1
        }
        guard place > start else { throw fail("wanted a number of digits") }
        guard place == start + 1 || json[start] != UInt8(ascii: "0") else { throw fail("a number with a leading zero") }
        return value
    }

    private mutating func string(_ json: Span<UInt8>) throws(ModelFileError) -> String {
        try expect("\"", json)
        let start = place
        while place < json.count, json[place] != UInt8(ascii: "\"") {
            guard json[place] >= 0x20, json[place] != UInt8(ascii: "\\") else {
                throw fail("a control character or an escape in a string")
            }
            place += 1
        }
        guard place - start <= Self.stringBytesMax else { throw fail("a string over \(Self.stringBytesMax) bytes") }
        guard let text = try? UTF8Span(validating: json.extracting(start..<place)) else {
            throw fail("a string that is not UTF-8")
        }
        try expect("\"", json)
        return String(copying: text)
    }

    private mutating func skipSpace(_ json: Span<UInt8>) {
        while place < json.count, [0x20, 0x09, 0x0A, 0x0D].contains(json[place]) { place += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar, _ json: Span<UInt8>) -> Bool {
        guard place < json.count, json[place] == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar, _ json: Span<UInt8>) throws(ModelFileError) {
        guard take(character, json) else { throw fail("wanted '\(character)'") }
    }

    private func fail(_ reason: String) -> ModelFileError {
        .badHeader(reason: "\(reason), at byte \(place) of the header")
    }
}
