import FactorModel
import Foundation
import Glibc
import TestSupport
import Testing

@testable import HotelOrders

@Suite("Sample orders") struct SampleOrdersTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func sample(
        customers: Int = 400, orders: Int = 2000, seed: UInt64 = 1, messRate: Double = 0.02, as name: String = "s.csv"
    ) throws -> [UInt8] {
        let path = directory.file(name)
        try writeSampleOrders(
            SampleOrdersConfiguration(customers: customers, orders: orders, seed: seed, messRate: messRate), to: path)
        return [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    /// FNV-1a, 64 bits.
    private func digest(_ bytes: [UInt8]) -> UInt64 {
        bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    @Test("seed 1 gives these bytes, today and on every machine")
    func golden() throws {
        let bytes = try sample()
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").prefix(3)
        #expect(lines[0] + "\n" == SampleRowWriter.header)
        let first = #"""
            100001,12,1210905,10042,26000,CANCEL,"[{""orderType"":""ORDER"",""itemSeq"":12037,""count"":1,"\#
            "itemName"":""Spicy pork"",""departmentSeq"":121,""price"":26000,""waitingPeriod"":29,""delayPe\#
            riod"":11,""freeCount"":null,""couponSeq"":null,""resultPrice"":26000,""completePeriod"":null}]\#
            ",2023-01-02 09:38:10,\N,\N,\N,1,9,905호,Yuki Tanaka,3,2,1,0,2023-01-01 16:19:06,2023-01-02 11:4\#
            3:31,2023-01-02 11:00:00
            """#
        let second = #"""
            100002,25,2510418,10271,24300,COMPLETE,"[{""orderType"":""ORDER"",""itemSeq"":25022,""count"":1\#
            ,""itemName"":""트러플 버거 Truffle burger"",""departmentSeq"":251,""price"":27000,""waitingPeriod""\#
            :41,""delayPeriod"":0,""freeCount"":null,""couponSeq"":510,""resultPrice"":24300,""completePeri\#
            od"":41}]",2023-01-02 19:31:53,2023-01-02 19:41:19,\N,2023-01-02 20:22:19,1,4,418호,최시우,3,2,0,1,\#
            2023-01-02 15:56:14,2023-01-04 11:52:19,2023-01-04 11:00:00
            """#
        #expect(lines[1] == first)
        #expect(lines[2] == second)
        #expect(digest(bytes) == 16843108352194510527)
    }

    @Test("the same seed gives the same bytes, another seed others")
    func seeds() throws {
        #expect(try sample(seed: 7) == sample(seed: 7))
        #expect(try sample(seed: 7) != sample(seed: 8))
    }

    @Test("as many rows as asked for, the contents of each readable without mess", arguments: [1, 2, 1000])
    func rowCount(orders: Int) throws {
        _ = try sample(orders: orders, messRate: 0)
        let records = try readRecords(directory.file("s.csv"))
        #expect(records.count == orders + 1)
        var parser = ContentsParser()
        for case .fields(let fields, _) in records.dropFirst() {
            #expect(fields.count == 22)
            let bytes = Array(fields[6].utf8)
            try parser.parse(bytes.span)
            #expect(parser.elements.allSatisfy { $0.problem == nil })
            #expect(parser.elements.reduce(0) { $0 + ($1.resultPrice.value ?? 0) } == Int64(fields[4]))
        }
    }

    @Test("rows come in the order in which they were placed, within the stay, numbered up")
    func order() throws {
        _ = try sample(messRate: 0)
        var previous = ""
        var number = 100_000
        for case .fields(let fields, _) in try readRecords(directory.file("s.csv")).dropFirst() {
            #expect(fields[7] >= previous)
            #expect(fields[19] < fields[7] && fields[7] < fields[20], "\(fields[0])")
            previous = fields[7]
            number += 1
            #expect(fields[0] == "\(number)")
        }
        #expect(previous.hasPrefix("2024-12") || previous.hasPrefix("2025-01"))
    }

    @Test("unusable rows stay well below one in a hundred by default, and every kind of them turns up")
    func mess() throws {
        _ = try sample(customers: 1000, orders: 20_000)
        let summary = try readOrders(paths: [directory.file("s.csv")]).summary
        #expect(summary.rejectShare > 0.001 && summary.rejectShare < 0.008)
        for reason in [
            .contentsEmpty, .contentsNotJSON, .badFieldCount, .badRegDate, .itemWithoutID, .badCustomerSeq,
        ] as [RejectReason] { #expect(summary.rejected[reason] > 0, "\(reason.label)") }
        #expect(summary.rejected.nonZero.count == 6)
        for reason in [.statusCancelled, .statusRefused, .statusOpen, .notPaid] as [SkipReason] {
            #expect(summary.skipped[reason] > 200, "\(reason.label)")
        }
        #expect(summary.hotels == 5)
        #expect(summary.items == SampleHotel.menuSizes.reduce(0, +))
    }

    @Test("every documented mess turns up at its rate")
    func messKinds() throws {
        let text = String(decoding: try sample(orders: 2000, messRate: 1), as: UTF8.self)
        let plain = String(decoding: try sample(orders: 2000, messRate: 0), as: UTF8.self)
        for sign in [
            "\"{\"\"orderType", "\"\"\"\"orderType", "\"\"\"[{", "\\\"\"orderType", "\"\"price\"\":null",
            "\"\"itemSeq\"\":\"\"", ",\n", ",\r\n", ",\t",
        ] {
            #expect(text.contains(sign), "\(sign)")
            #expect(!plain.contains(sign), "\(sign)")
        }
    }

    @Test("mess changes how contents look, never what was ordered")
    func messIsHarmless() throws {
        _ = try sample(messRate: 0, as: "clean.csv")
        _ = try sample(messRate: 1, as: "messy.csv")
        let clean = try readRecords(directory.file("clean.csv"))
        let messy = try readRecords(directory.file("messy.csv"))
        try #require(clean.count == messy.count)
        func items(_ contents: String) throws -> [String] {
            var parser = ContentsParser()
            let bytes = Array(contents.utf8)
            try parser.parse(bytes.span)
            return parser.elements.map {
                "\($0.itemSeq) \($0.count) \(String(decoding: parser.names[$0.name], as: UTF8.self))"
            }
        }
        var compared = 0
        for case (.fields(let clean, _), .fields(let messy, _)) in zip(clean, messy).dropFirst() {
            guard messy.count == 22, let got = try? items(messy[6]), !messy[6].contains("\"itemSeq\":null") else {
                continue
            }
            if got.contains(where: { $0.hasPrefix("null") }) { continue }
            #expect(try got == items(clean[6]), "\(messy[6])")
            compared += 1
        }
        #expect(compared > 1500)
    }

    @Test("guests and items have long tails, guests return to one hotel and order again what they had")
    func shape() throws {
        _ = try sample(customers: 600, orders: 12_000)
        let history = try readOrders(paths: [directory.file("s.csv")])
        let perUser = (0..<history.userIDs.count).map { user in
            history.interactions.range(ofRow: user).reduce(Float(0)) { $0 + history.interactions.values[$1] }
        }.sorted(by: >)
        let total = perUser.reduce(0, +)
        #expect(perUser.prefix(perUser.count / 10).reduce(0, +) > total * 0.25)
        let perItem = history.interactions.columnSums().sorted(by: >)
        #expect(perItem.prefix(perItem.count / 10).reduce(0, +) > total * 0.3)
        #expect(perItem.last.map { $0 < total / 5000 } == true)
        let repeated = history.interactions.values.count { $0 > 1 }
        #expect(Double(repeated) > 0.2 * Double(history.interactions.interactionCount))
    }

    @Test("a name that ends in .gz is compressed, with the same text in it")
    func compressed() throws {
        let plain = try sample()
        let compressed = try sample(as: "s.csv.gz")
        #expect(compressed.prefix(2) == [0x1F, 0x8B])
        #expect(compressed.count * 4 < plain.count)
        #expect(try readAll(directory.file("s.csv.gz"), blockBytes: 9999) == plain)
    }

    @Test("settings to their bounds, and one past them")
    func bounds() throws {
        #expect(try !sample(customers: 1, orders: 1, messRate: 0).isEmpty)
        #expect(try !sample(customers: 100_000_000, orders: 50, messRate: 1).isEmpty)
        for (customers, orders, messRate) in [
            (0, 1, 0), (100_000_001, 1, 0), (1, 0, 0), (1, 100_000_001, 0), (1, 1, -0.01), (1, 1, 1.01), (1, 1, .nan),
        ] as [(Int, Int, Double)] {
            let error = #expect(throws: OrdersError.self) {
                try sample(customers: customers, orders: orders, messRate: messRate, as: "bad.csv")
            }
            #expect(error?.kind == .usage)
        }
        #expect(!FileManager.default.fileExists(atPath: directory.file("bad.csv")))
    }

    @Test("a place that cannot be written is a typed error and leaves nothing behind")
    func unwritable() throws {
        let configuration = SampleOrdersConfiguration(customers: 10, orders: 2000, seed: 1)
        for path in [directory.path, directory.file("no/such/s.csv")] {
            let error = #expect(throws: OrdersError.self) { try writeSampleOrders(configuration, to: path) }
            #expect(error?.kind == .io)
        }
        // A device is written in place, and this one is always full.
        #expect(throws: OrdersError.unwritable(path: "/dev/full", operation: "write", code: ENOSPC)) {
            try writeSampleOrders(configuration, to: "/dev/full")
        }
        try writeSampleOrders(configuration, to: "/dev/null")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
    }

    @Test("progress ends at the number of rows")
    func progress() throws {
        var last = 0
        try writeSampleOrders(
            SampleOrdersConfiguration(customers: 10, orders: 500, seed: 1), to: directory.file("p.csv"),
            progress: { last = $0 })
        #expect(last == 500)
    }

    @Test("guest numbers are a permutation", arguments: [1, 2, 3, 8, 97, 1000, 4096])
    func permutation(customers: Int) {
        let world = SampleWorld(seed: 1, customers: customers)
        #expect(Set((0..<customers).map { world.customerSeq(of: $0) }) == Set(10_001..<10_001 + customers))
    }
}
