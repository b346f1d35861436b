import FactorModel
import Foundation
import ModelRegistry
import Synchronization
import TestSupport
import Testing

/// The real file system of a registry that may only be read.
private struct ReadOnlyFileSystem: RegistryFileSystem {
    private let real = POSIXFileSystem()

    private func refuse(_ path: String) -> RegistryError { .system(call: "write", path: path, code: EROFS) }

    func makeDirectory(_ path: String) throws(RegistryError) -> Bool { throw refuse(path) }
    func makeNewDirectory(_ path: String) throws(RegistryError) { throw refuse(path) }
    func writeModel(_ path: String, _ contents: ModelContents) throws(RegistryError) { throw refuse(path) }
    func writeCodes(_ path: String, _ codes: ItemCodes, modelDigest: String) throws(RegistryError) {
        throw refuse(path)
    }
    func writeNewFile(_ path: String, _ bytes: [UInt8]) throws(RegistryError) { throw refuse(path) }
    func rename(_ old: String, to new: String) throws(RegistryError) { throw refuse(new) }
    func synchronize(directory path: String) throws(RegistryError) { throw refuse(path) }
    func removeTree(_ path: String) throws(RegistryError) { throw refuse(path) }
    func lock(_ path: String) throws(RegistryError) -> FileLock { throw refuse(path) }
    func read(_ path: String, bytesMax: Int) throws(RegistryError) -> [UInt8]? {
        try real.read(path, bytesMax: bytesMax)
    }
    func entryNames(of path: String) throws(RegistryError) -> [String]? { try real.entryNames(of: path) }
    func status(of path: String) throws(RegistryError) -> FileStatus? { try real.status(of: path) }
    func tryLock(_ path: String, _ kind: FileLock.Kind) throws(RegistryError) -> LockAttempt {
        try real.tryLock(path, kind)
    }
}

