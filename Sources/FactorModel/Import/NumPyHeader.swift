/// The header of a `.npy` array: what its elements are and how they lie.
///
/// ```
/// byte 0   \x93 N U M P Y, version (1, 2 or 3), 0
/// byte 8   length of the dictionary: 2 bytes in version 1, else 4, little-endian
/// then     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, spaces and a newline
/// then     the elements
/// ```
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
struct NumPyHeader: Equatable {
    /// Element types that become factors.
    enum ElementType: String, CaseIterable {
        case f4 = "<f4"
        case f8 = "<f8"
        case i1 = "|i1"
        case i2 = "<i2"
        case i4 = "<i4"
        case i8 = "<i8"
        case u1 = "|u1"
        case u2 = "<u2"
        case u4 = "<u4"
        case u8 = "<u8"

        var bytes: Int {
            switch self {
            case .i1, .u1: 1
            case .i2, .u2: 2
            case .f4, .i4, .u4: 4
            case .f8, .i8, .u8: 8
            }
        }
    }

    /// A plain array's dictionary has some 100 bytes.
    static let dictionaryBytesMax = 65_535

    let type: ElementType
    let isFortranOrder: Bool
    /// At most two dimensions.
    let shape: [Int]

    /// Reads the header and leaves the cursor at the elements.
    init(_ cursor: inout ByteCursor, path: String) throws(ImportError) {
        let start = try cursor.take(8)
        guard start.count == 8, Array(start[..<6]) == [0x93] + Array("NUMPY".utf8) else {
            throw .badArray(path: path, got: "another beginning", wanted: "the .npy file that numpy.save writes")
        }
        guard (1...3).contains(start[6]), start[7] == 0 else {
            throw .badArray(path: path, got: "format version \(start[6]).\(start[7])", wanted: "1.0, 2.0 or 3.0")
        }
        let lengthBytes = start[6] == 1 ? 2 : 4
        let length = try cursor.take(lengthBytes)
        let count = length.enumerated().reduce(0) { $0 | Int($1.element) << ($1.offset * 8) }
        guard length.count == lengthBytes, (1...Self.dictionaryBytesMax).contains(count) else {
            throw .badArray(path: path, got: "a header of \(count) bytes", wanted: "1 to \(Self.dictionaryBytesMax)")
        }
        let text = try cursor.take(count)
        guard text.count == count else {
            throw .badArray(path: path, got: "\(text.count) bytes of a header of \(count)", wanted: "all of them")
        }
        var parser = PythonDictionaryParser(text: text, path: path)
        let entries = try parser.parse()
        isFortranOrder = entries.isFortranOrder
        shape = entries.shape
        guard let type = ElementType(rawValue: entries.descr) else {
            throw .badArray(path: path, got: Self.words(for: entries.descr), wanted: "float32: save arr.astype('<f4')")
        }
        self.type = type
    }

    private static func words(for descr: String) -> String {
        switch descr.first {
        case ">": "big-endian elements (\(ImportError.excerpt(descr)))"
        case "|" where descr.dropFirst().first == "O": "pickled objects (\(ImportError.excerpt(descr)))"
        default: "elements of type \(ImportError.excerpt(descr))"
        }
    }
}

/// Reads the one Python literal that a header may be: a dictionary of the three keys of the format.
private struct PythonDictionaryParser {
    private let text: [UInt8]
    private let path: String
    private var place = 0

    init(text: [UInt8], path: String) {
        self.text = text
        self.path = path
    }

    mutating func parse() throws(ImportError) -> (descr: String, isFortranOrder: Bool, shape: [Int]) {
        var descr: String?
        var isFortranOrder: Bool?
        var shape: [Int]?
        try expect("{")
        while !take("}") {
            let key = try string()
            try expect(":")
            switch key {
            case "descr" where descr == nil: descr = try string()
            case "fortran_order" where isFortranOrder == nil: isFortranOrder = try boolean()
            case "shape" where shape == nil: shape = try tuple()
            default: throw fail("the key \(ImportError.excerpt(key))")
            }
            if !take(",") {
                try expect("}")
                break
            }
        }
        skipSpace()
        guard place == text.count else { throw fail("more after the dictionary") }
        guard let descr, let isFortranOrder, let shape else { throw fail("a key missing") }
        return (descr, isFortranOrder, shape)
    }

    private mutating func string() throws(ImportError) -> String {
        skipSpace()
        guard place < text.count, [UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(text[place]) else {
            throw fail("no string (a list here is a structured array)")
        }
        let quote = text[place]
        place += 1
        let start = place
        while place < text.count, text[place] != quote {
            guard (0x20..<0x7F).contains(text[place]), text[place] != UInt8(ascii: "\\") else {
                throw fail("an odd character in a string")
            }
            place += 1
        }
        guard place < text.count else { throw fail("a string without an end") }
        place += 1
        return String(decoding: text[start..<place - 1], as: UTF8.self)
    }

    private mutating func boolean() throws(ImportError) -> Bool {
        skipSpace()
        for (word, value) in [("True", true), ("False", false)] where text[place...].starts(with: word.utf8) {
            place += word.utf8.count
            return value
        }
        throw fail("neither True nor False")
    }

    private mutating func tuple() throws(ImportError) -> [Int] {
        try expect("(")
        var numbers: [Int] = []
        while !take(")") {
            guard numbers.count < 2 else { throw fail("more than 2 dimensions") }
            numbers.append(try number())
            if !take(",") {
                // (3) is a number in Python; a tuple of one is (3,).
                guard numbers.count > 1 else { throw fail("a shape that is no tuple") }
                try expect(")")
                break
            }
        }
        return numbers
    }

    private mutating func number() throws(ImportError) -> Int {
        skipSpace()
        let start = place
        while place < text.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[place]) { place += 1 }
        let digits = String(decoding: text[start..<place], as: UTF8.self)
        guard let value = Int(digits), digits == String(value) else { throw fail("a length that is no plain number") }
        return value
    }

    private mutating func skipSpace() {
        while place < text.count, [UInt8(ascii: " "), UInt8(ascii: "\n")].contains(text[place]) { place += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard place < text.count, text[place] == UInt8(ascii: character) else { return false }
        place += 1
        return true
    }

    private mutating func expect(_ character: Unicode.Scalar) throws(ImportError) {
        guard take(character) else { throw fail("no '\(character)'") }
    }

    private func fail(_ got: String) -> ImportError {
        .badArray(
            path: path, got: "\(got) at byte \(place) of the header",
            wanted: "{'descr': '<f4', 'fortran_order': False, 'shape': (rows, columns), }")
    }
}
