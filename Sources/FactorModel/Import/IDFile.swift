/// Ids that can be searched for, in row order.
struct IDTable {
    let ids: [String]
    private let slots: [UInt32]

    init(_ ids: [String]) throws(IDHash.Failure) {
        self.ids = ids
        slots = try IDHash.table(of: ids)
    }

    func row(of id: String) -> Int? {
        var slot = Int(truncatingIfNeeded: IDHash.hash(id.utf8.span)) & (slots.count - 1)
        while slots[slot] != IDHash.empty {
            let row = Int(slots[slot])
            if ids[row].utf8.elementsEqual(id.utf8) { return row }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }
}

extension IDTable {
    /// Reads ids, one a line in row order: LF or CRLF, the last line with or without it, UTF-8 with or without a byte order mark.
    ///
    /// - Throws: `badLine` for an empty line, an id over 256 bytes, one that is not UTF-8, one with U+0000 in it, which no
    ///   request can name, and one that was there before.
    init(path: String) throws(ImportError) {
        var cursor = ByteCursor(try InputFile(path).stream())
        var ids: [String] = []
        var line: [UInt8] = []
        var isAtEnd = false
        while !isAtEnd {
            line.removeAll(keepingCapacity: true)
            while true {
                guard let byte = try cursor.next() else {
                    isAtEnd = true
                    break
                }
                if byte == UInt8(ascii: "\n") { break }
                line.append(byte)
                // With room for a carriage return and the mark; the exact bound is below.
                guard line.count <= ModelLimits.idBytesMax + 4 else { throw Self.tooLong(path, ids.count + 1) }
            }
            if isAtEnd, line.isEmpty { break }
            ids.append(try Self.id(line, path, ids.count + 1))
            guard ids.count <= ModelLimits.rowCountMax else {
                throw .badLine(
                    path: path, line: ids.count, got: "one more id", wanted: "at most \(ModelLimits.rowCountMax)")
            }
        }
        do throws(IDHash.Failure) {
            try self.init(ids)
        } catch {
            switch error {
            case .repeated(let row):
                throw .badLine(
                    path: path, line: row + 1, got: "\(ImportError.excerpt(ids[row])), which an earlier line has",
                    wanted: "each id once")
            case .crowded(let row):
                throw .badLine(
                    path: path, line: row + 1, got: "more than \(IDHash.probeCountMax) ids that hash alike",
                    wanted: "other ids")
            }
        }
    }

    private static func id(_ line: [UInt8], _ path: String, _ number: Int) throws(ImportError) -> String {
        var bytes = line[...]
        if number == 1, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = bytes.dropFirst(3) }
        if bytes.last == UInt8(ascii: "\r") { bytes = bytes.dropLast() }
        guard bytes.count <= ModelLimits.idBytesMax else { throw tooLong(path, number) }
        guard !bytes.isEmpty else { throw .badLine(path: path, line: number, got: "an empty line", wanted: "an id") }
        guard let id = String(validating: bytes, as: UTF8.self) else {
            throw .badLine(path: path, line: number, got: "bytes that are not UTF-8", wanted: "UTF-8")
        }
        if bytes.contains(0) {
            throw .badLine(
                path: path, line: number, got: "the id \(ImportError.excerpt(id)) with U+0000 in it",
                wanted: "an id that a request can name: without U+0000")
        }
        return id
    }

    private static func tooLong(_ path: String, _ line: Int) -> ImportError {
        .badLine(
            path: path, line: line, got: "an id over \(ModelLimits.idBytesMax) bytes",
            wanted: "at most \(ModelLimits.idBytesMax)")
    }
}
