import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("Promotion by force") struct ForcedTests {
    let directory: TemporaryDirectory
    let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.file("models"))
        for _ in 1...2 { _ = try registry.publishSample() }
    }

    @Test("is noted with the alias and in the history, and ends with the next promotion") func notes() throws {
        try registry.promote("guests", version: 1, alias: "production")
        #expect(try registry.forced(of: "guests").isEmpty)
        try registry.promote("guests", version: 2, alias: "production", force: true)
        #expect(try registry.forced(of: "guests") == ["production": 2])
        #expect(try registry.aliasHistory(of: "guests").map(\.forced) == [nil, true])
        try registry.promote("guests", version: 1, alias: "production")
        #expect(try registry.forced(of: "guests").isEmpty)
    }

    @Test("of what the alias names already is a change of its own, once, and does not get in the way of a rollback")
    func sameVersion() throws {
        try registry.promote("guests", version: 1, alias: "production")
        try registry.promote("guests", version: 2, alias: "production")
        try registry.promote("guests", version: 2, alias: "production", force: true)
        try registry.promote("guests", version: 2, alias: "production", force: true)
        #expect(try registry.aliasHistory(of: "guests").count == 3)
        #expect(try registry.forced(of: "guests") == ["production": 2])
        #expect(try registry.rollback("guests", alias: "production").version == 1)
    }

    @Test("a rollback to what was forced last forces it again, and one to what was promoted plainly since does not")
    func rollback() throws {
        try registry.promote("guests", version: 1, alias: "production", force: true)
        try registry.promote("guests", version: 2, alias: "production")
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        #expect(try registry.forced(of: "guests") == ["production": 1])
        #expect(try registry.aliasHistory(of: "guests").map(\.forced) == [true, nil, true])
        for version in [2, 1, 2] { try registry.promote("guests", version: version, alias: "production") }
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        #expect(try registry.forced(of: "guests").isEmpty)
    }

    @Test("a mark that the table does not bear out, or that cannot be read, forces nothing") func damage() throws {
        try registry.promote("guests", version: 1, alias: "production")
        let file = directory.file("models/guests/forced.json")
        for text in [#"{"production":2}"#, #"{"staging":1}"#, "[]", "", #"{"production":"1"}"#] {
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try registry.forced(of: "guests").isEmpty, "\(text)")
        }
    }

    @Test("wakes a watch, also when the alias stays where it is") func watch() throws {
        try registry.promote("guests", version: 1, alias: "production")
        let watch = RegistryWatch(registry, models: ["guests"], interval: .milliseconds(10))
        try registry.promote("guests", version: 1, alias: "production", force: true)
        #expect(watch.wait())
    }
}
