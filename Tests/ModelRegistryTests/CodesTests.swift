import FactorModel
import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("codes.safetensors") struct CodesTests {
    let directory: TemporaryDirectory
    let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.file("models"))
        _ = try registry.publishSample()
    }

    private func file(_ name: String = "codes.safetensors", version: Int = 1) -> String {
        directory.file("models/guests/\(version)/\(name)")
    }

    private func bytes(version: Int = 1) throws -> Data { try Data(contentsOf: URL(filePath: file(version: version))) }

    private func write(_ manifest: Manifest) throws {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        try encoder.encode(manifest).write(to: URL(filePath: file("manifest.json")))
    }

    /// Puts `data` in place of the codes, with a manifest that says so: published by somebody else.
    private func replace(_ data: Data) throws {
        try data.write(to: URL(filePath: file()))
        var manifest = try registry.manifest(of: "guests", version: 1).manifest
        for place in manifest.files.indices where manifest.files[place].name == "codes.safetensors" {
            manifest.files[place].bytes = data.count
            manifest.files[place].sha256 = try sha256(ofFile: file())
        }
        try write(manifest)
    }

    private func move(_ old: String, to new: String) -> Bool {
        // SAFETY: paths are lent as NUL-terminated strings for the call.
        unsafe rename(old, new) == 0
    }

    /// Opens the version as the first of a process, which leaves the codes for later.
    private func openedFirst() throws(RegistryError) -> OpenedVersion {
        try registry.open("guests", version: 1, options: OpenOptions(defersCodes: true))
    }

    private func answers(_ model: ModelSnapshot) -> [[ItemIndex]] {
        let scratch = RecommendationScratch()
        return (0..<model.userCount).map { row in
            _ = model.recommend(RecommendationQuery(user: UserIndex(row), k: 4), scratch: scratch)
            return (0..<scratch.count).map { scratch[$0].item }
        }
    }

    /// Prepares a version that was opened as the first: whatever is wrong, it answers.
    private func expectAnswers(_ opened: OpenedVersion, problem: RegistryError?, _ comment: Comment) throws {
        let expected = answers(opened.snapshot)
        let modelBytes = try #require(opened.manifest.files.first { $0.name == "model.safetensors" }).bytes
        #expect(opened.prepare() == problem, comment)
        #expect(answers(opened.snapshot) == expected, comment)
        let codesBytes = try #require(opened.manifest.files.first { $0.name == "codes.safetensors" }).bytes
        #expect(opened.snapshot.mappedBytes == modelBytes + (problem == nil ? codesBytes : 0), comment)
    }

    @Test(
        "is published with a version, listed with its digest, mapped and used, and the same model makes the same bytes")
    func published() throws {
        let entryBytes = try bytes().count
        for defersCodes in [false, true] {
            let opened = try registry.open("guests", version: 1, options: OpenOptions(defersCodes: defersCodes))
            let entry = try #require(opened.manifest.files.first { $0.name == "codes.safetensors" })
            #expect(entry.bytes == entryBytes)
            #expect(entry.sha256 == (try sha256(ofFile: file())))
            try expectAnswers(opened, problem: nil, "deferred: \(defersCodes)")
        }
        #expect(try registry.verify("guests", version: 1) == 3)
        _ = try registry.publishSample()
        let first = try bytes()
        #expect(try bytes(version: 2) == first)
        _ = try registry.publishSample(seed: 9)
        #expect(try bytes(version: 3) != first, "it names the model file that it belongs to")
    }

    @Test(
        "rankings of many items read the mapped codes: of another model's they would be other ones, and are not found so"
    )
    func isRead() throws {
        let version = try registry.publish(model: "guests", contents: codedContents(), manifest: sampleDraft())
        let floats = try registry.open("guests", version: version, options: OpenOptions(defersCodes: true))
        let expected = answers(floats.snapshot)
        let opened = try registry.open("guests", version: version, threads: 1)
        #expect(opened.prepare() == nil)
        #expect(answers(opened.snapshot) == expected)
        // Codes of the same vectors the other way round: by them the best items look the worst, and are not found.
        let turned = try registry.publish(
            model: "guests", contents: codedContents(sign: -1), manifest: sampleDraft())
        let path = directory.file("turned")
        let other = try registry.open("guests", version: version, options: OpenOptions(defersCodes: true))
        let digest = try #require(other.manifest.modelDigest)
        try ItemCodes(of: registry.open("guests", version: turned, threads: 1).snapshot)
            .write(to: path, modelDigest: digest)
        let wrong = try ItemCodes(path: path, of: other.snapshot, modelDigest: digest)
        other.snapshot.prepare { wrong }
        #expect(answers(other.snapshot) != expected)
    }

    @Test("a model without items has none") func noItems() throws {
        let contents = ModelContents(
            userIDs: ["1"],
            catalogue: Catalogue(
                itemIDs: [], names: [], prices: [], departmentIDs: [], hotelIDs: [], hotelItems: []),
            factors: Factors(factorCount: 2, userFactors: [1, 2], itemFactors: []),
            interactions: InteractionMatrix(rowCount: 1, columnCount: 0, indptr: [0, 0], indices: [], values: []),
            itemPopularity: [])
        let version = try registry.publish(model: "guests", contents: contents, manifest: sampleDraft())
        #expect(!FileManager.default.fileExists(atPath: file(version: version)))
        let opened = try registry.open("guests", version: version, threads: 1)
        #expect(opened.prepare() == nil)
        try registry.verify("guests", version: version)
    }

    @Test(
        "a version without it makes its codes; one whose manifest promises it is refused, also as the first of a process"
    )
    func without() throws {
        let promised = try registry.manifest(of: "guests", version: 1).manifest
        var manifest = promised
        manifest.files.removeAll { $0.name == "codes.safetensors" }
        try write(manifest)
        #expect(throws: RegistryError.unknownFile(path: file())) { try registry.verify("guests", version: 1) }
        try FileManager.default.removeItem(atPath: file())
        try registry.verify("guests", version: 1)
        let opened = try openedFirst()
        let expected = answers(opened.snapshot)
        #expect(opened.prepare() == nil)
        #expect(answers(opened.snapshot) == expected)
        try write(promised)
        #expect(throws: RegistryError.missingFile(path: file())) { try registry.verify("guests", version: 1) }
        #expect(throws: RegistryError.missingFile(path: file())) { _ = try openedFirst() }
        #expect(try registry.completeness(of: "guests", version: 1) == .incomplete(.missingFile(path: file())))
    }

    @Test("one that is no regular file of its length is refused, also as the first of a process") func noFile() throws {
        let sound = try bytes()
        let manager = FileManager.default
        func refused(_ error: RegistryError) throws {
            for defersCodes in [false, true] {
                #expect(throws: error) {
                    _ = try registry.open("guests", version: 1, options: OpenOptions(defersCodes: defersCodes))
                }
            }
            #expect(throws: error) { try registry.promote("guests", version: 1, alias: "production", force: true) }
            try manager.removeItem(atPath: file())
        }
        for count in [0, 8, sound.count - 1] {
            try sound.prefix(count).write(to: URL(filePath: file()))
            try refused(.wrongSize(path: file(), got: count, wanted: sound.count))
        }
        try (sound + [0]).write(to: URL(filePath: file()))
        try refused(.wrongSize(path: file(), got: sound.count + 1, wanted: sound.count))
        try sound.write(to: URL(filePath: directory.file("elsewhere")))
        try manager.createSymbolicLink(atPath: file(), withDestinationPath: directory.file("elsewhere"))
        try refused(.missingFile(path: file()))
        try manager.createDirectory(atPath: file(), withIntermediateDirectories: false)
        try refused(.missingFile(path: file()))
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        #expect(unsafe mkfifo(file(), 0o600) == 0)
        try refused(.missingFile(path: file()))
    }

    @Test(
        "any flipped bit is found by the digest: refused, but by the first version of a process, which makes its codes")
    func flipped() throws {
        let sound = try bytes()
        let digest = try sha256(ofFile: file())
        for place in stride(from: 0, to: sound.count, by: 3) {
            var damaged = sound
            damaged[place] ^= 1 << UInt8(place % 8)
            try damaged.write(to: URL(filePath: file()))
            let error = RegistryError.wrongDigest(path: file(), got: try sha256(ofFile: file()), wanted: digest)
            #expect(throws: error) { _ = try registry.open("guests", version: 1, threads: 1) }
            try expectAnswers(openedFirst(), problem: error, "byte \(place)")
        }
        var damaged = sound
        damaged[sound.count / 2] ^= 1
        try damaged.write(to: URL(filePath: file()))
        for force in [false, true] {
            #expect(throws: RegistryError.self) {
                try registry.promote("guests", version: 1, alias: "production", force: force)
            }
        }
        #expect(throws: RegistryError.self) { try registry.verify("guests", version: 1) }
    }

    @Test("one of its digest and of another layout, or of another model, is refused likewise") func otherLayout() throws
    {
        let sound = try bytes()
        let model = try Data(contentsOf: URL(filePath: file("model.safetensors")))
        _ = try registry.publishSample(seed: 9)
        for (data, text) in [
            (Data("no such file".utf8), "cannot be used: the header claims"),
            (model, "says format 'nextloop-factors/1'"),
            (sound + [0], "the tensors do not fill the file"),
            (try bytes(version: 2), "codes are of the model file with"),
            (Data(sound.prefix(sound.count - 1)), "the tensors do not fill the file"),
            (Data(), "wanted at least the 8"),
        ] {
            try replace(data)
            let error = try #require(throws: RegistryError.self) {
                _ = try registry.open("guests", version: 1, threads: 1)
            }
            #expect(error.kind == .badModel && "\(error)".contains(text), "\(error)")
            #expect("\(error)".hasPrefix(file()))
            try expectAnswers(openedFirst(), problem: error, "\(error)")
        }
        try replace(sound)
        try registry.verify("guests", version: 1)
    }

    @Test(
        "codes that are not made from the factors load, and are told by verify and promote; a rollback and force go on")
    func otherFactors() throws {
        _ = try registry.publishSample()
        try registry.promote("guests", version: 1, alias: "production")
        try registry.promote("guests", version: 2, alias: "production")
        var data = try bytes()
        // The length of the last item.
        data[data.count - 2] ^= 1
        try replace(data)
        let wrong = RegistryError.badModelFile(path: file(), .otherCodes(byte: data.count - 2))
        #expect(wrong.kind == .badModel)
        _ = try registry.open("guests", version: 1, threads: 1)
        try expectAnswers(openedFirst(), problem: nil, "every load would have to make them")
        #expect(throws: wrong) { try registry.verify("guests", version: 1) }
        #expect(throws: wrong) { try registry.promote("guests", version: 1, alias: "staging") }
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        try registry.promote("guests", version: 1, alias: "staging", force: true)
    }

    @Test("what happens to the file between opening and preparing changes no answer, and is told")
    func changedMeanwhile() throws {
        let sound = try bytes()
        let manager = FileManager.default
        let other = try directory.write(sound, as: "other")
        let changed = RegistryError.changedMeanwhile(path: file())
        func inPlace(_ edit: (FileHandle) throws -> Void) throws {
            let handle = try FileHandle(forUpdating: URL(filePath: file()))
            try edit(handle)
            try handle.close()
        }
        func digest(_ data: Data) throws -> String { try sha256(ofFile: try directory.write(data, as: "digest")) }
        let entry = try #require(
            try registry.manifest(of: "guests", version: 1).manifest.files.first { $0.name == "codes.safetensors" })
        let half = Data(sound.prefix(sound.count / 2))
        let changes: [(Comment, RegistryError?, () throws -> Void)] = [
            ("nothing", nil, {}),
            ("removed", changed, { try manager.removeItem(atPath: file()) }),
            (
                "replaced by the same bytes", changed,
                {
                    let same = try directory.write(sound, as: "same")
                    #expect(move(same, to: file()))
                }
            ),
            (
                "replaced by a link", changed,
                {
                    try manager.removeItem(atPath: file())
                    try manager.createSymbolicLink(atPath: file(), withDestinationPath: other)
                }
            ),
            (
                "its directory renamed away", nil,
                { #expect(move(directory.file("models/guests/1"), to: directory.file("models/guests/.gone"))) }
            ),
            (
                "cut in place", .wrongDigest(path: file(), got: try digest(half), wanted: entry.sha256),
                { try inPlace { try $0.truncate(atOffset: UInt64(half.count)) } }
            ),
            (
                "written in place", .wrongDigest(path: file(), got: try digest(half + half), wanted: entry.sha256),
                {
                    try inPlace {
                        try $0.truncate(atOffset: 0)
                        try $0.write(contentsOf: half + half)
                    }
                }
            ),
        ]
        for (what, problem, change) in changes {
            let opened = try openedFirst()
            try change()
            try expectAnswers(opened, problem: problem, what)
            if !move(directory.file("models/guests/.gone"), to: directory.file("models/guests/1")) {
                try? manager.removeItem(atPath: file())
                try sound.write(to: URL(filePath: file()))
            }
        }
    }
}
