import FactorModel
import Foundation
import TestSupport
import Testing

@testable import ModelRegistry

/// A record must hold for the file that was read and for nothing else.
@Suite("Verification records") struct VerificationRecordsTests {
    private let directory: TemporaryDirectory
    private let records: VerificationRecords
    private let file = FileIdentity(
        device: 0x801, inode: 42, bytes: 1000, modified: FileTime(seconds: 100, nanoseconds: 1),
        changed: FileTime(seconds: 200, nanoseconds: 2))
    private let digest = String(repeating: "a", count: 64)

    /// A machine with an ext4 (8:1), a tmpfs (0:30), a network (0:40) and an overlay file system (0:50).
    init() throws {
        directory = try TemporaryDirectory()
        try FileManager.default.createDirectory(
            atPath: directory.file("proc/sys/kernel/random"), withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: directory.file("proc/self"), withIntermediateDirectories: true)
        let mounts = [
            "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw", "23 22 0:30 / /run rw - tmpfs tmpfs rw",
            "24 22 0:40 / /net rw master:3 - nfs4 server:/ rw", "25 22 0:50 / /o rw - overlay overlay rw",
        ]
        _ = try directory.write(Data((mounts.joined(separator: "\n") + "\n").utf8), as: "proc/self/mountinfo")
        try Self.boot("5dfaa1e7-574f-420f-9d74-92184df89807", directory)
        records = VerificationRecords(directory: directory.file("records"), systemRoot: directory.path)
    }

    private static func boot(_ id: String, _ directory: TemporaryDirectory) throws {
        _ = try directory.write(Data("\(id)\n".utf8), as: "proc/sys/kernel/random/boot_id")
    }

    /// Another process on the same machine.
    private var reopened: VerificationRecords {
        VerificationRecords(directory: directory.file("records"), systemRoot: directory.path)
    }

    private func remember() { records.remember(file, sha256: digest, checked: .values, readSince: 203) }

