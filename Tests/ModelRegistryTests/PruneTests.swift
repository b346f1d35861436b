import FactorModel
import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("Prune") struct PruneTests {
    private let directory: TemporaryDirectory
    private let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.path)
        for _ in 1...6 { _ = try registry.publishSample() }
    }

    @Test("the newest versions stay, with those an alias names and those a rollback returns to")
    func prune() throws {
        for version in [1, 3] { try registry.promote("guests", version: version, alias: "production") }
        #expect(try registry.prune("guests", keep: 2) == [2, 4])
        #expect(try registry.versions(of: "guests") == [1, 3, 5, 6])
        #expect(try registry.rollback("guests", alias: "production") == 1)
        #expect(try registry.prune("guests", keep: 2) == [3])
        #expect(try registry.prune("guests", keep: 2) == [])
    }

    @Test("no number comes again after a prune")
    func numbers() throws {
        #expect(try registry.prune("guests", keep: 1) == [1, 2, 3, 4, 5])
        #expect(try registry.publishSample() == 7)
    }

    @Test("what may be kept is 1 to a million", arguments: [0, -1, 1_000_001])
    func bounds(keep: Int) throws {
        #expect(throws: RegistryError.badKeepCount(keep)) { _ = try registry.prune("guests", keep: keep) }
        #expect(RegistryError.badKeepCount(keep).kind == .usage)
        #expect(try registry.prune("guests", keep: 1_000_000) == [])
    }

    @Test("leftovers of crashed publishers go once they are a day old")
    func leftovers() throws {
        let manager = FileManager.default
        for name in [".tmp-old", ".tmp-new", ".trash-9"] {
            try manager.createDirectory(atPath: directory.file("guests/\(name)"), withIntermediateDirectories: false)
            _ = try directory.write(Data("x".utf8), as: "guests/\(name)/model.safetensors")
        }
        _ = try directory.write(Data(), as: "guests/aliases.json.tmp-old")
        for name in [".tmp-old", "aliases.json.tmp-old"] {
            try manager.setAttributes(
                [.modificationDate: Date(timeIntervalSinceNow: -90_000)], ofItemAtPath: directory.file("guests/\(name)")
            )
        }
        _ = try registry.prune("guests", keep: 10)
        let names = try manager.contentsOfDirectory(atPath: directory.file("guests")).sorted()
        #expect(names == [".lock", ".tmp-new", "1", "2", "3", "4", "5", "6", "last-version"])
    }

    @Test("a model that is being served survives its version")
    func mapped() throws {
        let opened = try registry.open("guests", version: 1, threads: 1)
        _ = try registry.prune("guests", keep: 1)
        #expect(opened.snapshot.user(id: "2") == UserIndex(1))
        #expect(throws: RegistryError.noVersion(1, model: "guests", known: [6])) {
            try registry.verify("guests", version: 1)
        }
    }

    @Test("a process that dies at any step of a prune leaves whole versions only")
    func crashAtEachStep() throws {
        try registry.promote("guests", version: 2, alias: "production")
        var failAt = 1
        var finished = false
        while !finished {
            let failing = FailingFileSystem(failAt: failAt)
            do throws(RegistryError) {
                _ = try Registry(path: directory.path, fileSystem: failing).prune("guests", keep: 1)
                finished = failing.callCount < failAt
            } catch {
                #expect(error.kind == .io)
            }
            let versions = try registry.versions(of: "guests")
            #expect(versions.contains(2) && versions.contains(6))
            for version in versions { try registry.verify("guests", version: version) }
            failAt += 1
        }
        #expect(try registry.versions(of: "guests") == [2, 6])
    }
}
