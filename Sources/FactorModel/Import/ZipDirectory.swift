/// The central directory of a zip archive, found from the end of the file.
struct ZipDirectory {
    private let file: InputFile
    private let range: Range<Int>
    private let entryCount: Int

    init(_ file: InputFile) throws(ImportError) {
        self.file = file
        // 22 bytes and a comment of at most 65535.
        let tailStart = max(0, file.byteCount - 22 - 65_535)
        let tail = try file.read(at: tailStart, count: file.byteCount - tailStart)
        // The last record whose comment ends with the file: a comment may look like a record.
        let places = tail.count < 22 ? 0..<0 : 0..<tail.count - 21
        let found = places.reversed().first {
            tail[$0] == 0x50 && tail.number(at: $0, bytes: 4) == 0x0605_4B50
                && $0 + 22 + tail.number(at: $0 + 20, bytes: 2) == tail.count
        }
        guard let found else {
            throw .badArchive(path: file.path, got: "no end record", wanted: "the archive that numpy.savez writes")
        }
        let record = tail[found...]
        var disks = [record.number(at: 4, bytes: 2), record.number(at: 6, bytes: 2)]
        var count = record.number(at: 10, bytes: 2)
        var size = record.number(at: 12, bytes: 4)
        var offset = record.number(at: 16, bytes: 4)
        var end = tailStart + found
        if count == 0xFFFF || size == 0xFFFF_FFFF || offset == 0xFFFF_FFFF {
            let large = try Self.largeRecord(file, locatorEnd: end)
            disks = [large.bytes.number(at: 16, bytes: 4), large.bytes.number(at: 20, bytes: 4)]
            count = large.bytes.number(at: 32, bytes: 8)
            size = large.bytes.number(at: 40, bytes: 8)
            offset = large.bytes.number(at: 48, bytes: 8)
            end = large.offset
        }
        guard disks == [0, 0] else {
            throw .badArchive(path: file.path, got: "one of several parts", wanted: "an archive in one file")
        }
        guard count <= ZipArchive.entryCountMax, size <= ZipArchive.directoryBytesMax else {
            throw .badArchive(
                path: file.path, got: "\(count) entries in a directory of \(size) bytes",
                wanted: "at most \(ZipArchive.entryCountMax) in \(ZipArchive.directoryBytesMax)")
        }
        guard offset <= end, size == end - offset else {
            throw .badArchive(
                path: file.path, got: "a directory of \(size) bytes at \(offset)", wanted: "one that ends at \(end)")
        }
        range = offset..<end
        entryCount = count
    }

    /// The zip64 end record, by way of its locator just before the end record.
    private static func largeRecord(
        _ file: InputFile, locatorEnd: Int
    ) throws(ImportError) -> (bytes: [UInt8], offset: Int) {
        let wanted = "a zip64 end record"
        guard locatorEnd >= 20 else { throw .badArchive(path: file.path, got: "no locator", wanted: wanted) }
        let locator = try file.read(at: locatorEnd - 20, count: 20)
        guard locator.count == 20, locator.number(at: 0, bytes: 4) == 0x0706_4B50 else {
            throw .badArchive(path: file.path, got: "no locator", wanted: wanted)
        }
        let offset = locator.number(at: 8, bytes: 8)
        guard offset <= locatorEnd - 20 - 56 else {
            throw .badArchive(path: file.path, got: "a locator that points to byte \(offset)", wanted: wanted)
        }
        let record = try file.read(at: offset, count: 56)
        guard record.count == 56, record.number(at: 0, bytes: 4) == 0x0606_4B50 else {
            throw .badArchive(path: file.path, got: "something else at byte \(offset)", wanted: wanted)
        }
        return (record, offset)
    }