@Suite("Hostile versions") struct HostileVersionTests {
    private let directory: TemporaryDirectory
    private let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.path)
        _ = try registry.publishSample(seed: 1, promote: "production")
    }

    private var modelFile: String { directory.file("guests/1/model.safetensors") }

    @Test("a registry that may only be read is served, leased and watched; whoever would change it is told")
    func readOnly() throws {
        let before = try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted()
        let readOnly = Registry(path: directory.path, fileSystem: ReadOnlyFileSystem())
        #expect(try readOnly.models() == ["guests"])
        #expect(try readOnly.versions(wanted: .alias("production"), of: "guests") == [1])
        #expect(try readOnly.lease("guests", version: 1).version == 1)
        #expect(try readOnly.open("guests", version: 1, options: OpenOptions()).snapshot.userCount == 3)
        let watch = RegistryWatch(readOnly, models: ["guests"], interval: .milliseconds(10))
        _ = try registry.publishSample()
        // Nothing to see would end in a false, not in a wait without end.
        let timer = Thread {
            Thread.sleep(forTimeInterval: 20)
            watch.cancel()
        }
        timer.start()
        #expect(watch.wait())
        let changes: [() throws -> Void] = [
            { _ = try readOnly.publishSample() }, { try readOnly.prepare(model: "guests", alias: nil) },
            { try readOnly.promote("guests", version: 2, alias: "production") },
            { _ = try readOnly.rollback("guests", alias: "production") },
            { _ = try readOnly.prune("guests", keep: 1) },
            { try readOnly.updateUnavailable(of: "guests") { _ in [] } },
        ]
        for change in changes {
            let error = try #require(throws: RegistryError.self) { try change() }
            #expect(error.kind == .io && "\(error)".contains("Read-only"))
        }
        let after = try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted()
        #expect(after.filter { !$0.hasPrefix("guests/2") } == (before + ["guests/last-version"]).uniqued())
    }

    @Test("every bit of a byte counts, in every part of the file: length, header, each tensor")
    func flippedBits() throws {
        let sound = try Data(contentsOf: URL(filePath: modelFile))
        for place in Array(0..<16) + Array(stride(from: 16, to: sound.count, by: 37)) + [sound.count - 1] {
            for bit in 0..<8 {
                var damaged = sound
                damaged[place] ^= 1 << bit
                try damaged.write(to: URL(filePath: modelFile))
                let error = try #require(throws: RegistryError.self) { try registry.verify("guests", version: 1) }
                guard case .wrongDigest = error else { throw error }
            }
        }
    }

    @Test("a changed manifest is refused, or says the same of what is served")
    func flippedManifest() throws {
        let file = directory.file("guests/1/manifest.json")
        let sound = try Data(contentsOf: URL(filePath: file))
        for place in 0..<sound.count {
            for bit in [0, 3, 5, 7] {
                var damaged = sound
                damaged[place] ^= 1 << bit
                try damaged.write(to: URL(filePath: file))
                do throws(RegistryError) {
                    let opened = try registry.open("guests", version: 1, options: OpenOptions())
                    #expect(opened.snapshot.withUserFactors(UserIndex(0)) { $0[0] } == 1)
                    #expect(opened.manifest.version == 1)
                    #expect(opened.manifest.files[0].bytes == opened.snapshot.mappedBytes)
                } catch {
                    #expect([.badModel, .missing].contains(error.kind), "byte \(place) bit \(bit): \(error)")
                }
            }
        }
    }

    @Test("a file that nobody published is refused by name; what copying tools hold in hand is passed over")
    func unknownFile() throws {
        _ = try directory.write(Data(), as: "guests/1/.model.safetensors.Xy12ab")
        try registry.verify("guests", version: 1)
        let extra = try directory.write(Data(), as: "guests/1/notes.txt")
        #expect(throws: RegistryError.unknownFile(path: extra)) { try registry.verify("guests", version: 1) }
    }

    @Test("a file that is swapped while it is opened is never served: what comes out is what was published")
    func swappedUnderReader() throws {
        _ = try registry.publishSample(seed: 5)
        let other = directory.file("other")
        try FileManager.default.copyItem(atPath: directory.file("guests/2/model.safetensors"), toPath: other)
        let aside = directory.file("aside")
        let isDone = Atomic<Bool>(false)
        try withExtendedLifetime(isDone) {
            let ended = DispatchSemaphore(value: 0)
            let modelFile = self.modelFile
            Thread {
                while !isDone.load(ordering: .relaxed) {
                    // SAFETY: paths are lent as NUL-terminated strings for each call.
                    unsafe _ = rename(modelFile, aside)
                    unsafe _ = rename(other, modelFile)
                    unsafe _ = rename(modelFile, other)
                    unsafe _ = rename(aside, modelFile)
                }
                ended.signal()
            }.start()
            defer {
                isDone.store(true, ordering: .relaxed)
                ended.wait()
            }
            for _ in 0..<500 {
                do throws(RegistryError) {
                    let snapshot = try registry.open("guests", version: 1, options: OpenOptions()).snapshot
                    #expect(snapshot.withUserFactors(UserIndex(0)) { $0[0] } == 1)
                } catch {
                    switch error {
                    case .missingFile, .wrongDigest, .changedMeanwhile: break
                    default: throw error
                    }
                }
            }
        }
        try registry.verify("guests", version: 1)
    }

    @Test("a version that is removed, whole or file by file, while it is served goes on being served")
    func removedWhileServed() throws {
        let snapshot = try registry.open("guests", version: 1, options: OpenOptions()).snapshot
        try FileManager.default.removeItem(atPath: modelFile)
        try FileManager.default.removeItem(atPath: directory.path + "/guests")
        #expect(snapshot.user(id: "3") == UserIndex(2))
        #expect(snapshot.withUserFactors(UserIndex(2)) { $0[1] } == 6)
        #expect(throws: RegistryError.noModel("guests", path: directory.path)) {
            _ = try registry.versions(wanted: .alias("production"), of: "guests")
        }
    }

    @Test("links in the place of a version, a manifest or a model are not followed")
    func links() throws {
        let manager = FileManager.default
        try manager.createSymbolicLink(atPath: directory.file("guests/2"), withDestinationPath: "1")
        #expect(try registry.versions(of: "guests") == [1])
        #expect(throws: RegistryError.noVersion(2, model: "guests", known: [1])) {
            _ = try registry.lease("guests", version: 2)
        }
        try manager.moveItem(atPath: modelFile, toPath: directory.file("moved"))
        try manager.createSymbolicLink(atPath: modelFile, withDestinationPath: directory.file("moved"))
        #expect(throws: RegistryError.missingFile(path: modelFile)) { try registry.verify("guests", version: 1) }
    }

    @Test("pipes, directories and devices in the place of files are errors, not waits")
    func oddFiles() throws {
        let manager = FileManager.default
        for name in ["model.safetensors", "manifest.json"] {
            let path = directory.file("guests/1/\(name)")
            let sound = try Data(contentsOf: URL(filePath: path))
            try manager.removeItem(atPath: path)
            try manager.createDirectory(atPath: path, withIntermediateDirectories: false)
            #expect(throws: RegistryError.self) { try registry.verify("guests", version: 1) }
            try manager.removeItem(atPath: path)
            // SAFETY: the path is lent as a NUL-terminated string for the call.
            #expect(unsafe mkfifo(path, 0o600) == 0)
            #expect(throws: RegistryError.self) { try registry.verify("guests", version: 1) }
            #expect(throws: RegistryError.self) { _ = try registry.lease("guests", version: 2) }
            try manager.removeItem(atPath: path)
            try sound.write(to: URL(filePath: path))
        }
        try registry.verify("guests", version: 1)
    }
}

extension [String] {
    fileprivate func uniqued() -> [String] { Set(self).sorted() }
}
