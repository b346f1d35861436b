/// Interactions from a CSV file with the columns `user_id,item_id,value`.
struct InteractionsFile {
    static let columns = ["user_id", "item_id", "value"]

    let interactions: InteractionMatrix
    /// Lines that name a user and an item which an earlier line has named; their values were added.
    let repeatedCount: Int

    /// - Throws: `badLine` for a user or an item that the id files do not have, and for a value that is no positive number.
    init(path: String, users: IDTable, items: IDTable) throws(ImportError) {
        var entries: [Entry] = []
        var reader = CSVReader(try InputFile(path))
        let places = try reader.header(Self.columns)
        while let fields = try reader.nextRecord() {
            guard let user = users.row(of: fields[places[0]]) else {
                throw reader.fail("user \(ImportError.excerpt(fields[places[0]]))", "one of the user id file")
            }
            guard let item = items.row(of: fields[places[1]]) else {
                throw reader.fail("item \(ImportError.excerpt(fields[places[1]]))", "one of the item id file")
            }
            entries.append(
                Entry(user: UInt32(user), item: UInt32(item), value: try Self.value(fields[places[2]], reader)))
        }
        (interactions, repeatedCount) = Self.matrix(entries, rowCount: users.ids.count, columnCount: items.ids.count)
        guard interactions.values.allSatisfy(\.isFinite) else {
            throw .mismatch(
                got: "values of one user and item in \(path) that add up to infinity", wanted: "a finite sum")
        }
    }

    private struct Entry {
        let user: UInt32
        let item: UInt32
        let value: Float
    }

    /// A positive decimal number. Swift also reads "nan", "inf", "0x1p3" and "+5" as numbers.
    private static func value(_ field: String, _ reader: CSVReader) throws(ImportError) -> Float {
        let isPlain =
            field.utf8.first.map { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } == true
            && field.utf8.allSatisfy { byte in
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || [".", "e", "E", "+", "-"].contains { byte == UInt8(ascii: $0) }
            }
        guard isPlain, let value = Float(field), value.isFinite, value > 0 else {
            throw reader.fail(
                "the value \(ImportError.excerpt(field))", "a number over 0 that float32 holds, such as 3 or 0.5")
        }
        return value
    }

    /// Counting sort by user, then each user's items; values of one user and item are added in the order of the file.
    private static func matrix(
        _ entries: [Entry], rowCount: Int, columnCount: Int
    ) -> (InteractionMatrix, repeatedCount: Int) {
        var starts = [Int](repeating: 0, count: rowCount + 1)
        for entry in entries { starts[Int(entry.user) + 1] += 1 }
        for row in 0..<rowCount { starts[row + 1] += starts[row] }
        var byUser = [Int](repeating: 0, count: entries.count)
        var next = starts
        for place in entries.indices {
            let user = Int(entries[place].user)
            byUser[next[user]] = place
            next[user] += 1
        }
        var indptr: [UInt64] = [0]
        var indices: [UInt32] = []
        var sums: [Double] = []
        for row in 0..<rowCount {
            let first = indices.count
            let places = byUser[starts[row]..<starts[row + 1]].sorted {
                (entries[$0].item, $0) < (entries[$1].item, $1)
            }
            for place in places {
                let entry = entries[place]
                if indices.count > first, indices[indices.count - 1] == entry.item {
                    sums[sums.count - 1] += Double(entry.value)
                } else {
                    indices.append(entry.item)
                    sums.append(Double(entry.value))
                }
            }
            indptr.append(UInt64(indices.count))
        }
        let matrix = InteractionMatrix(
            rowCount: rowCount, columnCount: columnCount, indptr: indptr, indices: indices,
            values: sums.map { Float($0) })
        return (matrix, entries.count - indices.count)
    }
}