    func readEntries() throws(ImportError) -> [String: ZipArchive.Entry] {
        let bytes = try file.read(at: range.lowerBound, count: range.count)
        guard bytes.count == range.count else { throw fail("a directory that is cut") }
        var entries: [String: ZipArchive.Entry] = [:]
        var rest = bytes[...]
        for _ in 0..<entryCount {
            guard rest.count >= 46, rest.number(at: 0, bytes: 4) == 0x0201_4B50 else {
                throw fail("no entry where one is due")
            }
            let lengths = [28, 30, 32].map { rest.number(at: $0, bytes: 2) }
            let entryBytes = 46 + lengths[0] + lengths[1] + lengths[2]
            guard rest.count >= entryBytes else { throw fail("an entry that is cut") }
            let entry = try entry(rest.prefix(entryBytes), nameBytes: lengths[0], extraBytes: lengths[1])
            guard entries.updateValue(entry, forKey: entry.name) == nil else {
                throw fail("\(ImportError.excerpt(entry.name)) twice")
            }
            rest = rest.dropFirst(entryBytes)
        }
        guard rest.isEmpty else { throw fail("\(rest.count) bytes behind the last entry") }
        return entries
    }

    private func entry(
        _ record: ArraySlice<UInt8>, nameBytes: Int, extraBytes: Int
    ) throws(ImportError) -> ZipArchive.Entry {
        let start = record.startIndex
        guard let name = String(validating: record[start + 46..<start + 46 + nameBytes], as: UTF8.self) else {
            throw fail("a name that is not UTF-8")
        }
        guard record.number(at: 8, bytes: 2) & 1 == 0 else { throw fail("\(ImportError.excerpt(name)) encrypted") }
        let method = record.number(at: 10, bytes: 2)
        guard method == 0 || method == 8 else {
            throw fail("\(ImportError.excerpt(name)) compressed by method \(method)")
        }
        let extra = record[start + 46 + nameBytes..<start + 46 + nameBytes + extraBytes]
        var large = try largeNumbers(extra, name)
        // In this order, and each only when its own field is full.
        func field(_ offset: Int) throws(ImportError) -> Int {
            let value = record.number(at: offset, bytes: 4)
            guard value == 0xFFFF_FFFF else { return value }
            guard let first = large.popFirst() else {
                throw fail("\(ImportError.excerpt(name)) without its zip64 sizes")
            }
            return first
        }
        let byteCount = try field(24)
        let storedBytes = try field(20)
        let headerOffset = try field(42)
        let isDeflated = method == 8
        let inflatedBytesMax = storedBytes.multipliedReportingOverflow(by: ZipArchive.deflateRatioMax)
        guard headerOffset <= file.byteCount, storedBytes <= file.byteCount - headerOffset,
            byteCount == storedBytes
                || isDeflated && byteCount <= inflatedBytesMax.partialValue && !inflatedBytesMax.overflow
        else {
            throw fail(
                "\(ImportError.excerpt(name)) of \(byteCount) bytes from \(storedBytes) at \(headerOffset), which cannot be"
            )
        }
        return ZipArchive.Entry(
            name: name, isDeflated: isDeflated, crc: UInt32(record.number(at: 16, bytes: 4)), storedBytes: storedBytes,
            byteCount: byteCount, headerOffset: headerOffset)
    }

    /// The numbers of the zip64 extra field, if there is one.
    private func largeNumbers(_ extra: ArraySlice<UInt8>, _ name: String) throws(ImportError) -> ArraySlice<Int> {
        var rest = extra
        while rest.count >= 4 {
            let count = rest.number(at: 2, bytes: 2)
            guard count <= rest.count - 4 else { throw fail("\(ImportError.excerpt(name)) with a cut extra field") }
            if rest.number(at: 0, bytes: 2) == 1 {
                let numbers = rest.dropFirst(4).prefix(count)
                return (0..<min(count / 8, 3)).map { numbers.number(at: $0 * 8, bytes: 8) }[...]
            }
            rest = rest.dropFirst(4 + count)
        }
        return []
    }

    private func fail(_ got: String) -> ImportError {
        .badArchive(path: file.path, got: got, wanted: "the archive that numpy.savez writes")
    }
}
