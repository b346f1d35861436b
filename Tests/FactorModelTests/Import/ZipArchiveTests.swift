import FactorModel
import Foundation
import TestSupport
import Testing

@Suite("Zip archive") struct ZipArchiveTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func number(_ value: Int, _ bytes: Int) -> [UInt8] {
        (0..<bytes).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    private func crc32(_ bytes: [UInt8]) -> Int {
        var crc: UInt32 = .max
        for byte in bytes {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = (crc >> 1) ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
        }
        return Int(~crc)
    }

    private struct Fields {
        var flags = 0
        var method = 0
        var crc: Int?
        var storedBytes: Int?
        var byteCount: Int?
        var localName: String?
        var headerOffset: Int?
    }

    /// One entry, with any of its fields told otherwise.
    private func archive(
        _ name: String, _ data: [UInt8], _ fields: Fields = Fields(), copies: Int = 1, comment: [UInt8] = [],
        zip64: Bool = false,
        entryCount: Int? = nil, directoryBytes: Int? = nil, disk: Int = 0
    ) -> [UInt8] {
        let crc = number(fields.crc ?? crc32(data), 4)
        let localName = Array((fields.localName ?? name).utf8)
        let local =
            [0x50, 0x4B, 3, 4] + number(20, 2) + number(fields.flags, 2) + number(fields.method, 2) + number(0, 4) + crc
            + number(data.count, 4) + number(data.count, 4) + number(localName.count, 2) + number(3, 2) + localName + [
                9, 9, 9,
            ]
            + data
        let (stored, bytes) = (fields.storedBytes ?? data.count, fields.byteCount ?? data.count)
        let extra =
            zip64
            ? number(7, 2) + number(2, 2) + [1, 2] + number(1, 2) + number(24, 2) + number(bytes, 8) + number(stored, 8)
                + number(fields.headerOffset ?? 0, 8) : []
        let central =
            [0x50, 0x4B, 1, 2] + number(20, 2) + number(20, 2) + number(fields.flags, 2) + number(fields.method, 2)
            + number(0, 4)
            + crc + number(zip64 ? 0xFFFF_FFFF : stored, 4) + number(zip64 ? 0xFFFF_FFFF : bytes, 4)
            + number(name.utf8.count, 2)
            + number(extra.count, 2) + number(0, 2) + number(0, 2) + number(0, 2) + number(0, 4)
            + number(zip64 ? 0xFFFF_FFFF : fields.headerOffset ?? 0, 4) + Array(name.utf8) + extra
        let entries = (0..<copies).flatMap { _ in central }
        let count = entryCount ?? copies
        let size = directoryBytes ?? entries.count
        let large =
            zip64
            ? [0x50, 0x4B, 6, 6] + number(44, 8) + number(45, 2) + number(45, 2) + number(0, 4) + number(0, 4)
                + number(count, 8)
                + number(count, 8) + number(size, 8) + number(local.count, 8) + [0x50, 0x4B, 6, 7] + number(0, 4)
                + number(local.count + entries.count, 8) + number(1, 4) : []
        let end =
            [0x50, 0x4B, 5, 6] + number(disk, 2) + number(disk, 2) + number(zip64 ? 0xFFFF : count, 2)
            + number(zip64 ? 0xFFFF : count, 2) + number(zip64 ? 0xFFFF_FFFF : size, 4)
            + number(zip64 ? 0xFFFF_FFFF : local.count, 4) + number(comment.count, 2) + comment
        return local + entries + large + end
    }

    private func read(_ file: [UInt8], _ name: String = "a.npy") throws -> [UInt8]? {
        try ZipArchive(path: try directory.write(Data(file), as: "a.zip")).bytes(of: name)
    }

    private func refusal(_ file: [UInt8]) throws -> String {
        let error = try #require(throws: ImportError.self) { _ = try read(file) }
        guard case .badArchive(_, let got, _) = error else { throw error }
        return got
    }

    private let data = Array("hello, archive".utf8)

    @Test("a stored entry is read, behind a comment, too")
    func stored() throws {
        #expect(try read(archive("a.npy", data)) == data)
        #expect(try read(archive("a.npy", [])) == [])
        #expect(try read(archive("a.npy", data), "b.npy") == nil)
        // A comment that itself looks like an end record.
        #expect(try read(archive("a.npy", data, comment: Array("PK\u{5}\u{6} and so on, for some bytes".utf8))) == data)
        #expect(try read(archive("a.npy", data, comment: [UInt8](repeating: 7, count: 65_535))) == data)
    }

