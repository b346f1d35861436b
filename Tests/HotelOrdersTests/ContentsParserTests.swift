import Foundation
import TestSupport
import Testing

@testable import HotelOrders

@Suite("Contents") struct ContentsParserTests {
    struct Item: Equatable {
        var id: IntegerField
        var count: IntegerField
        var name: String
    }

    private func parse(_ text: String) throws(ContentsProblem) -> [Item] { try parse(Array(text.utf8)) }

    private func parse(_ bytes: [UInt8]) throws(ContentsProblem) -> [Item] {
        var parser = ContentsParser()
        try parser.parse(bytes.span)
        return parser.elements.map {
            Item(id: $0.itemSeq, count: $0.count, name: String(decoding: parser.names[$0.name], as: UTF8.self))
        }
    }

    private let two = [
        Item(id: .value(1), count: .value(2), name: "김밥 \"large\""), Item(id: .value(3), count: .value(4), name: ""),
    ]
    private let plain = #"[{"itemSeq":1,"count":2,"itemName":"김밥 \"large\""},{"itemSeq":3,"count":4,"itemName":""}]"#

    @Test("an array of objects, and one object")
    func json() throws {
        #expect(try parse(plain) == two)
        #expect(try parse(#" { "itemSeq" : 1 , "count" : 2 } "#) == [Item(id: .value(1), count: .value(2), name: "")])
    }

    @Test("quotes doubled once and twice more")
    func doubled() throws {
        let once = plain.replacing("\"", with: "\"\"")
        #expect(try parse(once) == two)
        #expect(try parse(once.replacing("\"", with: "\"\"")) == two)
    }

    @Test("wrapped in extra quotes, with the quotes inside single, doubled or escaped")
    func wrapped() throws {
        #expect(try parse("\"" + plain + "\"") == two)
        #expect(try parse("\"\"\" " + plain + "\n\"\"\"") == two)
        #expect(try parse("\"" + plain.replacing("\"", with: "\"\"") + "\"") == two)
        let encoded = String(decoding: try JSONEncoder().encode(plain), as: UTF8.self)
        #expect(try parse(encoded) == two)
        #expect(try parse(String(encoded.dropFirst().dropLast())) == two)
        let twice = String(decoding: try JSONEncoder().encode(encoded), as: UTF8.self)
        #expect(try parse(twice) == two)
    }

