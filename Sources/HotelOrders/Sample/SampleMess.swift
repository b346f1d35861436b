/// What goes wrong on the way from the table to the export.
enum SampleMess {
    /// Harmless: the row can still be read.
    enum Contents: CaseIterable {
        case object, doubled, wrapped, brokenLines, nullKeys, missingKeys, textNumbers, backslashed
    }

    /// The row cannot be used.
    enum Row: CaseIterable { case emptyContents, cutContents, missingField, badDate, noItemID, badCustomer }

    /// Of the harmless mess, so many rows are unusable.
    static let unusableShare = 0.2

    /// Makes JSON text look as exports hold it.
    static func apply(_ mess: Contents, to json: [UInt8], _ random: inout SampleRandom) -> [UInt8] {
        switch mess {
        case .object, .nullKeys, .missingKeys, .textNumbers: json
        case .doubled: replacing(json, [UInt8(ascii: "\""), UInt8(ascii: "\"")])
        case .backslashed: replacing(json, [UInt8(ascii: "\\"), UInt8(ascii: "\"")])
        case .wrapped: [UInt8(ascii: "\"")] + json + [UInt8(ascii: "\"")]
        case .brokenLines: brokenOverLines(json, &random)
        }
    }

    private static func replacing(_ json: [UInt8], _ quote: [UInt8]) -> [UInt8] {
        json.flatMap { $0 == UInt8(ascii: "\"") ? quote : [$0] }
    }

    /// A line end or a tab after some commas, and in place of some spaces of names.
    private static func brokenOverLines(_ json: [UInt8], _ random: inout SampleRandom) -> [UInt8] {
        let breaks: [[UInt8]] = [[0x0A], [0x0D, 0x0A], [0x09], [0x0A, 0x09]]
        var broken: [UInt8] = []
        for byte in json {
            if byte == UInt8(ascii: " ") && random.chance(percent: 50) {
                broken += random.pick(breaks)
                continue
            }
            broken.append(byte)
            if byte == UInt8(ascii: ",") && random.chance(percent: 50) { broken += random.pick(breaks) }
        }
        return broken
    }
}
