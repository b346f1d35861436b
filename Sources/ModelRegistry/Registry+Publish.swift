package import FactorModel
import FoundationEssentials

extension Registry {
    /// Makes sure that ``publish(model:contents:manifest:promote:)`` will find a directory that it can write to: what is wrong
    /// with names, disk or permissions is said before the work of making a model, not after.
    package func prepare(model: String, alias: String?) throws(RegistryError) {
        try checkNames(model: model, alias: alias)
        let directory = try makeDirectories(for: model)
        let probe = "\(directory)/\(Self.temporaryPrefix)\(UUID().uuidString)"
        try fileSystem.makeNewDirectory(probe)
        try fileSystem.removeTree(probe)
    }

    func checkNames(model: String, alias: String?) throws(RegistryError) {
        guard isModelName(model) else { throw .badModelName(model) }
        if let alias, !isAliasName(alias) { throw .badAliasName(alias) }
    }

    /// Makes `contents` the next version of `model`.
    ///
    /// Everything is written to a directory whose name no reader takes for a version, synchronized and opened once as a
    /// reader would; then one rename gives it its number. A crash at any instant leaves the old state or the new one,
    /// and at worst a `.tmp-` directory, which the next publish or prune removes: the lock on it died with its owner.
    ///
    /// - Parameters:
    ///   - alias: pointed at the new version once it is there.
    ///   - actor: who does it, for the history of the alias; nil: the account.
    /// - Returns: the version number: one more than any this model ever had.
    package func publish(
        model: String, contents: ModelContents, manifest draft: ManifestDraft, promote alias: String? = nil,
        actor: String? = nil
    ) throws(RegistryError) -> Int {
        try checkNames(model: model, alias: alias)
        let actor = try AliasChange.actor(actor)
        let directory = try makeDirectories(for: model)
        let temporary = "\(directory)/\(Self.temporaryPrefix)\(UUID().uuidString)"
        let version: Int
        do throws(RegistryError) {
            let owned = try makeTemporary(temporary, in: directory)
            let written = try writeModel(contents, in: temporary)
            let lock = try fileSystem.lock("\(directory)/\(Self.lockFileName)")
            version = try nameVersion(temporary, model: model, written, draft)
            _ = consume lock
            _ = consume owned
        } catch {
            // What was half made must not stay; when even that fails, the first reason is the one to tell.
            try? fileSystem.removeTree(temporary)
            throw error
        }
        guard let alias else { return version }
        do throws(RegistryError) {
            try promote(model, version: version, alias: alias, actor: actor, reason: "publish")
        } catch {
            throw .notPromoted(version: version, error)
        }
        return version
    }

    /// Makes a publisher's directory and locks it for as long as the publisher lives, after removing those of dead ones: made
    /// and locked under the model's lock, so that nobody finds it unlocked in between.
    private func makeTemporary(_ temporary: String, in directory: String) throws(RegistryError) -> LockAttempt {
        let lock = try fileSystem.lock("\(directory)/\(Self.lockFileName)")
        let trash = try retireDeadPublishers(directory)
        try fileSystem.makeNewDirectory(temporary)
        let owned = try fileSystem.tryLock(temporary, .exclusive)
        _ = consume lock
        try removeTrash(trash, in: directory)
        return owned
    }

    /// Durable from the top: a version is only as safe as the names on the way to it.
    private func makeDirectories(for model: String) throws(RegistryError) -> String {
        let directory = try directory(of: model)
        if try fileSystem.makeDirectory(path) { try fileSystem.synchronize(directory: "\(path)/..") }
        if try fileSystem.makeDirectory(directory) { try fileSystem.synchronize(directory: path) }
        return directory
    }

    /// Writes the model file, reads it back through every check of the loader, and writes down what it answers.
    private func writeModel(
        _ contents: ModelContents, in directory: String
    ) throws(RegistryError) -> WrittenModel {
        let file = "\(directory)/\(Self.modelFileName)"
        try fileSystem.writeModel(file, contents)
        let snapshot: ModelSnapshot
        do throws(ModelFileError) {
            snapshot = try ModelSnapshot.open(path: file)
        } catch {
            throw .badModelFile(path: file, error)
        }
        guard let status = try fileSystem.status(of: file) else { throw .missingFile(path: file) }
        let entry = Manifest.File(name: Self.modelFileName, bytes: status.bytes, sha256: try sha256(ofFile: file))
        let golden = try writeGolden(snapshot, in: directory)
        return WrittenModel(
            files: [entry] + (golden.map { [$0.entry] } ?? []), shapes: Manifest.Shapes(snapshot),
            goldenQueries: golden?.count)
    }

    /// What the manifest says of the files that are there.
    private struct WrittenModel {
        let files: [Manifest.File]
        let shapes: Manifest.Shapes
        let goldenQueries: Int?
    }

    /// Gives the finished directory its number. The lock is held.
    private func nameVersion(
        _ temporary: String, model: String, _ written: WrittenModel, _ draft: ManifestDraft
    ) throws(RegistryError) -> Int {
        let directory = try directory(of: model)
        let version = max(try versions(of: model).last ?? 0, try lastVersion(directory)) + 1
        guard version <= versionNumberMax else {
            throw .badLastVersion(path: "\(directory)/\(Self.lastVersionFileName)")
        }
        let manifest = Manifest(
            format: Manifest.currentFormat, model: model, version: version, createdAt: Date(),
            files: written.files, shapes: written.shapes, training: draft.training, data: draft.data,
            evaluation: draft.evaluation, lineage: draft.lineage, goldenQueries: written.goldenQueries)
        try fileSystem.writeNewFile("\(temporary)/\(Self.manifestFileName)", manifest.encoded())
        try fileSystem.synchronize(directory: temporary)
        // The number is spent before it is used: a crash in between skips it, and nothing ever gets it twice.
        try replace("\(directory)/\(Self.lastVersionFileName)", with: Array("\(version)\n".utf8))
        try fileSystem.synchronize(directory: directory)
        try fileSystem.rename(temporary, to: "\(directory)/\(version)")
        try fileSystem.synchronize(directory: directory)
        return version
    }

    /// The highest number ever given out, 0 before the first.
    private func lastVersion(_ directory: String) throws(RegistryError) -> Int {
        let file = "\(directory)/\(Self.lastVersionFileName)"
        guard let bytes = try fileSystem.read(file, bytesMax: 64) else { return 0 }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasSuffix("\n"), let version = versionNumber(String(text.dropLast())) else {
            throw .badLastVersion(path: file)
        }
        return version
    }

    /// Replaces a small file by one rename. The model's lock is held: the name of the file that is renamed is always the same,
    /// so that crashes never leave more than one.
    func replace(_ file: String, with bytes: [UInt8]) throws(RegistryError) {
        let temporary = file + Self.replacementSuffix
        do throws(RegistryError) {
            try fileSystem.removeTree(temporary)
            try fileSystem.writeNewFile(temporary, bytes)
            try fileSystem.rename(temporary, to: file)
        } catch {
            try? fileSystem.removeTree(temporary)
            throw error
        }
    }

    static let replacementSuffix = ".new"
    static let temporaryPrefix = ".tmp-"
    static let lockFileName = ".lock"
    static let lastVersionFileName = "last-version"
}
