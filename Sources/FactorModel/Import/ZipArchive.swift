/// A zip archive, as `numpy.savez` and `numpy.savez_compressed` write it: entries stored or deflated, with zip64 sizes.
///
/// ```
/// entries, each behind a local header … central directory … [zip64 end record, its locator] … end record
/// ```
/// Sizes come from the central directory only, because writers may leave them out of the local headers. PKWARE APPNOTE 6.3.9.
package struct ZipArchive {
    struct Entry: Equatable {
        let name: String
        let isDeflated: Bool
        let crc: UInt32
        let storedBytes: Int
        let byteCount: Int
        let headerOffset: Int
    }

    static let entryCountMax = 4096
    static let directoryBytesMax = 1 << 22
    /// Deflate makes at most 1032 bytes of one (zlib's technical notes), so a size beyond that is a lie.
    static let deflateRatioMax = 1032

    private let file: InputFile
    private let entries: [String: Entry]

    package var names: [String] { entries.keys.sorted() }

    package init(path: String) throws(ImportError) {
        file = try InputFile(path)
        let directory = try ZipDirectory(file)
        entries = try directory.readEntries()
    }

    /// The bytes of an entry; nil when there is none of that name.
    ///
    /// The stream throws at its end when size or CRC are not those of the directory.
    func stream(_ name: String) throws(ImportError) -> (stream: any ByteStream, byteCount: Int)? {
        guard let entry = entries[name] else { return nil }
        let start = try dataOffset(of: entry)
        return (ZipEntryStream(file.stream(start..<start + entry.storedBytes), entry), entry.byteCount)
    }

    /// All bytes of an entry; nil when there is none of that name.
    package func bytes(of name: String) throws(ImportError) -> [UInt8]? {
        guard let (stream, _) = try stream(name) else { return nil }
        var bytes: [UInt8] = []
        while case let piece = try stream.next(), !piece.isEmpty { bytes += piece }
        return bytes
    }

    /// Behind the local header, whose name and extra field have lengths of their own.
    private func dataOffset(of entry: Entry) throws(ImportError) -> Int {
        let header = try file.read(at: entry.headerOffset, count: 30)
        guard header.count == 30, header.number(at: 0, bytes: 4) == 0x0403_4B50 else {
            throw fail("no local header of \(ImportError.excerpt(entry.name)) at byte \(entry.headerOffset)")
        }
        let nameBytes = header.number(at: 26, bytes: 2)
        let name = try file.read(at: entry.headerOffset + 30, count: nameBytes)
        guard name == Array(entry.name.utf8) else {
            throw fail("another name in the local header of \(ImportError.excerpt(entry.name))")
        }
        let start = entry.headerOffset + 30 + nameBytes + header.number(at: 28, bytes: 2)
        guard entry.storedBytes <= file.byteCount - start else {
            throw fail("\(ImportError.excerpt(entry.name)) reaching past the end of the file")
        }
        return start
    }

    private func fail(_ got: String) -> ImportError {
        .badArchive(path: file.path, got: got, wanted: "the archive that numpy.savez writes")
    }
}

extension RandomAccessCollection where Element == UInt8, Index == Int {
    /// A little-endian number of at most 7 bytes, or 8 when it is no more than Int's.
    func number(at offset: Int, bytes: Int) -> Int {
        var value: UInt64 = 0
        for byte in 0..<bytes { value |= UInt64(self[startIndex + offset + byte]) << UInt64(byte * 8) }
        // Sizes and offsets: what is over Int.max fits no file, and Int.max fits none either.
        return Int(clamping: value)
    }
}
