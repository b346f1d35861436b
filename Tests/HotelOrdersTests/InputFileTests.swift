import Foundation
import Glibc
import TestSupport
import Testing

@testable import HotelOrders

@Suite("Input files") struct InputFileTests {
    let directory: TemporaryDirectory
    let text = Array((0..<40_000).map { "line \($0 * $0 % 977)\n" }.joined().utf8)

    init() throws { directory = try TemporaryDirectory() }

    @Test("plain text comes as it is, whatever the block size", arguments: [1, 7, 4096, 1 << 20])
    func plain(blockBytes: Int) throws {
        let path = try directory.write(text, as: "plain")
        #expect(try readAll(path, blockBytes: blockBytes) == text)
    }

    @Test("gzip is told by its first bytes, not by its name", arguments: [1, 7, 4096, 1 << 20])
    func gzip(blockBytes: Int) throws {
        let path = try directory.write(gzipped(text), as: "orders.csv")
        #expect(try readAll(path, blockBytes: blockBytes) == text)
    }

    @Test("gzip members in a row are one text, zero padding behind them is ignored")
    func members() throws {
        let path = try directory.write(
            gzipped(text) + gzipped([]) + gzipped(Array("end".utf8)) + [UInt8](repeating: 0, count: 512), as: "members")
        #expect(try readAll(path, blockBytes: 1000) == text + Array("end".utf8))
    }

    @Test("gzip cut at any byte is an error that says so")
    func truncated() throws {
        let whole = gzipped(Array(text.prefix(900)))
        for count in 2..<whole.count {
            let path = try directory.write(whole[..<count], as: "cut")
            #expect(throws: OrdersError.gzipTruncated(path: path), "cut at \(count)") {
                try readAll(path, blockBytes: 100)
            }
        }
    }

    @Test("a flipped bit in gzip data is an error or a header field nobody reads, never other text")
    func flipped() throws {
        let plain = Array(text.prefix(900))
        let whole = gzipped(plain)
        for place in 2..<whole.count {
            for bit in 0..<8 {
                var damaged = whole
                damaged[place] ^= 1 << UInt8(bit)
                let path = try directory.write(damaged, as: "flipped")
                do {
                    #expect(try readAll(path, blockBytes: 1000) == plain, "byte \(place), bit \(bit)")
                } catch {
                    #expect(error.kind == .badData)
                }
            }
        }
    }

    @Test("text behind the last gzip member is an error")
    func trailingGarbage() throws {
        let path = try directory.write(gzipped(text) + Array("garbage".utf8), as: "trailing")
        let error = #expect(throws: OrdersError.self) { try readAll(path, blockBytes: 1000) }
        guard case .gzipCorrupt = error else {
            Issue.record("got \(String(describing: error))")
            return
        }
    }

    @Test("files of no byte and of one byte are read as text", arguments: [[], [0x1F], [0x1F, 0x20]] as [[UInt8]])
    func tiny(bytes: [UInt8]) throws {
        let path = try directory.write(bytes, as: "tiny")
        #expect(try readAll(path, blockBytes: 10) == bytes)
    }

    @Test("a missing file and a directory are told apart")
    func missing() throws {
        let missing = directory.file("missing")
        #expect(throws: OrdersError.fileMissing(path: missing)) { try InputFile.totalBytes(of: [missing]) }
        #expect(throws: OrdersError.fileMissing(path: missing)) { try readAll(missing, blockBytes: 10) }
        #expect(throws: OrdersError.unreadable(path: directory.path, operation: "read", code: EISDIR)) {
            try InputFile.totalBytes(of: [directory.path])
        }
        #expect(throws: OrdersError.unreadable(path: directory.path, operation: "read", code: EISDIR)) {
            try readAll(directory.path, blockBytes: 10)
        }
    }

    @Test("one input without a size makes the size of all unknown")
    func noSize() throws {
        let path = try directory.write([1, 2, 3], as: "orders.csv")
        #expect(try InputFile.totalBytes(of: [path, "/dev/null"]) == nil)
        #expect(try InputFile.totalBytes(of: ["/dev/null", path]) == nil)
        #expect(try InputFile.totalBytes(of: [path]) == 3)
    }

    @Test("progress counts bytes of the file, not of the text in it")
    func progressBytes() throws {
        let compressed = gzipped(text)
        let path = try directory.write(compressed, as: "progress")
        var input = try InputFile(path: path)
        var block = [UInt8](repeating: 0, count: 10_000)
        while try input.read(into: &block, at: 0..<block.count) > 0 {}
        #expect(input.fileBytesRead == compressed.count)
        #expect(try InputFile.totalBytes(of: [path, path]) == 2 * compressed.count)
    }
}
