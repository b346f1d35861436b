import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("Serving lease") struct ServingLeaseTests {
    private let directory: TemporaryDirectory
    private let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.path)
        for _ in 1...3 { _ = try registry.publishSample() }
    }

    @Test("several hold one at once, and taking one leaves nothing behind")
    func shared() throws {
        let before = try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted()
        let leases = [try registry.lease("guests", version: 1), try registry.lease("guests", version: 1)]
        #expect(leases.map(\.version) == [1, 1])
        #expect(try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted() == before)
    }

    @Test("a version that is not there has none")
    func missing() throws {
        #expect(throws: RegistryError.noVersion(9, model: "guests", known: [1, 2, 3])) {
            _ = try registry.lease("guests", version: 9)
        }
        #expect(throws: RegistryError.noModel("others", path: directory.path)) {
            _ = try registry.lease("others", version: 1)
        }
        let manifest = directory.file("guests/1/manifest.json")
        try FileManager.default.removeItem(atPath: manifest)
        #expect(throws: RegistryError.noManifest(path: manifest)) { _ = try registry.lease("guests", version: 1) }
    }

    @Test("a version whose manifest somebody keeps locked is an error, not a wait without end")
    func blocked() throws {
        let manifest = directory.file("guests/1/manifest.json")
        try withLock(manifest) {
            let error = try #require(throws: RegistryError.self) { _ = try registry.lease("guests", version: 1) }
            #expect(error.kind == .io && "\(error)".contains("cannot lock"))
        }
        #expect(try registry.lease("guests", version: 1).version == 1)
    }
}

/// Holds a file's lock as another process would.
func withLock(_ path: String, _ body: () throws -> Void) throws {
    switch try POSIXFileSystem().tryLock(path, .exclusive) {
    case .locked(let lock):
        try body()
        _ = consume lock
    default: Issue.record("\(path) could not be locked")
    }
}
