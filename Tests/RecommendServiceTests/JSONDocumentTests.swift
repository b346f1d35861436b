import FactorModel
import Foundation
import RecommendService
import TestSupport
import Testing

@Suite("JSON of requests") struct JSONDocumentTests {
    /// What Foundation makes of a text, for comparison.
    private static func tree(_ document: borrowing JSONDocument, _ place: Int) -> NSObject {
        switch document.kind(place) {
        case .null: return NSNull()
        case .boolean: return NSNumber(value: document.boolean(place))
        case .number: return NSNumber(value: document.number(place))
        case .string: return string(document, place) as NSString
        case .array:
            let list = NSMutableArray()
            document.forEachElement(of: place) { (_, element) throws(Never) in list.add(tree(document, element)) }
            return list
        case .object:
            let object = NSMutableDictionary()
            document.forEachMember(of: place) { (name, value) throws(Never) in
                object[string(document, name)] = tree(document, value)
            }
            return object
        }
    }

    private static func string(_ document: borrowing JSONDocument, _ place: Int) -> String {
        document.withString(place) { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
    }

    private static func error(_ text: [UInt8], _ limits: JSONLimits = JSONLimits()) -> JSONError? {
        var document = JSONDocument()
        do {
            try document.parse(text.span, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    private static func error(_ text: String, _ limits: JSONLimits = JSONLimits()) -> JSONError? {
        error(Array(text.utf8), limits)
    }

    @Test(
        "refuses what RFC 8259 refuses, and says where and why",
        arguments: [
            ("", "at byte 0: got the end, wanted a value"), ("  ", "at byte 2: got the end, wanted a value"),
            ("{", "at byte 1: got the end, wanted a name in quotation marks or }"),
            ("{\"a\":1,}", "at byte 7: got }, wanted a name in quotation marks"),
            ("{\"a\" 1}", "at byte 5: got 1, wanted a colon"),
            ("{\"a\":1 \"b\"", "at byte 7: got byte 34, wanted a comma or }"),
            ("[1 2]", "at byte 3: got 2, wanted a comma or ]"), ("[1,]", "at byte 3: got ], wanted a value"),
            ("{} {}", "at byte 3: got more after the value, wanted the end"),
            ("1\u{0}", "at byte 1: got more after the value, wanted the end"),
            ("nul", "at byte 0: got n, wanted true, false or null"),
            ("True", "at byte 0: got T, wanted a value"), ("NaN", "at byte 0: got N, wanted a value"),
            ("'a'", "at byte 0: got byte 39, wanted a value"), ("<b>", "at byte 0: got byte 60, wanted a value"),
            ("01", "at byte 1: got more after the value, wanted the end"), ("+1", "at byte 0: got +, wanted a value"),
            (".5", "at byte 0: got ., wanted a value"), ("1.", "at byte 2: got the end, wanted a digit"),
            ("1e", "at byte 2: got the end, wanted a digit"), ("-", "at byte 1: got the end, wanted a digit"),
            ("1e400", "at byte 0: a number is too large for 64-bit floating point"),
            ("\"a", "at byte 2: got the end, wanted the rest of a string"),
            ("\"\n\"", "at byte 1: a string holds a control character; wanted it escaped"),
            ("\"\\x\"", "at byte 2: a string holds an escape that JSON does not have"),
            ("\"\\u12g4\"", "at byte 5: a string holds an escape that JSON does not have"),
            ("\"\\ud800\"", "at byte 2: a string holds half of a surrogate pair"),
            ("\"\\ud800\\u0041\"", "at byte 2: a string holds half of a surrogate pair"),
            ("\"\\udc00\"", "at byte 2: a string holds half of a surrogate pair"),
            ("\"\\u0000\"", "at byte 2: a string holds U+0000, which no id or name has"),
            ("{\"k\":1,\"\\u006b\":2}", "at byte 7: an object has the same name twice"),
            ("\u{FEFF}{}", "at byte 0: got byte 239, wanted a value"),
            ("// a\n1", "at byte 0: got byte 47, wanted a value"),
        ])
    func refusals(text: String, message: String) {
        #expect(Self.error(text)?.description == message)
    }

    @Test("bytes that are not UTF-8 are refused wherever they stand", arguments: [0x80, 0xFF, 0xC0] as [UInt8])
    func invalidUTF8(byte: UInt8) {
        #expect(Self.error([0x22, byte, 0x22])?.fault == .invalidUTF8)
        #expect(Self.error([0x31, byte])?.fault == .invalidUTF8)
        // An encoded surrogate.
        #expect(Self.error([0x22, 0xED, 0xA0, 0x80, 0x22])?.fault == .invalidUTF8)
    }

    @Test("every bound holds, and one past it is an error") func bounds() {
        let limits = JSONLimits()
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(Self.error(nested(limits.depthMax)) == nil)
        #expect(Self.error(nested(limits.depthMax + 1))?.fault == .tooDeep(max: limits.depthMax))
        #expect(Self.error(String(repeating: "[", count: 1_000_000))?.fault == .tooDeep(max: limits.depthMax))
        func list(_ count: Int) -> String { "[" + Array(repeating: "1", count: count).joined(separator: ",") + "]" }
        #expect(Self.error(list(limits.valuesMax - 1)) == nil)
        #expect(Self.error(list(limits.valuesMax))?.fault == .tooManyValues(max: limits.valuesMax))
        func object(_ count: Int) -> String {
            "{" + (0..<count).map { "\"m\($0)\":1" }.joined(separator: ",") + "}"
        }
        #expect(Self.error(object(limits.membersMax)) == nil)
        #expect(Self.error(object(limits.membersMax + 1))?.fault == .tooManyMembers(max: limits.membersMax))
        func string(_ count: Int) -> String { "\"" + String(repeating: "a", count: count) + "\"" }
        #expect(Self.error(string(limits.stringBytesMax)) == nil)
        #expect(
            Self.error(string(limits.stringBytesMax + 1))?.fault == .stringTooLong(bytesMax: limits.stringBytesMax))
        let escaped = "\"" + String(repeating: "\\u0041", count: limits.stringBytesMax) + "\""
        #expect(Self.error(escaped) == nil)
        let digits = String(repeating: "1", count: limits.numberBytesMax)
        #expect(Self.error(digits) == nil)
        #expect(Self.error(digits + "1")?.fault == .numberTooLong(bytesMax: limits.numberBytesMax))
    }

    @Test("a document is reused: what was held before does not show") func reuse() throws {
        var document = JSONDocument()
        let first = Array(#"{"a":[1,2,{"b":"xyz"}],"c":null}"#.utf8)
        try document.parse(first.span)
        let second = Array(#"["q"]"#.utf8)
        try document.parse(second.span)
        #expect(Self.tree(document, JSONDocument.root) == ["q"] as NSArray)
    }

    // MARK: Beside Foundation

    /// Equal but for the last bits of numbers: Foundation reads some as decimals.
    private static func same(_ a: NSObject, _ b: NSObject) -> Bool {
        switch (a, b) {
        case (let a as NSNumber, let b as NSNumber):
            return abs(a.doubleValue - b.doubleValue) <= 1e-14 * abs(b.doubleValue)
        case (let a as NSArray, let b as NSArray):
            return a.count == b.count
                && (0..<a.count).allSatisfy { place in
                    guard let x = a[place] as? NSObject, let y = b[place] as? NSObject else { return false }
                    return same(x, y)
                }
        case (let a as NSDictionary, let b as NSDictionary):
            return a.count == b.count
                && a.allKeys.allSatisfy { key in
                    guard let x = a[key] as? NSObject, let y = b[key] as? NSObject else { return false }
                    return same(x, y)
                }
        default: return a == b
        }
    }

    /// Writes a random value in a random style: white space, escapes, number forms.
    private static func write(_ depth: Int, _ rng: inout SplitMix64) -> String {
        let space = ["", "", "", " ", "\n", "\t \r"].randomElement(using: &rng) ?? ""
        let value: String
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &rng) {
        case 0: value = "null"
        case 1: value = Bool.random(using: &rng) ? "true" : "false"
        case 2: value = String(Int.random(in: -1_000_000_000_000_000...1_000_000_000_000_000, using: &rng))
        case 3:
            let forms = [
                "0", "-0", "0.5", "-12.25e3", "1E5", "7e-3", "123456789012345678", "3.141592653589793", "1e308",
            ]
            value = forms.randomElement(using: &rng) ?? "0"
        case 4, 5: value = writeString(&rng)
        case 6, 7:
            value =
                "["
                + (0..<Int.random(in: 0..<5, using: &rng)).map { _ in write(depth - 1, &rng) }
                .joined(separator: ",") + "]"
        default:
            value =
                "{"
                + (0..<Int.random(in: 0..<5, using: &rng)).map {
                    "\"m\($0)\(space)\"\(space):" + write(depth - 1, &rng)
                }
                .joined(separator: ",").replacing("\n\"", with: "\"").replacing("\t \r\"", with: "\"") + "}"
        }
        return space + value + space
    }

    private static func writeString(_ rng: inout SplitMix64) -> String {
        let pieces = [
            "a", "menu", "김치찌개", "é", "🍜", "\\n", "\\\"", "\\\\", "\\/", "\\u0041", "\\u00e9", "\\uae40",
            "\\ud83c\\udf5c", "\\b\\f\\r\\t", "\u{7F}", "<", " ",
        ]
        return "\""
            + (0..<Int.random(in: 0..<6, using: &rng)).map { _ in pieces.randomElement(using: &rng) ?? "" }
            .joined() + "\""
    }

    @Test("reads random texts as Foundation does", arguments: [1, 2, 3, 4] as [UInt64])
    func likeFoundation(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        var document = JSONDocument()
        for _ in 0..<1500 {
            let text = Self.write(5, &rng)
            let bytes = Array(text.utf8)
            do {
                try document.parse(bytes.span)
            } catch {
                Issue.record("seed \(seed): \(error) in \(text)")
                continue
            }
            let expected = try #require(
                try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) as? NSObject)
            let found = Self.tree(document, JSONDocument.root)
            #expect(Self.same(found, expected), "seed \(seed): \(text)")
        }
    }

    @Test(
        "takes nothing that Foundation refuses, and refuses nothing it takes but by our own rules",
        arguments: [11, 12, 13, 14] as [UInt64])
    func mutatedLikeFoundation(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        var document = JSONDocument()
        var taken = 0
        for _ in 0..<3000 {
            var bytes = Array(Self.write(3, &rng).utf8)
            for _ in 0..<Int.random(in: 1...3, using: &rng) where !bytes.isEmpty {
                let place = Int.random(in: 0..<bytes.count, using: &rng)
                switch Int.random(in: 0..<4, using: &rng) {
                case 0: bytes.remove(at: place)
                case 1: bytes[place] = UInt8.random(in: 0...255, using: &rng)
                case 2: bytes.insert(Array("{}[],:\"\\0-.eE1tfn ".utf8).randomElement(using: &rng) ?? 0, at: place)
                default: bytes.removeLast(bytes.count - place)
                }
            }
            let reference =
                try? JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed) as? NSObject
            var failure: JSONError?
            do { try document.parse(bytes.span) } catch { failure = error }
            if let failure {
                guard reference != nil else { continue }
                switch failure.fault {
                // Stricter by choice.
                case .repeatedName, .nulCharacter, .loneSurrogate, .tooManyMembers, .stringTooLong: break
                // Foundation skips a byte order mark and guesses UTF-16 and UTF-32 from zero bytes.
                case .invalidUTF8, .unexpected(got: 0, _), .unexpected(got: 0xEF, _): break
                // Foundation lets a comma before a closing bracket pass when white space lies between.
                case .unexpected(got: UInt8(ascii: "]"), .value), .unexpected(got: UInt8(ascii: "}"), .name): break
                default: Issue.record("seed \(seed): \(failure) in \(String(decoding: bytes, as: UTF8.self))")
                }
            } else {
                taken += 1
                guard let reference else {
                    Issue.record(
                        "seed \(seed): taken, though Foundation refuses \(String(decoding: bytes, as: UTF8.self))")
                    continue
                }
                #expect(Self.same(Self.tree(document, JSONDocument.root), reference), "seed \(seed)")
            }
        }
        #expect(taken > 100, "the mutations left hardly a text valid")
    }

    @Test("a text cut at any byte is an error, never a trap") func cut() {
        let text = Array(#"{"user_id":"1\u00e9\ud83c\udf5c","k":-1.5e+3,"allow":["a",null,true],"x":{"y":false}}"#.utf8)
        #expect(Self.error(text) == nil)
        for end in text.indices { #expect(Self.error(Array(text[..<end])) != nil, "cut at \(end)") }
    }
}
