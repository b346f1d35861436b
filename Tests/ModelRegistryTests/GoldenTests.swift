import FactorModel
import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("golden.json") struct GoldenTests {
    let directory: TemporaryDirectory
    let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.file("models"))
        _ = try registry.publishSample()
    }

    private func file(_ name: String) -> String { directory.file("models/guests/1/\(name)") }

    /// Puts `text` in place of the golden queries, with a manifest that says so: published by somebody else.
    private func replace(_ text: String, count: Int? = 3) throws {
        try Data(text.utf8).write(to: URL(filePath: file("golden.json")))
        var manifest = try registry.manifest(of: "guests", version: 1).manifest
        for place in manifest.files.indices where manifest.files[place].name == "golden.json" {
            manifest.files[place].bytes = text.utf8.count
            manifest.files[place].sha256 = try sha256(ofFile: file("golden.json"))
        }
        manifest.goldenQueries = count
        try write(manifest)
    }

    private func write(_ manifest: Manifest) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        try encoder.encode(manifest).write(to: URL(filePath: file("manifest.json")))
    }

    private func text(_ edit: (inout [String: Any]) -> Void) throws -> String {
        let data = try Data(contentsOf: URL(filePath: file("golden.json")))
        var object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        edit(&object)
        return String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
    }

    @Test("holds ids, items and scores of the version, is counted in the manifest and checked by verify")
    func published() throws {
        let text = try String(contentsOfFile: file("golden.json"), encoding: .utf8)
        #expect(text.hasPrefix(#"{"format":"nextloop-golden/1","k":10,"queries":[{"items":[{"id":"40","score":23},"#))
        #expect(text.hasSuffix("\n"))
        let opened = try registry.open("guests", version: 1, threads: 1)
        #expect(opened.manifest.goldenQueries == 3)
        #expect(opened.golden?.queries.map(\.user) == ["1", "2", "3"])
        #expect(try registry.verify("guests", version: 1) == 3)
        let answers = try #require(try registry.goldenAnswers(of: "guests", version: 1))
        #expect(answers.golden == opened.golden)
        #expect(answers.itemCount == 4)
        #expect(!text.contains("\"a\""), "no name of an item")
    }

    @Test("a version without it opens; one whose manifest promises it does not") func without() throws {
        var manifest = try registry.manifest(of: "guests", version: 1).manifest
        manifest.files.removeAll { $0.name == "golden.json" }
        manifest.goldenQueries = nil
        try write(manifest)
        try FileManager.default.removeItem(atPath: file("golden.json"))
        #expect(try registry.verify("guests", version: 1) == 0)
        #expect(try registry.goldenAnswers(of: "guests", version: 1) == nil)
        manifest.goldenQueries = 3
        try write(manifest)
        #expect(throws: RegistryError.missingFile(path: file("golden.json"))) {
            try registry.verify("guests", version: 1)
        }
    }

    @Test("a model whose users have no vectors is published without it") func noVectors() throws {
        var contents = sampleContents()
        contents.factors = Factors(
            factorCount: 2, userFactors: Array(repeating: 0, count: 6), itemFactors: contents.factors.itemFactors)
        let version = try registry.publish(model: "guests", contents: contents, manifest: sampleDraft())
        #expect(try registry.open("guests", version: version, threads: 1).golden == nil)
        #expect(!FileManager.default.fileExists(atPath: directory.file("models/guests/2/golden.json")))
    }

    @Test("answers that the version does not give are told by verify and promote; a rollback and force go on")
    func otherAnswers() throws {
        _ = try registry.publishSample()
        try registry.promote("guests", version: 1, alias: "production")
        try registry.promote("guests", version: 2, alias: "production")
        try replace(
            try text { object in
                var queries = object["queries"] as? [[String: Any]] ?? []
                var items = queries[1]["items"] as? [[String: Any]] ?? []
                items[0]["score"] = 99
                queries[1]["items"] = items
                object["queries"] = queries
            })
        let error = try #require(throws: RegistryError.self) { try registry.verify("guests", version: 1) }
        #expect(error.kind == .badModel)
        #expect("\(error)".contains("golden query 2 of 3: the user in row 1 gets a score of"), "\(error)")
        #expect(throws: error) { try registry.promote("guests", version: 1, alias: "staging") }
        #expect(try registry.open("guests", version: 1, threads: 1).golden != nil, "opening does not ask")
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        try registry.promote("guests", version: 1, alias: "staging", force: true)
    }

    @Test("its digest is checked", arguments: ["golden.json"]) func digest(name: String) throws {
        var data = try Data(contentsOf: URL(filePath: file(name)))
        data[data.count / 2] ^= 1
        try data.write(to: URL(filePath: file(name)))
        let error = try #require(throws: RegistryError.self) {
            _ = try registry.open("guests", version: 1, threads: 1)
        }
        guard case .wrongDigest = error else { throw error }
        #expect(throws: error) { _ = try registry.goldenAnswers(of: "guests", version: 1) }
        data.removeLast()
        try data.write(to: URL(filePath: file(name)))
        #expect(throws: RegistryError.wrongSize(path: file(name), got: data.count, wanted: data.count + 1)) {
            _ = try registry.open("guests", version: 1, threads: 1)
        }
    }

    @Test("what is no such list is refused with what is wrong, and a list at the bounds is taken")
    func bounds() throws {
        func query(_ user: String, items: Int = 0, score: String = "1") -> String {
            let list = (0..<items).map { _ in #"{"id":"10","score":\#(score)}"# }.joined(separator: ",")
            return #"{"user":"\#(user)","items":[\#(list)]}"#
        }
        func list(_ queries: [String], format: String = "nextloop-golden/1", k: Int = 10) -> String {
            #"{"format":"\#(format)","k":\#(k),"queries":[\#(queries.joined(separator: ","))]}"#
        }
        func told(_ text: String, count: Int) throws -> String {
            try replace(text, count: count)
            do throws(RegistryError) {
                _ = try registry.open("guests", version: 1, threads: 1)
                return ""
            } catch {
                #expect(error.kind == .badModel)
                return "\(error)"
            }
        }
        let longest = String(repeating: "u", count: 256)
        #expect(try told(list([query(longest, items: 10)]), count: 1) == "")
        #expect(try told(list(Array(repeating: query("1"), count: 256)), count: 256) == "")
        #expect(try told(list(Array(repeating: query("1"), count: 257)), count: 257).contains("257 queries"))
        #expect(try told(list([]), count: 0).contains("0 queries"))
        #expect(try told(list([query("1")]), count: 2).contains("1 queries, its manifest says 2"))
        #expect(try told(list([query(longest + "u")]), count: 1).contains("over 256 bytes"))
        #expect(try told(list([query("")]), count: 1).contains("empty"))
        #expect(try told(list([query("1", items: 11)]), count: 1).contains("more than 10 items"))
        #expect(try told(list([query("1", items: 1, score: "1e400")]), count: 1).contains("cannot be used"))
        #expect(try told(list([query("1")], format: "nextloop-golden/2"), count: 1).contains("nextloop-golden/2"))
        #expect(try told(list([query("1")], k: 11), count: 1).contains("with k 11"))
        let short = list([query("1")])
        let fill = String(repeating: " ", count: Registry.goldenBytesMax - short.utf8.count)
        #expect(try told(short + fill, count: 1) == "")
        #expect(try told(short + fill + " ", count: 1).contains("1048577 bytes, wanted at most 1048576"))
        for text in ["", "[]", "{", "null"] { #expect(try told(text, count: 1).contains("no such list"), "\(text)") }
    }

    @Test("a list of the longest ids, all of them escaped, stays within the bound of a reader") func largest() throws {
        func id(_ number: Int) -> String {
            String(repeating: "\u{1}", count: 250) + String(format: "%06d", number)
        }
        var random = SplitMix64(seed: 3)
        let contents = ModelContents(
            userIDs: (0..<32).map(id),
            catalogue: Catalogue(
                itemIDs: (0..<20).map(id), names: Array(repeating: "", count: 20),
                prices: Array(repeating: nil, count: 20), departmentIDs: Array(repeating: nil, count: 20),
                hotelIDs: [], hotelItems: []),
            factors: Factors(
                factorCount: 2, userFactors: (0..<64).map { _ in Float.random(in: 0.1...1, using: &random) },
                itemFactors: (0..<40).map { _ in Float.random(in: 0.1...1, using: &random) }),
            interactions: InteractionMatrix(
                rowCount: 32, columnCount: 20, indptr: Array(repeating: 0, count: 33), indices: [], values: []),
            itemPopularity: Array(repeating: 0, count: 20))
        let version = try registry.publish(model: "guests", contents: contents, manifest: sampleDraft())
        #expect(try registry.verify("guests", version: version) == 32)
    }
}
