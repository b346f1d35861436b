import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("Verdicts of servers") struct VerdictTests {
    let directory: TemporaryDirectory
    let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.file("models"))
        for _ in 1...3 { _ = try registry.publishSample(promote: "production") }
    }

    private func verdict(
        _ version: Int, refused: Bool = true, alias: String = "production", thresholds: String = "a",
        contents: String? = nil
    ) -> GateVerdict {
        let digest = (try? registry.manifest(of: "guests", version: version))?.manifest.modelDigest
        return GateVerdict(
            alias: alias, version: version, contents: contents ?? digest ?? "none", comparedWith: version - 1,
            gate: refused ? "overlap" : nil,
            reason: refused ? "too little" : nil, thresholds: thresholds, who: "me@here",
            at: Date(timeIntervalSince1970: 1000))
    }

    private var file: String { directory.file("models/guests/verdicts.json") }

    @Test("one of each question is kept: the first refusal until somebody passes the version, and then that for good")
    func keep() throws {
        #expect(try registry.verdicts(of: "guests").isEmpty)
        var later = verdict(3)
        later.reason = "much too little"
        for refusal in [verdict(3), verdict(3), later] { try registry.keep(refusal, of: "guests") }
        #expect(try registry.verdicts(of: "guests") == [verdict(3)])
        for next in [verdict(3, refused: false), verdict(3, refused: false), verdict(3), later] {
            try registry.keep(next, of: "guests")
            #expect(try registry.verdicts(of: "guests") == [verdict(3, refused: false)])
        }
        try registry.keep(verdict(3, thresholds: "b"), of: "guests")
        try registry.keep(verdict(3, alias: "staging"), of: "guests")
        #expect(try registry.verdicts(of: "guests").count == 3)
    }

    @Test("promoting the version again under the alias takes refusals back, with who, when and why, and leaves passes")
    func takenBack() throws {
        for version in 2...3 { try registry.keep(verdict(version), of: "guests") }
        try registry.keep(verdict(3, alias: "staging"), of: "guests")
        try registry.keep(verdict(3, refused: false, thresholds: "b"), of: "guests")
        let began = Date(timeIntervalSince1970: Date().timeIntervalSince1970.rounded(.down))
        try registry.promote("guests", version: 3, alias: "production", actor: "ann", reason: "new menu")
        let kept = try registry.verdicts(of: "guests")
        let takenBack = try #require(kept[1].takenBack)
        #expect(takenBack.who == "ann" && takenBack.reason == "new menu" && takenBack.at >= began)
        #expect(
            kept == [
                verdict(2), taken(3, takenBack), verdict(3, alias: "staging"),
                verdict(3, refused: false, thresholds: "b"),
            ])
        #expect(kept.map(\.isRefusal) == [true, false, true, false])
        #expect(kept.map(\.isPass) == [false, false, false, true])
        #expect(try registry.aliasHistory(of: "guests").count == 3, "the alias did not move")
        try registry.promote("guests", version: 3, alias: "production", actor: "bob")
        #expect(try registry.verdicts(of: "guests") == kept, "there was nothing left to take back")
    }

    private func taken(_ version: Int, _ takenBack: GateVerdict.TakenBack, thresholds: String = "a") -> GateVerdict {
        var verdict = verdict(version, thresholds: thresholds)
        verdict.takenBack = takenBack
        return verdict
    }

    @Test("what was taken back is in nobody's way back, and gives way to the next verdict on the same question")
    func afterTakenBack() throws {
        try registry.keep(verdict(2), of: "guests")
        try registry.promote("guests", version: 2, alias: "production")
        try registry.promote("guests", version: 3, alias: "production")
        let (version, refused) = try registry.rollback("guests", alias: "production")
        #expect(version == 2 && refused.isEmpty)
        #expect(try registry.verdicts(of: "guests").map { $0.takenBack == nil } == [false])
        var anew = verdict(2)
        anew.reason = "still too little"
        try registry.keep(anew, of: "guests")
        #expect(try registry.verdicts(of: "guests") == [anew])
        try registry.promote("guests", version: 3, alias: "production")
        try registry.promote("guests", version: 2, alias: "production")
        try registry.keep(verdict(2, refused: false), of: "guests")
        #expect(try registry.verdicts(of: "guests") == [verdict(2, refused: false)])
    }

    @Test("a list from before refusals could be marked is read as it was meant") func earlierForm() throws {
        let digest = try #require(try registry.manifest(of: "guests", version: 2).manifest.modelDigest)
        let text = """
            [{"alias":"production","at":"1970-01-01T00:16:40Z","compared_with":1,"gate":"overlap","model_sha256":"\(digest)",\
            "reason":"too little","thresholds":"a","version":2,"who":"me@here"}]
            """
        try Data(text.utf8).write(to: URL(filePath: file))
        #expect(try registry.verdicts(of: "guests") == [verdict(2)])
        try registry.promote("guests", version: 2, alias: "production")
        #expect(try registry.verdicts(of: "guests").map(\.isRefusal) == [false])
    }

    @Test("of more than a thousand those go first that were taken back, the oldest first of them") func boundTakenBack()
        throws
    {
        let takenBack = GateVerdict.TakenBack(
            at: Date(timeIntervalSince1970: 2000), who: String(repeating: "w", count: 64),
            reason: String(repeating: "\\", count: 500))
        let many = (0..<Registry.verdictCountMax).map { number in
            number.isMultiple(of: 2)
                ? verdict(3, thresholds: "\(number)") : taken(3, takenBack, thresholds: "\(number)")
        }
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        try encoder.encode(many).write(to: URL(filePath: file))
        try registry.keep(verdict(3, thresholds: "new"), of: "guests")
        try registry.keep(verdict(3, thresholds: "newer"), of: "guests")
        let kept = try registry.verdicts(of: "guests").map(\.thresholds)
        #expect(kept.count == Registry.verdictCountMax)
        #expect(kept.prefix(4) == ["0", "2", "4", "5"] && kept.suffix(2) == ["new", "newer"])
    }

    @Test("a rollback passes over what a server refused, says so and takes nothing back") func rollback() throws {
        try registry.keep(verdict(2), of: "guests")
        let (version, refused) = try registry.rollback("guests", alias: "production")
        #expect(version == 1 && refused == [2])
        #expect(try registry.verdicts(of: "guests") == [verdict(2)])
        try registry.promote("guests", version: 3, alias: "production")
        try registry.keep(verdict(1), of: "guests")
        #expect(throws: RegistryError.nothingToRollBackTo(alias: "production", version: 3, refused: [1])) {
            _ = try registry.rollback("guests", alias: "production")
        }
        try registry.keep(verdict(1, refused: false), of: "guests")
        #expect(try registry.rollback("guests", alias: "production").version == 1, "another server passed it")
    }

    @Test("a refusal under another alias or of other contents is in nobody's way back") func otherRefusals() throws {
        try registry.keep(verdict(2, alias: "staging"), of: "guests")
        try registry.keep(verdict(2, contents: String(repeating: "0", count: 64)), of: "guests")
        #expect(try registry.verdicts(of: "guests").map(\.alias) == ["staging"], "the other is not about what is there")
        let (version, refused) = try registry.rollback("guests", alias: "production")
        #expect(version == 2 && refused.isEmpty)
    }

    @Test("a damaged list is in nobody's way back") func rollbackPastDamage() throws {
        try Data("{".utf8).write(to: URL(filePath: file))
        #expect(try registry.rollback("guests", alias: "production").version == 2)
    }

    @Test("a version whose manifest cannot be read keeps what was said of it") func unreadable() throws {
        let refusal = verdict(2)
        try registry.keep(refusal, of: "guests")
        try FileManager.default.removeItem(atPath: directory.file("models/guests/2/manifest.json"))
        #expect(try registry.verdicts(of: "guests") == [refusal])
    }

    @Test("those of versions that are gone go, and a damaged list is an error to read and is replaced") func tidy()
        throws
    {
        try registry.keep(verdict(1), of: "guests")
        try FileManager.default.removeItem(atPath: directory.file("models/guests/1"))
        try registry.keep(verdict(2), of: "guests")
        #expect(try registry.verdicts(of: "guests") == [verdict(2)])
        for text in ["", "{}", "[{}]"] {
            try Data(text.utf8).write(to: URL(filePath: file))
            #expect(throws: RegistryError.badVerdicts(path: file)) { _ = try registry.verdicts(of: "guests") }
            try registry.keep(verdict(3), of: "guests")
            #expect(try registry.verdicts(of: "guests") == [verdict(3)])
        }
    }

    @Test("a list that cannot be read now is not taken for an empty one: nothing is written, and nothing is lost")
    func unreadableList() throws {
        try registry.keep(verdict(2), of: "guests")
        let failing = Registry(path: registry.path, fileSystem: FailingFileSystem(unreadableName: "verdicts.json"))
        let error = RegistryError.system(call: "open", path: file, code: EMFILE)
        #expect(throws: error) { try failing.keep(verdict(3), of: "guests") }
        #expect(throws: error) { try failing.promote("guests", version: 2, alias: "production") }
        #expect(throws: error) { _ = try failing.rollback("guests", alias: "production") }
        #expect(try registry.verdicts(of: "guests") == [verdict(2)])
        #expect(try registry.aliases(of: "guests") == ["production": 3])
    }

    @Test("a list over the bound counts as damaged: in nobody's way back, replaced by the next verdict, hiding nothing")
    func tooLong() throws {
        let bytesMax = 4 << 20
        func write(byteCount: Int) throws {
            try Data("[\(String(repeating: " ", count: byteCount - 2))]".utf8).write(to: URL(filePath: file))
        }
        try write(byteCount: bytesMax)
        #expect(try registry.verdicts(of: "guests").isEmpty)
        try write(byteCount: bytesMax + 1)
        #expect(throws: RegistryError.badVerdicts(path: file)) { _ = try registry.verdicts(of: "guests") }
        let watch = RegistryWatch(registry, models: ["guests"], interval: .milliseconds(10))
        #expect(try registry.rollback("guests", alias: "production").version == 2)
        #expect(watch.wait(), "the alias is seen to move")
        try registry.keep(verdict(3), of: "guests")
        #expect(try registry.verdicts(of: "guests") == [verdict(3)])
    }

    @Test("the newest thousand are kept") func bound() throws {
        let many = (0..<Registry.verdictCountMax).map { verdict(3, thresholds: "\($0)") }
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        try encoder.encode(many).write(to: URL(filePath: file))
        #expect(try registry.verdicts(of: "guests").count == Registry.verdictCountMax)
        try registry.keep(verdict(3, thresholds: "new"), of: "guests")
        let kept = try registry.verdicts(of: "guests")
        #expect(kept.count == Registry.verdictCountMax)
        #expect(kept.first?.thresholds == "1")
        #expect(kept.last?.thresholds == "new")
    }

    @Test(
        "the versions before are those that the alias named, and a prune keeps the last that was not refused"
    )
    func earlier() throws {
        #expect(try registry.versions(before: 3, of: "production", model: "guests") == [2, 1])
        try registry.keep(verdict(3), of: "guests")
        try registry.keep(verdict(2), of: "guests")
        let report = try registry.prune("guests", keep: 1)
        #expect(report.removed == [2])
        #expect(report.kept.map(\.reasons) == [[.rollback("production")], [.newest, .alias("production")]])
    }

    @Test("a process that dies at any step keeps all of the old list or all of the new one") func crash() throws {
        for _ in 1...40 {
            for failAt in 1... {
                let failing = FailingFileSystem(failAt: failAt)
                let before = try registry.verdicts(of: "guests")
                let next = verdict(3, thresholds: "\(before.count)")
                try? Registry(path: registry.path, fileSystem: failing).keep(next, of: "guests")
                let after = try registry.verdicts(of: "guests")
                #expect(after == before || after == before + [next])
                if failing.callCount < failAt { return }
            }
        }
    }

    @Test("wakes a watch") func watch() throws {
        let watch = RegistryWatch(registry, models: ["guests"], interval: .milliseconds(10))
        try registry.keep(verdict(3), of: "guests")
        #expect(watch.wait())
    }
}