    @Test("a file that is as it was when it was read is vouched for, in another process too")
    func vouches() {
        #expect(!records.vouches(for: file, sha256: digest, checked: .values))
        remember()
        #expect(
            records.vouches(for: file, sha256: digest, checked: .values)
                && reopened.vouches(for: file, sha256: digest, checked: .values))
        #expect(!records.vouches(for: file, sha256: String(repeating: "b", count: 64), checked: .values))
        #expect(!records.vouches(for: file, sha256: digest, checked: .bytes))
    }

    @Test("any change of the file's identity ends it")
    func changed() {
        remember()
        var others = [FileIdentity](repeating: file, count: 7)
        others[0].device = 0x802
        others[1].inode = 43
        others[2].bytes = 999
        others[3].modified.seconds = 101
        others[4].modified.nanoseconds = 0
        others[5].changed.seconds = 201
        others[6].changed.nanoseconds = 3
        for other in others { #expect(!records.vouches(for: other, sha256: digest, checked: .values), "\(other)") }
    }

    @Test("nothing is recorded of a file that changed less than two seconds before it was read")
    func unsettled() {
        for second in [0, 200, 201, 202] { records.remember(file, sha256: digest, checked: .values, readSince: second) }
        #expect(!records.vouches(for: file, sha256: digest, checked: .values))
        remember()
        #expect(records.vouches(for: file, sha256: digest, checked: .values))
    }

    @Test("it ends with the boot")
    func boot() throws {
        remember()
        try Self.boot("00000000-574f-420f-9d74-92184df89807", directory)
        #expect(!reopened.vouches(for: file, sha256: digest, checked: .values))
        try Self.boot("", directory)
        #expect(!reopened.vouches(for: file, sha256: digest, checked: .values))
    }

    @Test("only file systems of this machine have identities to rely on", arguments: [0x28, 0x32, 0x77])
    func fileSystems(device: UInt64) {
        var other = file
        other.device = device
        records.remember(other, sha256: digest, checked: .values, readSince: 203)
        #expect(!records.vouches(for: other, sha256: digest, checked: .values))
        other.device = 0x1E
        records.remember(other, sha256: digest, checked: .values, readSince: 203)
        #expect(records.vouches(for: other, sha256: digest, checked: .values))
    }

    @Test("a record that another may write to, is a link, or is cut or longer, says nothing")
    func untrusted() throws {
        remember()
        let manager = FileManager.default
        let record = directory.file("records/801-2a")
        for (path, mode) in [(record, 0o666), (record, 0o620), (directory.file("records"), 0o777)] {
            try manager.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
            #expect(!records.vouches(for: file, sha256: digest, checked: .values), "\(path)")
            try manager.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
            #expect(records.vouches(for: file, sha256: digest, checked: .values), "\(path)")
        }
        let sound = try Data(contentsOf: URL(filePath: record))
        for bytes in [Data(), sound.dropLast(), sound + [10], Data(repeating: 65, count: 600)] {
            try bytes.write(to: URL(filePath: record))
            #expect(!records.vouches(for: file, sha256: digest, checked: .values))
        }
        try sound.write(to: URL(filePath: directory.file("elsewhere")))
        try manager.removeItem(atPath: record)
        try manager.createSymbolicLink(atPath: record, withDestinationPath: directory.file("elsewhere"))
        #expect(!records.vouches(for: file, sha256: digest, checked: .values))
        try manager.removeItem(atPath: directory.file("records"))
        try manager.createSymbolicLink(atPath: directory.file("records"), withDestinationPath: directory.file("proc"))
        remember()
        #expect(!records.vouches(for: file, sha256: digest, checked: .values))
    }

    @Test("a directory that cannot be made or written is no error")
    func noDirectory() {
        let nowhere = VerificationRecords(directory: "/proc/no-such-directory", systemRoot: directory.path)
        nowhere.remember(file, sha256: digest, checked: .values, readSince: 203)
        #expect(!nowhere.vouches(for: file, sha256: digest, checked: .values))
    }

    @Test("records do not pile up")
    func bounded() throws {
        for inode in 0..<600 {
            var other = file
            other.inode = UInt64(inode)
            records.remember(other, sha256: digest, checked: .values, readSince: 203)
            #expect(records.vouches(for: other, sha256: digest, checked: .values))
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.file("records")).count <= 256)
    }

    @Test("what else lies in their directory stays, however much it is")
    func others() throws {
        let manager = FileManager.default
        try manager.createDirectory(
            atPath: directory.file("records"), withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700])
        for number in 0..<300 { _ = try directory.write(Data("precious".utf8), as: "records/\(number)") }
        for inode in 0..<300 {
            var other = file
            other.inode = UInt64(inode)
            records.remember(other, sha256: digest, checked: .values, readSince: 203)
            #expect(records.vouches(for: other, sha256: digest, checked: .values))
        }
        for number in 0..<300 { #expect(manager.fileExists(atPath: directory.file("records/\(number)"))) }
    }

    @Test("a directory that cannot hold records is told, with the reason") func problem() throws {
        #expect(records.problem == nil)
        for path in [try directory.write(Data(), as: "file"), "/proc/no-such-directory"] {
            let told = try #require(VerificationRecords(directory: path, systemRoot: directory.path).problem)
            #expect(told.contains(path) && told.contains("owns"), "\(told)")
        }
    }

    @Test("opening twice computes the digest once; a byte changed behind the same length and date is found")
    func open() throws {
        let registry = Registry(path: directory.file("models"))
        _ = try registry.publishSample()
        let path = directory.file("models/guests/1/model.safetensors")
        let options = OpenOptions(records: VerificationRecords(directory: directory.file("real")))
        func recordedBytes() throws -> Int { try registry.open("guests", version: 1, options: options).recordedBytes }
        let codes = try Data(contentsOf: URL(filePath: directory.file("models/guests/1/codes.safetensors"))).count
        #expect(try recordedBytes() == 0)
        // Published a moment ago: not settled, so not recorded.
        #expect(try recordedBytes() == 0)
        Thread.sleep(forTimeInterval: 4)
        #expect(try recordedBytes() == 0)
        let bytes = try Data(contentsOf: URL(filePath: path))
        let isLocal = try FileManager.default.contentsOfDirectory(atPath: directory.path).contains("real")
        // On a file system that is not trusted every byte is read each time, and what follows holds all the same.
        #expect(try recordedBytes() == (isLocal ? bytes.count + codes : 0))
        // The first version of a process leaves codes for later, unless a record spares reading them.
        var first = options
        first.defersCodes = true
        let opened = try registry.open("guests", version: 1, options: first)
        #expect(opened.recordedBytes == (isLocal ? bytes.count + codes : 0))
        opened.codes?.adopt(by: opened.snapshot)
        #expect(opened.snapshot.hasCodes == isLocal)
        #expect(opened.prepare() == nil && opened.snapshot.mappedBytes == bytes.count + codes)
        let date = try #require(
            try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date)
        let handle = try FileHandle(forWritingTo: URL(filePath: path))
        try handle.seek(toOffset: UInt64(bytes.count - 1))
        try handle.write(contentsOf: Data([bytes[bytes.count - 1] ^ 1]))
        try handle.close()
        try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
        let error = try #require(throws: RegistryError.self) { _ = try recordedBytes() }
        guard case .wrongDigest = error else { throw error }
    }

    @Test("a record of bytes says nothing of values: the model file under another name in the same version")
    func otherName() throws {
        let registry = Registry(path: directory.file("models"))
        _ = try registry.publishSample()
        let folder = directory.file("models/guests/1")
        var bytes = try Data(contentsOf: URL(filePath: "\(folder)/model.safetensors"))
        let before = try sha256(ofFile: "\(folder)/model.safetensors")
        bytes[bytes.count - 1] = 0xFF
        try bytes.write(to: URL(filePath: "\(folder)/model.safetensors"))
        try FileManager.default.linkItem(
            atPath: "\(folder)/model.safetensors", toPath: "\(folder)/extra.bin")
        let digest = try sha256(ofFile: "\(folder)/extra.bin")
        let text = try String(contentsOfFile: "\(folder)/manifest.json", encoding: .utf8)
        let entry = "{\"bytes\" : \(bytes.count), \"name\" : \"extra.bin\", \"sha256\" : \"\(digest)\"},"
        let files = try #require(text.range(of: "\"files\" : ["))
        try Data(
            text.replacingCharacters(in: files, with: "\"files\" : [\(entry)").replacing(before, with: digest).utf8
        ).write(to: URL(filePath: "\(folder)/manifest.json"))
        Thread.sleep(forTimeInterval: 4)
        let options = OpenOptions(records: VerificationRecords(directory: directory.file("real")))
        for _ in 0..<2 {
            let error = try #require(throws: RegistryError.self) {
                _ = try registry.open("guests", version: 1, options: options)
            }
            guard case .badModelFile = error else { throw error }
        }
    }

    @Test("no record is made of a file whose bytes are the manifest's and whose values are refused", arguments: [1, 2])
    func refusedValues(threads: Int) throws {
        let registry = Registry(path: directory.file("models"))
        _ = try registry.publishSample()
        let path = directory.file("models/guests/1/model.safetensors")
        let manifest = directory.file("models/guests/1/manifest.json")
        var bytes = try Data(contentsOf: URL(filePath: path))
        let before = try sha256(ofFile: path)
        // The last of the bytes are those of texts: 0xFF is in no UTF-8.
        bytes[bytes.count - 1] = 0xFF
        try bytes.write(to: URL(filePath: path))
        let text = try String(contentsOfFile: manifest, encoding: .utf8)
        try Data(text.replacing(before, with: try sha256(ofFile: path)).utf8).write(to: URL(filePath: manifest))
        Thread.sleep(forTimeInterval: 4)
        let options = OpenOptions(
            threads: threads, records: VerificationRecords(directory: directory.file("real")))
        for _ in 0..<2 {
            let error = try #require(throws: RegistryError.self) {
                _ = try registry.open("guests", version: 1, options: options)
            }
            guard case .badModelFile = error else { throw error }
        }
    }

    @Test("on several threads a wrong digest is told before what the values say")
    func digestFirst() throws {
        let registry = Registry(path: directory.file("models"))
        _ = try registry.publishSample()
        let path = directory.file("models/guests/1/model.safetensors")
        var bytes = try Data(contentsOf: URL(filePath: path))
        bytes[bytes.count - 1] = 0xFF
        try bytes.write(to: URL(filePath: path))
        for threads in [1, 2] {
            let error = try #require(throws: RegistryError.self) {
                _ = try registry.open("guests", version: 1, options: OpenOptions(threads: threads))
            }
            guard case .wrongDigest = error else { throw error }
        }
    }
}
