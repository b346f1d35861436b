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

    @Test("promoting the version again under the alias takes refusals back, and leaves passes") func takenBack() throws
    {
        for version in 2...3 { try registry.keep(verdict(version), of: "guests") }
        try registry.keep(verdict(3, alias: "staging"), of: "guests")
        try registry.keep(verdict(3, refused: false, thresholds: "b"), of: "guests")
        try registry.promote("guests", version: 3, alias: "production")
        #expect(
            try registry.verdicts(of: "guests")
                == [verdict(2), verdict(3, alias: "staging"), verdict(3, refused: false, thresholds: "b")])
        #expect(try registry.aliasHistory(of: "guests").count == 3, "the alias did not move")
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
