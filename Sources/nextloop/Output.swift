import FoundationEssentials

/// Prints rows in columns that line up, by characters as a terminal counts them. Control characters, which a name or an id
/// from outside may hold and a terminal would obey, are shown as dots.
func printColumns(_ rows: [[String]]) {
    let rows = rows.map { $0.map(withoutControls) }
    let columnCount = rows.map(\.count).max() ?? 0
    let widths = (0..<columnCount).map { column in
        rows.map { $0.count > column ? displayWidth($0[column]) : 0 }.max() ?? 0
    }
    var text = ""
    for row in rows {
        let cells = row.enumerated().map { column, cell in
            column == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[column] - displayWidth(cell))
        }
        text += cells.joined(separator: "  ") + "\n"
    }
    standardOutput(text)
}

func withoutControls(_ text: String) -> String {
    var plain = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        switch scalar.value {
        // Line and paragraph separators, and the marks that turn the direction of what follows.
        case 0x2028...0x202E, 0x2066...0x2069: plain.append("·")
        default: plain.append(scalar.properties.generalCategory == .control ? "·" : scalar)
        }
    }
    return String(plain)
}

/// Columns that a terminal gives a text: two for a Hangul syllable, a Chinese or a full-width character.
///
/// The East Asian wide ranges that menus use (Unicode UAX #11), not the whole table.
private func displayWidth(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { width, scalar in
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFF00...0xFF60:
            width + 2
        default: width + 1
        }
    }
}

/// Prints a value as one JSON object, keys sorted.
///
/// - Parameter done: as for ``standardOutput(_:done:)``.
func printJSON(_ value: some Encodable, done: String? = nil) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.dateEncodingStrategy = .iso8601
    standardOutput("\(String(decoding: try encoder.encode(value), as: UTF8.self))\n", done: done)
}

/// What `train` and `import` end with: the version number alone, or an object.
func printVersion(_ version: Int, model: String, promoted alias: String?, json: Bool) throws {
    struct Published: Encodable {
        let model: String
        let version: Int
        let alias: String?
    }
    let done = "\(model) version \(version) is published\(alias.map { " and \($0) names it" } ?? "")"
    if json {
        try printJSON(Published(model: model, version: version, alias: alias), done: done)
    } else {
        standardOutput("\(version)\n", done: done)
    }
}

/// The last part of a path: where an input file lay is nobody's business downstream.
func fileName(_ path: String) -> String { URL(filePath: path).lastPathComponent }
