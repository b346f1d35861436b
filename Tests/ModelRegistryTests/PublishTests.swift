import FactorModel
import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("Publish") struct PublishTests {
    private let directory: TemporaryDirectory
    private let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.file("models"))
    }

    @Test("versions count from 1, open, and carry what the publisher said")
    func publish() throws {
        #expect(try registry.publishSample() == 1)
        #expect(try registry.publishSample(seed: 5, promote: "staging") == 2)
        #expect(try registry.models() == ["guests"])
        #expect(try registry.versions(of: "guests") == [1, 2])
        let opened = try registry.open("guests", version: 2, threads: 2)
        #expect(opened.snapshot.withUserFactors(UserIndex(0)) { $0[0] } == 5)
        #expect(opened.manifest.model == "guests" && opened.manifest.version == 2)
        let shapes = opened.manifest.shapes
        #expect(shapes.users == 3 && shapes.items == 4 && shapes.factors == 2)
        #expect(shapes.interactions == 3 && shapes.hotels == 1)
        #expect(opened.manifest.lineage == sampleDraft().lineage)
        #expect(abs(opened.manifest.createdAt.timeIntervalSinceNow) < 60)
        #expect(
            opened.manifestBytes
                == [UInt8](try Data(contentsOf: URL(filePath: directory.file("models/guests/2/manifest.json")))))
    }

    @Test(
        "a version holds the model file, what it answers, its manifest and nothing else, and no leftover stays beside it"
    )
    func entries() throws {
        _ = try registry.publishSample(promote: "production")
        let manager = FileManager.default
        #expect(
            try manager.contentsOfDirectory(atPath: directory.file("models/guests/1")).sorted() == [
                "codes.safetensors", "golden.json", "manifest.json", "model.safetensors",
            ])
        #expect(
            try manager.contentsOfDirectory(atPath: directory.file("models/guests")).sorted()
                == [".lock", "1", "aliases.json", "aliases.log", "last-version"])
        #expect(
            try String(contentsOfFile: directory.file("models/guests/aliases.json"), encoding: .utf8)
                == "{\"production\":1}\n")
    }

    @Test("the manifest is stable text: sorted keys, ISO 8601 in UTC, SHA-256 as sha256sum prints it")
    func manifestText() throws {
        _ = try registry.publishSample()
        let text = try String(contentsOfFile: directory.file("models/guests/1/manifest.json"), encoding: .utf8)
        let keys = text.split(separator: "\n").filter { $0.hasPrefix("  \"") }.map { $0.split(separator: "\"")[1] }
        #expect(keys == ["created_at", "files", "format", "golden_queries", "lineage", "model", "shapes", "version"])
        #expect(text.contains(#/"created_at" : "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"/#) && text.hasSuffix("}\n"))
        #expect(text.contains(#/"sha256" : "[0-9a-f]{64}"/#))
        let empty = try directory.write(Data(), as: "empty")
        #expect(try sha256(ofFile: empty) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        let abc = try directory.write(Data("abc".utf8), as: "abc")
        #expect(try sha256(ofFile: abc) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test(
        "names that are no names are refused before anything is made",
        arguments: ["", "A", ".x", "a/b", "..", "-a", "a b", "é", String(repeating: "a", count: 65)])
    func badNames(name: String) throws {
        #expect(throws: RegistryError.badModelName(name)) {
            _ = try registry.publish(model: name, contents: sampleContents(), manifest: sampleDraft(), promote: nil)
        }
        #expect(throws: RegistryError.badAliasName(name)) { _ = try registry.publishSample(promote: name) }
        #expect(!FileManager.default.fileExists(atPath: registry.path))
        #expect(RegistryError.badModelName(name).kind == .usage)
    }

    @Test("the longest name is a name")
    func longestName() throws {
        let name = "a" + String(repeating: ".", count: 63)
        #expect(
            try registry.publish(model: name, contents: sampleContents(), manifest: sampleDraft(), promote: name) == 1)
        #expect(try registry.resolve(name, .alias(name)) == 1)
    }

    @Test("contents that break the format publish nothing")
    func badContents() throws {
        var contents = sampleContents()
        contents.userIDs[1] = contents.userIDs[0]
        let error = try #require(throws: RegistryError.self) {
            _ = try registry.publish(model: "guests", contents: contents, manifest: sampleDraft(), promote: nil)
        }
        #expect(error.kind == .badModel)
        #expect(try registry.versions(of: "guests") == [])
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.file("models/guests")) == [".lock"])
    }

    @Test("a number is never given twice, also when its version is gone")
    func numbersAreSpent() throws {
        _ = try registry.publishSample()
        _ = try registry.publishSample()
        try FileManager.default.removeItem(atPath: directory.file("models/guests/2"))
        #expect(try registry.publishSample() == 3)
        try FileManager.default.removeItem(atPath: directory.file("models/guests/last-version"))
        #expect(try registry.publishSample() == 4)
    }

    @Test(
        "a damaged last number is an error, not a guess",
        arguments: ["", "7", "x\n", "07\n", "1 2\n", "1000000000\n", "999999999\n"])
    func damagedLastVersion(text: String) throws {
        _ = try registry.publishSample()
        let file = try directory.write(Data(text.utf8), as: "models/guests/last-version")
        #expect(throws: RegistryError.badLastVersion(path: file)) { _ = try registry.publishSample() }
        #expect(try registry.versions(of: "guests") == [1])
    }

    @Test("publishers at the same time get numbers of their own, and every version is whole", .timeLimit(.minutes(5)))
    func concurrent() async throws {
        let registry = self.registry
        let numbers = try await withThrowingTaskGroup(of: Int.self) { group in
            for seed in 1...8 { group.addTask { try registry.publishSample(seed: Float(seed), promote: "production") } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(numbers.sorted() == Array(1...8))
        for version in 1...8 { try registry.verify("guests", version: version) }
        #expect(try registry.versions(of: "guests") == Array(1...8))
        // Each change is in the log exactly once, as a chain.
        let history = try registry.aliasHistory(of: "guests")
        #expect(Set(history.map(\.to)).count == 8 && history.count == 8)
        for (before, after) in zip(history, history.dropFirst()) { #expect(after.from == before.to) }
        #expect(try registry.aliases(of: "guests")["production"] == history.last?.to)
    }

    @Test("a process that dies at any step of a publish leaves the old state or the new one")
    func crashAtEachStep() throws {
        var failAt = 1
        var finished = false
        var outcomes: Set<[Int]> = []
        while !finished {
            let root = directory.file("crash-\(failAt)")
            let sound = Registry(path: root)
            _ = try sound.publishSample(seed: 1, promote: "production")
            let failing = FailingFileSystem(failAt: failAt)
            do throws(RegistryError) {
                _ = try Registry(path: root, fileSystem: failing).publishSample(seed: 2, promote: "production")
                finished = failing.callCount < failAt
            } catch {
                #expect(error.kind == .io, "\(error)")
            }
            let versions = try sound.versions(of: "guests")
            outcomes.insert(versions)
            #expect(versions == [1] || versions == [1, 2], "step \(failAt)")
            for version in versions { try sound.verify("guests", version: version) }
            let production = try sound.resolve("guests", .alias("production"))
            #expect(versions.contains(production))
            let history = try sound.aliasHistory(of: "guests")
            #expect(history.first?.to == 1 && history.count <= 2)
            // Whatever was left, the next publisher is not hindered, and no number comes twice.
            let next = try sound.publishSample(seed: 3, promote: "production")
            #expect(next > (versions.last ?? 0) && next <= 3, "step \(failAt)")
            #expect(try sound.rollback("guests", alias: "production").version == production, "step \(failAt)")
            failAt += 1
        }
        #expect(outcomes == [[1], [1, 2]] && failAt > 15)
    }

    @Test("a failure that is no crash leaves nothing behind")
    func tidyFailure() throws {
        // A directory where the file with the last number belongs: it can be neither read nor replaced.
        _ = try registry.publishSample()
        let file = directory.file("models/guests/last-version")
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createDirectory(atPath: file, withIntermediateDirectories: false)
        let error = try #require(throws: RegistryError.self) { _ = try registry.publishSample() }
        #expect(error.kind == .io)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.file("models/guests")).sorted()
                == [".lock", "1", "last-version"])
    }
}
