import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("Version policy") struct VersionPolicyTests {
    private let directory: TemporaryDirectory
    private let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.path)
        for _ in 1...3 { _ = try registry.publishSample() }
    }

    @Test("an alias and a version want one, latest wants the newest, descending")
    func policies() throws {
        try registry.promote("guests", version: 2, alias: "production")
        #expect(try registry.versions(wanted: .alias("production"), of: "guests") == [2])
        #expect(try registry.versions(wanted: .version(1), of: "guests") == [1])
        #expect(try registry.versions(wanted: .latest(2), of: "guests") == [3, 2])
        #expect(try registry.versions(wanted: .latest(100), of: "guests") == [3, 2, 1])
    }

    @Test("what cannot be wanted is an error that says so")
    func refused() throws {
        #expect(throws: RegistryError.noAlias("staging", model: "guests", known: [])) {
            _ = try registry.versions(wanted: .alias("staging"), of: "guests")
        }
        #expect(throws: RegistryError.noVersion(9, model: "guests", known: [1, 2, 3])) {
            _ = try registry.versions(wanted: .version(9), of: "guests")
        }
        for count in [0, -1, 101] {
            #expect(throws: RegistryError.badLatestCount(count)) {
                _ = try registry.versions(wanted: .latest(count), of: "guests")
            }
        }
    }

    /// A version as a tool copies it: directory, then each file from nothing to all of it.
    @Test("a version that is copied slowly is wanted once it is whole, at no byte before", arguments: [true, false])
    func slowCopy(manifestFirst: Bool) throws {
        let other = Registry(path: directory.file("other"))
        for _ in 1...4 { _ = try other.publishSample(seed: 4) }
        let names = ["manifest.json", "codes.safetensors", "golden.json", "model.safetensors"]
        let files = try (manifestFirst ? names : names.reversed()).map { name in
            (name, try Data(contentsOf: URL(filePath: directory.file("other/guests/4/\(name)"))))
        }
        try FileManager.default.createDirectory(atPath: directory.file("guests/4"), withIntermediateDirectories: false)
        var fingerprint = try registry.fingerprint(of: "guests", version: 4)
        func expectIncomplete(_ place: String) throws {
            #expect(try registry.versions(wanted: .latest(1), of: "guests") == [3], "\(place)")
            let error = try #require(throws: RegistryError.self) { try registry.verify("guests", version: 4) }
            #expect(error.mayBecomeComplete, "\(place)")
            #expect(try registry.completeness(of: "guests", version: 4) == .incomplete(error), "\(place)")
            let now = try registry.fingerprint(of: "guests", version: 4)
            #expect(now != fingerprint || place == "empty", "\(place)")
            fingerprint = now
        }
        try expectIncomplete("empty")
        for (place, (name, bytes)) in files.enumerated() {
            for length in stride(from: 0, to: bytes.count - 1, by: max(1, bytes.count / 40)) {
                _ = try directory.write(bytes.prefix(length), as: "guests/4/\(name)")
                // A manifest cut behind one of its inner braces is not JSON, but looks finished.
                if bytes.prefix(length).last == UInt8(ascii: "}") { continue }
                try expectIncomplete("\(name) \(length)")
            }
            _ = try directory.write(bytes, as: "guests/4/\(name)")
            if place < names.count - 1 { try expectIncomplete("\(name) whole") }
        }
        #expect(try registry.versions(wanted: .latest(1), of: "guests") == [4])
        #expect(try registry.resolve("guests", .latest) == 4)
        try registry.verify("guests", version: 4)
    }

    @Test("a copy of a version under another number, whole or cut off, is never wanted and no reason to prune others")
    func copiedNumber() throws {
        let manager = FileManager.default
        let whole = try manager.contentsOfDirectory(atPath: directory.file("guests/3")).sorted()
        for missing in [nil] + whole.filter({ $0 != "manifest.json" }).map(Optional.some) {
            try manager.copyItem(atPath: directory.file("guests/3"), toPath: directory.file("guests/9"))
            if let missing { try manager.removeItem(atPath: directory.file("guests/9/\(missing)")) }
            let error = try #require(throws: RegistryError.self) { try registry.verify("guests", version: 9) }
            #expect(
                error
                    == .otherManifest(
                        path: directory.file("guests/9/manifest.json"), got: "'guests' version 3",
                        wanted: "'guests' version 9"))
            #expect(try registry.completeness(of: "guests", version: 9) == .incomplete(error))
            #expect(try registry.versions(wanted: .latest(2), of: "guests") == [3, 2])
            #expect(try registry.resolve("guests", .latest) == 3)
            let report = try registry.prune("guests", keep: 3)
            #expect(report.removed.isEmpty)
            #expect(report.kept.last == PruneReport.Kept(version: 9, reasons: [.incomplete]))
            try manager.removeItem(atPath: directory.file("guests/9"))
        }
    }

    @Test("a version that is whole but wrong is wanted: waiting would not help, and opening says what is wrong")
    func damaged() throws {
        let file = directory.file("guests/3/model.safetensors")
        let bytes = try Data(contentsOf: URL(filePath: file))
        _ = try directory.write(bytes + [0], as: "guests/3/model.safetensors")
        #expect(try registry.versions(wanted: .latest(1), of: "guests") == [3])
        let error = try #require(throws: RegistryError.self) { try registry.verify("guests", version: 3) }
        #expect(error == .wrongSize(path: file, got: bytes.count + 1, wanted: bytes.count) && !error.mayBecomeComplete)
    }
}