    @Test("zip64 sizes, offsets and end records are read")
    func zip64() throws {
        #expect(try read(archive("a.npy", data, zip64: true)) == data)
    }

    @Test("a deflated entry is inflated")
    func deflated() throws {
        // A stored block of deflate, by hand: final, length, its complement.
        let deflated = [1] + number(data.count, 2) + number(~data.count, 2) + data
        let fields = Fields(method: 8, crc: crc32(data), byteCount: data.count)
        #expect(try read(archive("a.npy", deflated, fields)) == data)
        #expect(try refusal(archive("a.npy", deflated + [0], fields)).contains("damaged"))
        #expect(try refusal(archive("a.npy", deflated.dropLast(), fields)).contains("damaged"))
        #expect(
            try refusal(archive("a.npy", deflated, Fields(method: 8, crc: 0, byteCount: data.count))).contains("CRC"))
        #expect(
            try refusal(archive("a.npy", deflated, Fields(method: 8, crc: crc32(data), byteCount: 5))).contains(
                "more than"))
        #expect(
            try refusal(archive("a.npy", deflated, Fields(method: 8, crc: crc32(data), byteCount: 15))).contains(
                "14 bytes"))
    }

    @Test("an entry that claims more than deflate can make is refused before it is inflated")
    func bomb() throws {
        let fields = Fields(method: 8, byteCount: 1033 * data.count)
        #expect(try refusal(archive("a.npy", data, fields)).contains("cannot be"))
    }

    @Test("each field that lies is refused")
    func lies() throws {
        #expect(try refusal(archive("a.npy", data, Fields(crc: 1))).contains("CRC"))
        #expect(try refusal(archive("a.npy", data, Fields(flags: 1))).contains("encrypted"))
        #expect(try refusal(archive("a.npy", data, Fields(method: 12))).contains("method 12"))
        #expect(try refusal(archive("a.npy", data, Fields(byteCount: 13))).contains("cannot be"))
        #expect(try refusal(archive("a.npy", data, Fields(storedBytes: 999, byteCount: 999))).contains("cannot be"))
        // Within the file, but past the end once the local header is counted.
        #expect(try refusal(archive("a.npy", data, Fields(storedBytes: 120, byteCount: 120))).contains("past the end"))
        #expect(try refusal(archive("a.npy", data, Fields(localName: "b.npy"))).contains("another name"))
        #expect(try refusal(archive("a.npy", data, Fields(headerOffset: 5))).contains("local header"))
        #expect(try refusal(archive("a.npy", data, copies: 2)).contains("twice"))
        #expect(try refusal(archive("a.npy", data, entryCount: 2)).contains("no entry"))
        #expect(try refusal(archive("a.npy", data, copies: 2, entryCount: 1)).contains("behind the last"))
        #expect(try refusal(archive("a.npy", data, directoryBytes: 1)).contains("directory of 1"))
        #expect(try refusal(archive("a.npy", data, disk: 1)).contains("several parts"))
        #expect(try refusal(archive("a.npy", data, zip64: true, entryCount: 4097)).contains("4097 entries"))
        #expect(try refusal(archive("a.npy", data, Fields(byteCount: -1), zip64: true)).contains("cannot be"))
        #expect(try refusal([]).contains("end record"))
        #expect(try refusal(archive("a.npy", data) + [0]).contains("end record"))
    }

    @Test("archives cut at any byte are refused; with flipped bits refused or read", arguments: [0, 1])
    func hostile(which: Int) throws {
        let file = which == 0 ? ArchiveFixtures.compressed() : archive("user_factors.npy", data, zip64: true)
        for length in file.indices {
            let path = try directory.write(Data(file[..<length]), as: "cut")
            #expect(throws: ImportError.self, "cut at \(length)") {
                _ = try ZipArchive(path: path).bytes(of: "user_factors.npy")
            }
        }
        var refused = 0
        for bit in 0..<file.count * 8 {
            var damaged = file
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let path = try directory.write(Data(damaged), as: "flipped")
            do throws(ImportError) {
                _ = try ZipArchive(path: path).bytes(of: "user_factors.npy")
            } catch {
                refused += 1
            }
        }
        #expect(refused > file.count)
    }
}