    @Test("broken over lines, between tokens and inside names")
    func brokenLines() throws {
        #expect(
            try parse("[\n\t{\"itemSeq\":\r\n1,\"count\":2,\"itemName\":\"Fried\r\n\t chicken\"}\n]\n")
                == [Item(id: .value(1), count: .value(2), name: "Fried chicken")])
    }

    @Test("missing and null keys are null, numbers may be strings")
    func nulls() throws {
        #expect(try parse("{}") == [Item(id: .null, count: .null, name: "")])
        #expect(
            try parse(#"{"itemSeq":null,"count":"null","itemName":null}"#)
                == [Item(id: .null, count: .null, name: "")])
        #expect(
            try parse(#"{"itemSeq":"12","count":" 3 ","itemName":7}"#)
                == [Item(id: .value(12), count: .value(3), name: "")])
        #expect(
            try parse(#"{"itemSeq":1.0,"count":true}"#) == [Item(id: .value(1), count: .unusable, name: "")])
        #expect(
            try parse(#"{"itemSeq":[1],"count":{"a":1}}"#) == [Item(id: .unusable, count: .unusable, name: "")])
    }

    @Test("unknown keys of every type are stepped over, a key given twice counts as the last")
    func unknownKeys() throws {
        let text = #"{"x":{"itemSeq":9,"y":["}",[1,-2e5,true]]},"itemSeq":5,"z":null,"f":false,"count":1,"count":2,}"#
        #expect(try parse(text) == [Item(id: .value(5), count: .value(2), name: "")])
        #expect(
            try parse(#"{"\u0069temSeq":5,"a\"b":1,"aVeryLongKeyOfMoreThanSixteenBytes":1}"#)
                == [Item(id: .value(5), count: .null, name: "")])
    }

    @Test("elements that are no objects have no id")
    func notObjects() throws {
        let none = Item(id: .null, count: .null, name: "")
        #expect(try parse(#"[1,"a",null,[{"itemSeq":1}]]"#) == [none, none, none, none])
        #expect(try parse("[]").isEmpty)
    }

    @Test("escapes of names, surrogate pairs and halves of them")
    func escapes() throws {
        #expect(try parse(#"{"itemName":"\uae40\uBC25 \ud83c\udf5c\t\/\\ \q"}"#)[0].name == "김밥 🍜 /\\ q")
        #expect(
            try parse(#"{"itemName":"a\ud83cb\udf5cc\ud83c\u0041\u12"}"#)[0].name
                == "a\u{FFFD}b\u{FFFD}c\u{FFFD}A\u{FFFD}12")
        #expect(try parse("{\"itemName\":\"\\김\u{7F}\\u0000치 \"}")[0].name == "김 치")
    }

    @Test("a name may have the greatest length; a longer one is cut between characters")
    func nameBound() throws {
        let name = String(repeating: "x", count: 1022) + "é"
        #expect(try parse("{\"itemName\":\"\(name)\"}")[0].name == name)
        #expect(try parse("{\"itemName\":\"x\(name)\"}")[0].name == "x" + String(repeating: "x", count: 1022))
    }

    @Test("empty contents in every spelling", arguments: ["", " \n", "\\N", "null", "NULL", "\"\"", "\"\"\"\""])
    func empty(text: String) { #expect(throws: ContentsProblem.empty) { try parse(text) } }

    @Test(
        "what is no object and no array of them is refused",
        arguments: [
            "fried chicken x2", "12", "true", "[", "{", "[{]", "[{\"itemSeq\":1}", "{\"itemSeq\":1", "{\"itemSeq\":}",
            "{\"itemSeq\" 1}", "{itemSeq:1}", "{\"a\":\"b}", "{\"a\":[1}]", "{\"a\":nul}", "{\"a\":trux}", "[1 2]",
            "{\"a\":1}{\"a\":1}", "{\"a\":1},", "[,]", "{,}", "{\"a\":\"\\", "{'itemSeq':1}",
        ])
    func notJSON(text: String) { #expect(throws: ContentsProblem.notJSON) { try parse(text) } }

    @Test("text in another encoding is refused as such")
    func notUTF8() {
        // 김밥 in CP949.
        let bytes = Array("{\"itemSeq\":1,\"itemName\":\"".utf8) + [0xB1, 0xE8, 0xB9, 0xE4] + Array("\"}".utf8)
        #expect(throws: ContentsProblem.notUTF8) { try parse(bytes) }
    }

    @Test("UTF-8 is checked as Swift's own decoder does", arguments: 1...20 as ClosedRange<UInt64>)
    func validity(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        let bytes: [UInt8] = [
            0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5,
            0xFF,
        ]
        for _ in 0..<2000 {
            let text = (0..<Int.random(in: 0...5, using: &rng)).map { _ in bytes.randomElement(using: &rng) ?? 0 }
            #expect(UTF8Check.isValid(text.span) == (String(validating: text, as: UTF8.self) != nil), "\(text)")
        }
    }

    @Test("nesting to the bound of 64, and one past it: the element's own bracket and the array's around it count")
    func depthBound() throws {
        func element(_ depth: Int) -> String {
            "{\"a\":" + String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1)
                + ",\"itemSeq\":1}"
        }
        #expect(try parse(element(64))[0].id == .value(1))
        #expect(throws: ContentsProblem.tooDeep) { try parse(element(65)) }
        // Elements beside one another are no deeper than one.
        #expect(try parse("[" + Array(repeating: element(63), count: 3).joined(separator: ",") + "]").count == 3)
        #expect(throws: ContentsProblem.tooDeep) { try parse("[\(element(63)),\(element(64))]") }
        #expect(try parse("[" + String(repeating: "[", count: 63) + String(repeating: "]", count: 64)).count == 1)
        #expect(throws: ContentsProblem.tooDeep) {
            try parse("[" + String(repeating: "[", count: 64) + String(repeating: "]", count: 65))
        }
        #expect(throws: ContentsProblem.tooDeep) { try parse("{\"a\":" + String(repeating: "[", count: 500_000)) }
    }

    @Test("items to the bound, and one past it")
    func itemBound() throws {
        func items(_ count: Int) -> String {
            "[" + [String](repeating: "{}", count: count).joined(separator: ",") + "]"
        }
        #expect(try parse(items(ContentsParser.elementCountMax)).count == ContentsParser.elementCountMax)
        #expect(throws: ContentsProblem.tooManyItems) { try parse(items(ContentsParser.elementCountMax + 1)) }
    }

    @Test("an element's problem: id, then count, at the bounds")
    func problems() {
        func problem(_ id: IntegerField, _ count: IntegerField) -> RejectReason? {
            ContentsElement(itemSeq: id, count: count).problem
        }
        #expect(problem(.value(0), .value(1)) == nil)
        #expect(problem(.value(1), .value(10_000)) == nil)
        #expect(problem(.value(1), .value(10_001)) == .badItemCount)
        #expect(problem(.value(1), .value(0)) == .badItemCount)
        #expect(problem(.value(1), .unusable) == .badItemCount)
        #expect(problem(.value(1), .null) == .itemWithoutCount)
        #expect(problem(.value(-1), .value(1)) == .itemWithoutID)
        #expect(problem(.unusable, .value(1)) == .itemWithoutID)
        #expect(problem(.null, .null) == .itemWithoutID)
    }
}

/// Against Foundation on valid input, and against nothing but "no trap" on the rest.
@Suite("Contents, random") struct ContentsParserRandomTests {
    struct Oracle: Codable, Equatable {
        var itemSeq: Int64?
        var count: Int64?
        var itemName: String?
        var departmentSeq: Int64?
        var price: Int64?
        var waitingPeriod: Int64?
        var delayPeriod: Int64?
        var freeCount: Int64?
        var couponSeq: Int64?
        var resultPrice: Int64?
        var completePeriod: Int64?
    }

    private static func randomText(_ rng: inout SplitMix64) throws -> String {
        let characters = Array("aZ 김밥🍜\"\\/{}[],:é'\u{2028}")
        func name() -> String {
            String((0..<Int.random(in: 0...9, using: &rng)).map { _ in characters.randomElement(using: &rng) ?? "x" })
        }
        func number() -> String {
            switch Int.random(in: 0...5, using: &rng) {
            case 0: "null"
            case 1: "\(Int64(bitPattern: rng.next()))"
            default: "\(Int.random(in: -9...99_999, using: &rng))"
            }
        }
        let keys = ContentsKeys.Key.allCases.filter { $0 != .orderType && $0 != .itemName }.map(\.name)
        func object() throws -> String {
            var members = keys.filter { _ in Int.random(in: 0...4, using: &rng) > 0 }.map { "\"\($0)\":\(number())" }
            if Bool.random(using: &rng) {
                let encoder = JSONEncoder()
                if Bool.random(using: &rng) { encoder.outputFormatting = .withoutEscapingSlashes }
                members.append("\"itemName\":" + String(decoding: try encoder.encode(name()), as: UTF8.self))
            }
            if Bool.random(using: &rng) { members.append(#""extra":{"count":[1,{"itemSeq":2}],"s":"]}\""}"#) }
            members.shuffle(using: &rng)
            let space = [" ", "", "\n\t"].randomElement(using: &rng) ?? ""
            return "{" + space + members.joined(separator: "," + space) + space + "}"
        }
        let objects = try (0..<Int.random(in: 1...4, using: &rng)).map { _ in try object() }
        return "[" + objects.joined(separator: ", ") + "]"
    }

    private static func cleaned(_ name: String) -> String {
        name.unicodeScalars.split { $0.value <= 0x20 || $0.value == 0x7F }.map { String(String.UnicodeScalarView($0)) }
            .joined(separator: " ")
    }

    @Test("valid JSON gives what Foundation reads", arguments: 1...300 as ClosedRange<UInt64>)
    func differential(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let text = try Self.randomText(&rng)
        let wanted = try JSONDecoder().decode([Oracle].self, from: Data(text.utf8))
        for variant in [text, text.replacing("\"", with: "\"\""), "\"" + text + "\""] {
            var parser = ContentsParser()
            let bytes = Array(variant.utf8)
            try parser.parse(bytes.span)
            try #require(parser.elements.count == wanted.count, "seed \(seed)")
            for (element, wanted) in zip(parser.elements, wanted) {
                let name = String(decoding: parser.names[element.name], as: UTF8.self)
                let got = Oracle(
                    itemSeq: element.itemSeq.value, count: element.count.value, itemName: name,
                    departmentSeq: element.departmentSeq.value, price: element.price.value,
                    waitingPeriod: element.waitingPeriod.value, delayPeriod: element.delayPeriod.value,
                    freeCount: element.freeCount.value, couponSeq: element.couponSeq.value,
                    resultPrice: element.resultPrice.value, completePeriod: element.completePeriod.value)
                var cleaned = wanted
                cleaned.itemName = Self.cleaned(wanted.itemName ?? "")
                #expect(got == cleaned, "seed \(seed): \(variant)")
            }
        }
    }

    @Test(
        "cut at every byte and flipped at random: a result or a problem, bounded",
        arguments: 1...30 as ClosedRange<UInt64>)
    func hostile(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let text = try Self.randomText(&rng)
        let variants = [text, text.replacing("\"", with: "\"\""), text.replacing("\"", with: "\\\"")].map {
            Array($0.utf8)
        }
        var parser = ContentsParser()
        func survive(_ bytes: [UInt8]) {
            try? parser.parse(bytes.span)
            #expect(parser.elements.count <= ContentsParser.elementCountMax)
            #expect(parser.names.count <= bytes.count)
        }
        for bytes in variants {
            for count in 0...bytes.count { survive(Array(bytes[..<count])) }
            for _ in 0..<300 {
                var damaged = bytes
                for _ in 0..<Int.random(in: 1...3, using: &rng) {
                    let place = Int.random(in: 0..<damaged.count, using: &rng)
                    if Bool.random(using: &rng) {
                        damaged[place] ^= 1 << UInt8.random(in: 0...7, using: &rng)
                    } else {
                        damaged[place] = Array("\"\\{}[]:,".utf8).randomElement(using: &rng) ?? 0
                    }
                }
                survive(damaged)
            }
        }
    }
}
