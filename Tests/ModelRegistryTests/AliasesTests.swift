import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("Aliases") struct AliasesTests {
    private let directory: TemporaryDirectory
    private let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.path)
        for _ in 1...4 { _ = try registry.publishSample() }
    }

    private func promote(_ version: Int, _ alias: String = "production") throws {
        try registry.promote("guests", version: version, alias: alias, reason: "test")
    }

    @Test("an alias names what it was last promoted to, and every change is in its history")
    func promoteAndHistory() throws {
        try promote(1)
        try promote(3)
        try promote(3)
        try promote(2, "staging")
        #expect(try registry.aliases(of: "guests") == ["production": 3, "staging": 2])
        #expect(try registry.resolve("guests", .alias("production")) == 3)
        let history = try registry.aliasHistory(of: "guests")
        #expect(history.map(\.alias) == ["production", "production", "staging"])
        #expect(history.map(\.from) == [nil, 1, nil] && history.map(\.to) == [1, 3, 2])
        #expect(history.allSatisfy { !$0.who.isEmpty && $0.reason == "test" && abs($0.at.timeIntervalSinceNow) < 60 })
    }

    @Test("an alias that is not there is missing, and the message lists those that are")
    func missing() throws {
        try promote(1)
        #expect(throws: RegistryError.noAlias("staging", model: "guests", known: ["production"])) {
            _ = try registry.resolve("guests", .alias("staging"))
        }
        #expect(throws: RegistryError.noAlias("staging", model: "guests", known: ["production"])) {
            _ = try registry.rollback("guests", alias: "staging")
        }
    }

    @Test("an alias is never pointed at a version that is not there or is damaged")
    func refusedVersions() throws {
        try promote(1)
        #expect(throws: RegistryError.noVersion(9, model: "guests", known: [1, 2, 3, 4])) { try promote(9) }
        let file = directory.file("guests/2/model.safetensors")
        var bytes = try Data(contentsOf: URL(filePath: file))
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: URL(filePath: file))
        #expect(throws: RegistryError.self) { try promote(2) }
        #expect(try registry.aliases(of: "guests") == ["production": 1])
        #expect(try registry.aliasHistory(of: "guests").count == 1)
    }

    @Test("an alias whose version is gone is said to name nothing")
    func danglingAlias() throws {
        try promote(2)
        try FileManager.default.removeItem(atPath: directory.file("guests/2"))
        #expect(throws: RegistryError.noVersion(2, model: "guests", known: [1, 3, 4])) {
            _ = try registry.resolve("guests", .alias("production"))
        }
    }

    @Test("rolling back goes back one promotion each time, until there is none")
    func rollback() throws {
        for version in [1, 2, 4] { try promote(version) }
        try promote(3, "staging")
        #expect(try registry.rollback("guests", alias: "production").version == 2)
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        #expect(throws: RegistryError.nothingToRollBackTo(alias: "production", version: 1, refused: [])) {
            _ = try registry.rollback("guests", alias: "production").version
        }
        try promote(4)
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        #expect(try registry.aliases(of: "guests") == ["production": 1, "staging": 3])
    }

    @Test("a version promoted twice is not a circle to roll back in") func rollbackEnds() throws {
        for version in [1, 2, 1] { try promote(version) }
        #expect(try registry.rollback("guests", alias: "production").version == 2)
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        #expect(throws: RegistryError.nothingToRollBackTo(alias: "production", version: 1, refused: [])) {
            _ = try registry.rollback("guests", alias: "production").version
        }
    }

    @Test("rolling back passes over versions that are gone and refuses damaged ones")
    func rollbackOverGaps() throws {
        for version in [1, 2, 3] { try promote(version) }
        try FileManager.default.removeItem(atPath: directory.file("guests/2"))
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        try promote(4)
        try FileManager.default.removeItem(atPath: directory.file("guests/1/model.safetensors"))
        #expect(throws: RegistryError.missingFile(path: directory.file("guests/1/model.safetensors"))) {
            _ = try registry.rollback("guests", alias: "production").version
        }
        #expect(try registry.aliases(of: "guests") == ["production": 4])
    }

    @Test("a change that only reached the log is never rolled back to")
    func phantomChange() throws {
        try promote(1)
        try promote(2)
        // A promotion to 1 that died between the log and the table, then a real rollback.
        let log = directory.file("guests/aliases.log")
        let phantom =
            "{\"action\":\"promote\",\"alias\":\"production\",\"at\":\"2024-01-01T00:00:00Z\",\"from\":2,\"reason\":\"\",\"to\":1,\"who\":\"x\"}\n"
        try Data((try String(contentsOfFile: log, encoding: .utf8) + phantom).utf8).write(to: URL(filePath: log))
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        #expect(throws: RegistryError.nothingToRollBackTo(alias: "production", version: 1, refused: [])) {
            _ = try registry.rollback("guests", alias: "production").version
        }
    }

    @Test("a damaged line of the log is passed over and does not harm its neighbours")
    func tornLog() throws {
        try promote(1)
        let log = directory.file("guests/aliases.log")
        try Data((try String(contentsOfFile: log, encoding: .utf8) + "{\"action\":\"prom").utf8).write(
            to: URL(filePath: log))
        try promote(2)
        #expect(try registry.aliasHistory(of: "guests").map(\.to) == [1, 2])
        #expect(try registry.rollback("guests", alias: "production").version == 1)
    }

    @Test("the history keeps the last thousand changes, and of each alias the last five, however old")
    func boundedHistory() throws {
        for version in [1, 2] { try promote(version, "rare") }
        let rare = try String(contentsOfFile: directory.file("guests/aliases.log"), encoding: .utf8)
        let line = { (to: Int) in
            "{\"action\":\"promote\",\"alias\":\"busy\",\"at\":\"2024-01-01T00:00:00Z\",\"reason\":\"\",\"to\":\(to),\"who\":\"x\"}\n"
        }
        _ = try directory.write(Data((rare + (1...1000).map(line).joined()).utf8), as: "guests/aliases.log")
        try promote(1)
        let history = try registry.aliasHistory(of: "guests")
        #expect(history.count == 1002)
        #expect(history.prefix(3).map(\.to) == [1, 2, 2] && history.last?.alias == "production")
        #expect(try registry.rollback("guests", alias: "rare").version == 1)
    }

    @Test("who and why are kept as told, within bounds")
    func actorAndReason() throws {
        try registry.promote(
            "guests", version: 1, alias: "production", actor: String(repeating: "a", count: 64),
            reason: String(repeating: "é", count: 250))
        #expect(
            throws: RegistryError.nothingToRollBackTo(alias: "production", version: 1, refused: [])
        ) {
            _ = try registry.rollback("guests", alias: "production", actor: "Kim \"on call\"", reason: "CVR down \\o/")
                .version
        }
        try registry.promote("guests", version: 2, alias: "production", actor: "ci", reason: "nightly")
        #expect(
            try registry.rollback("guests", alias: "production", actor: "Kim \"on call\"", reason: "CVR down \\o/")
                .version == 1
        )
        let history = try registry.aliasHistory(of: "guests")
        #expect(history.map(\.who) == [String(repeating: "a", count: 64), "ci", "Kim \"on call\""])
        #expect(history.map(\.reason) == [String(repeating: "é", count: 250), "nightly", "CVR down \\o/"])
    }

    @Test("an actor or a reason that is too long, or more than one line, is refused before anything changes")
    func refusedActorAndReason() throws {
        for actor in ["", String(repeating: "a", count: 65), "a\nb", "\u{1B}[2J", "a\u{2028}b"] {
            #expect(throws: RegistryError.badActor(bytes: actor.utf8.count)) {
                try registry.promote("guests", version: 1, alias: "production", actor: actor)
            }
            #expect(throws: RegistryError.badActor(bytes: actor.utf8.count)) {
                _ = try registry.rollback("guests", alias: "production", actor: actor)
            }
        }
        for reason in [String(repeating: "a", count: 501), "a\nb", "a\u{0}"] {
            #expect(throws: RegistryError.badReason(bytes: reason.utf8.count)) {
                try registry.promote("guests", version: 1, alias: "production", reason: reason)
            }
            #expect(throws: RegistryError.badReason(bytes: reason.utf8.count)) {
                _ = try registry.rollback("guests", alias: "production", reason: reason)
            }
        }
        #expect(try registry.aliases(of: "guests").isEmpty && registry.aliasHistory(of: "guests").isEmpty)
    }

    @Test("a model has at most 256 aliases")
    func aliasCount() throws {
        let table = (1...255).map { "\"a\($0)\":1" }.joined(separator: ",")
        _ = try directory.write(Data("{\(table)}".utf8), as: "guests/aliases.json")
        try promote(2, "last")
        #expect(throws: RegistryError.tooManyAliases(model: "guests")) { try promote(2, "more") }
        try promote(3, "last")
        #expect(try registry.aliases(of: "guests").count == 256)
    }

    @Test("promotions and rollbacks at the same time are all in the history, each from where the one before led")
    func concurrent() async throws {
        let registry = self.registry
        try promote(1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for version in [2, 3, 4, 2, 3, 4] {
                group.addTask { try registry.promote("guests", version: version, alias: "production") }
            }
            try await group.waitForAll()
        }
        let history = try registry.aliasHistory(of: "guests")
        for (one, next) in zip(history, history.dropFirst()) { #expect(next.from == one.to) }
        #expect(try registry.aliases(of: "guests") == ["production": history.last?.to ?? 0])
    }

    @Test(
        "a damaged table of aliases is an error, not an empty table",
        arguments: [
            "", "[]", "{\"production\":\"7\"}", "{\"production\":0}", "{\"Production\":1}", "{\"production\":1",
            "{\"production\":1.5}",
        ])
    func damagedTable(text: String) throws {
        let file = try directory.write(Data(text.utf8), as: "guests/aliases.json")
        let error = try #require(throws: RegistryError.self) { _ = try registry.aliases(of: "guests") }
        guard case .badAliases(let path, _) = error, path == file else { throw error }
        #expect(error.kind == .badModel)
        #expect(throws: error) { try promote(1) }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == text)
    }

    @Test("a process that dies at any step of a promotion leaves the old table or the new one")
    func crashAtEachStep() throws {
        try promote(1)
        try promote(2)
        var failAt = 1
        var seen: Set<Int> = []
        var finished = false
        while !finished {
            let failing = FailingFileSystem(failAt: failAt)
            do throws(RegistryError) {
                try Registry(path: directory.path, fileSystem: failing).promote(
                    "guests", version: 3, alias: "production")
                finished = failing.callCount < failAt
            } catch {
                #expect(error.kind == .io)
            }
            let now = try registry.resolve("guests", .alias("production"))
            seen.insert(now)
            #expect(now == 2 || now == 3)
            if now == 3 { #expect(try registry.rollback("guests", alias: "production").version == 2) }
            failAt += 1
        }
        #expect(seen == [2, 3])
    }
}
