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
        _ version: Int, refused: Bool = true, alias: String = "production", thresholds: String = "a"
    ) -> GateVerdict {
        GateVerdict(
            alias: alias, version: version, comparedWith: version - 1, gate: refused ? "overlap" : nil,
            reason: refused ? "too little" : nil, thresholds: thresholds, who: "me@here",
            at: Date(timeIntervalSince1970: 1000))
    }

    private var file: String { directory.file("models/guests/verdicts.json") }

    @Test("one of each question is kept, and a refusal outlasts whoever passes the version later") func keep() throws {
        #expect(try registry.verdicts(of: "guests").isEmpty)
        try registry.keep(verdict(3, refused: false), of: "guests")
        try registry.keep(verdict(3, refused: false), of: "guests")
        #expect(try registry.verdicts(of: "guests") == [verdict(3, refused: false)])
        try registry.keep(verdict(3), of: "guests")
        #expect(try registry.verdicts(of: "guests") == [verdict(3)])
        try registry.keep(verdict(3, refused: false), of: "guests")
        #expect(try registry.verdicts(of: "guests") == [verdict(3)])
        try registry.keep(verdict(3, thresholds: "b"), of: "guests")
        try registry.keep(verdict(3, alias: "staging"), of: "guests")
        #expect(try registry.verdicts(of: "guests").count == 3)
    }

    @Test("promoting the version again under the alias takes them back, and so does a rollback to it") func takenBack()
        throws
    {
        for version in 2...3 { try registry.keep(verdict(version), of: "guests") }
        try registry.keep(verdict(3, alias: "staging"), of: "guests")
        try registry.promote("guests", version: 3, alias: "production")
        #expect(try registry.verdicts(of: "guests") == [verdict(2), verdict(3, alias: "staging")])
        #expect(try registry.aliasHistory(of: "guests").count == 3, "the alias did not move")
        #expect(try registry.rollback("guests", alias: "production") == 2)
        #expect(try registry.verdicts(of: "guests") == [verdict(3, alias: "staging")])
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
        "the versions before are those of one rollback after the other, and a prune keeps the last that was not refused"
    )
    func earlier() throws {
        #expect(try registry.versions(before: 3, of: "production", model: "guests") == [2, 1])
        try registry.keep(verdict(3), of: "guests")
        try registry.keep(verdict(2), of: "guests")
        let report = try registry.prune("guests", keep: 1)
        #expect(report.removed.isEmpty)
        #expect(
            report.kept.map(\.reasons)
                == [[.fallback("production")], [.rollback("production")], [.newest, .alias("production")]])
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
