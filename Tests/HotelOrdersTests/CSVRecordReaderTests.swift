import Foundation
import TestSupport
import Testing

@testable import HotelOrders

@Suite("CSV records") struct CSVRecordReaderTests {
    let directory: TemporaryDirectory
    static let limit = CSVRecordReader.recordBytesMax

    init() throws { directory = try TemporaryDirectory() }

    private func records(_ text: String, blockBytes: Int = 256 << 10) throws -> [ReadRecord] {
        try readRecords(directory.write(Data(text.utf8), as: "records.csv"), blockBytes: blockBytes)
    }

    @Test("fields, quotes, line ends and empty lines", arguments: [1, 2, 3, 64])
    func basics(blockBytes: Int) throws {
        let text = "\u{FEFF}a,b\r\n\n1,\"x,\"\"y\"\"\nz\"\r\n\r\n,\n\"\",5\" pizza\nlast,\"end\""
        #expect(
            try records(text, blockBytes: blockBytes) == [
                .fields(["a", "b"], line: 1), .fields(["1", "x,\"y\"\nz"], line: 3), .fields(["", ""], line: 6),
                .fields(["", "5\" pizza"], line: 7), .fields(["last", "end"], line: 8),
            ])
    }

    @Test("a carriage return ends a line only before a line feed or the end")
    func carriageReturn() throws {
        #expect(
            try records("a\rb,c\r\nd,\"e\"\r\nf\r") == [
                .fields(["a\rb", "c"], line: 1), .fields(["d", "e"], line: 2), .fields(["f"], line: 3),
            ])
    }

    @Test("a quote that never closes costs its own line and nothing more")
    func unterminated() throws {
        #expect(
            try records("a,b\n1,\"oops\n2,x\n3,\"fine\"\n4,y\n5,\"again\n6,z") == [
                .fields(["a", "b"], line: 1), .malformed(.badQuoting, line: 2), .fields(["2", "x"], line: 3),
                .fields(["3", "fine"], line: 4), .fields(["4", "y"], line: 5),
                .malformed(.unterminatedQuote, line: 6), .fields(["6", "z"], line: 7),
            ])
    }

    @Test("the line reported for an open quote is the one that opened it")
    func unterminatedInLaterLine() throws {
        #expect(
            try records("\"a\nb\",\"c\nd\n") == [
                .malformed(.unterminatedQuote, line: 2), .fields(["d"], line: 3),
            ])
    }

    @Test("a quote inside a quoted field that is not doubled rejects the line", arguments: [1, 5, 64])
    func badQuoting(blockBytes: Int) throws {
        #expect(
            try records("x,\"[{\"a\":1}]\",y\nok,2\n", blockBytes: blockBytes) == [
                .malformed(.badQuoting, line: 1), .fields(["ok", "2"], line: 2),
            ])
    }

    @Test("a record may have the greatest length, with either line end, and not one byte more")
    func lengthBound() throws {
        for ending in ["\n", "\r\n", ""] {
            let longest = "a," + String(repeating: "x", count: Self.limit - 2)
            let read = try records(longest + ending + (ending.isEmpty ? "" : "b,c"))
            #expect(read.first == .fields(["a", String(repeating: "x", count: Self.limit - 2)], line: 1))
            #expect(
                try records("a,b\n" + longest + "x" + ending + (ending.isEmpty ? "" : "b,c")).dropFirst() == [
                    .malformed(.recordTooLong, line: 2)
                ] + (ending.isEmpty ? [] : [.fields(["b", "c"], line: 3)]))
        }
    }

    @Test("a line of many times the greatest length is stepped over in bounded memory")
    func hugeLine() throws {
        let text = "a,b\n" + String(repeating: "y", count: Self.limit * 5) + "\nc,d\n"
        #expect(
            try records(text) == [
                .fields(["a", "b"], line: 1), .malformed(.recordTooLong, line: 2), .fields(["c", "d"], line: 3),
            ])
    }

    @Test("a stray quote before more text than a record may hold costs its own line")
    func strayQuote() throws {
        let lines = (0..<120_000).map { "row \($0),value" }
        let read = try records("a,b\n1,\"stray\n" + lines.joined(separator: "\n") + "\n")
        #expect(read.count == 2 + lines.count)
        #expect(read[1] == .malformed(.recordTooLong, line: 2))
        #expect(read[2] == .fields(["row 0", "value"], line: 3))
        #expect(read.last == .fields(["row 119999", "value"], line: 120_002))
    }

    @Test("fields beyond the bound are counted and not kept")
    func fieldBound() throws {
        let path = try directory.write(
            Data(String(repeating: ",", count: CSVRecordReader.fieldCountMax + 9).utf8), as: "wide")
        var reader = CSVRecordReader(input: try InputFile(path: path))
        #expect(try reader.skipByteOrderMark())
        guard case .record = try reader.next() else {
            Issue.record("no record")
            return
        }
        #expect(reader.fieldCount == CSVRecordReader.fieldCountMax + 10)
        #expect(reader.fields.count == CSVRecordReader.fieldCountMax)
    }

    @Test("a file of nothing but a byte order mark is empty", arguments: ["", "\u{FEFF}"])
    func empty(text: String) throws { #expect(try records(text).isEmpty) }

    @Test("what was written is read again, whatever the block size", arguments: 1...8 as ClosedRange<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let alphabet: [UInt8] = [0x22, 0x22, 0x2C, 0x0A, 0x0D, 0x61, 0x62, 0x20, 0xEA, 0xB9, 0x80]
        var wanted: [[[UInt8]]] = []
        var text: [UInt8] = []
        for _ in 0..<200 {
            let fields = (0..<Int.random(in: 2...6, using: &rng)).map { _ in
                (0..<Int.random(in: 0...12, using: &rng)).map { _ in alphabet.randomElement(using: &rng) ?? 0x61 }
            }
            for (place, field) in fields.enumerated() {
                if place > 0 { text.append(0x2C) }
                if Bool.random(using: &rng) {
                    CSVWriting.appendQuoted(field, to: &text)
                } else {
                    CSVWriting.append(field, to: &text)
                }
            }
            text += Bool.random(using: &rng) ? [0x0D, 0x0A] : [0x0A]
            wanted.append(fields)
        }
        let path = try directory.write(text, as: "round.csv")
        for blockBytes in [1, 3, 17, 1 << 18] {
            let read = try readRecords(path, blockBytes: blockBytes).map { record in
                if case .fields(let fields, _) = record { fields } else { ["malformed"] }
            }
            #expect(
                read == wanted.map { $0.map { String(decoding: $0, as: UTF8.self) } },
                "seed \(seed), blocks of \(blockBytes)")
        }
    }

    @Test("copying a field's text agrees with appending it", arguments: 1...20 as ClosedRange<UInt64>)
    func copyText(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        for _ in 0..<50 {
            let text = (0..<Int.random(in: 0...20, using: &rng)).map { _ -> UInt8 in
                Bool.random(using: &rng) ? 0x22 : 0x61
            }
            var quoted: [UInt8] = []
            CSVWriting.appendQuoted(text, to: &quoted)
            let field = CSVField(start: 1, end: quoted.count - 1, hasDoubledQuotes: true, isQuoted: true)
            var appended: [UInt8] = []
            CSVScanner.appendText(quoted.span, field, to: &appended)
            var copied = [UInt8](repeating: 0, count: field.range.count)
            var target = copied.mutableSpan
            let count = CSVScanner.copyText(quoted.span, field, into: &target)
            #expect(appended == text && Array(copied[..<count]) == text, "seed \(seed)")
        }
    }

    @Test(
        "any bytes at all give records and an end, the same for every block size",
        arguments: 1...40 as ClosedRange<UInt64>)
    func rubbish(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let alphabet: [UInt8] = [0x22, 0x22, 0x22, 0x2C, 0x0A, 0x0A, 0x0D, 0x61, 0x00, 0xFF]
        let text = (0..<400).map { _ in alphabet.randomElement(using: &rng) ?? 0 }
        let path = try directory.write(text, as: "rubbish.csv")
        let whole = try readRecords(path)
        #expect(whole.count <= 401, "seed \(seed)")
        #expect(try readRecords(path, blockBytes: 1) == whole, "seed \(seed)")
        #expect(try readRecords(path, blockBytes: 13) == whole, "seed \(seed)")
    }
}
