package import FactorModel

/// A version that passed every check, but for those of codes that were left for later: ready to serve.
package struct OpenedVersion: Sendable {
    package let manifest: Manifest
    /// `manifest.json` as it lies in the registry.
    package let manifestBytes: [UInt8]
    package let snapshot: ModelSnapshot
    /// Bytes of the files that a record vouched for, which were not read again.
    package let recordedBytes: Int
    /// What it answered where it was made; nil of a version without. Not asked yet.
    package let golden: GoldenQueries?
    /// The codes that it was published with; nil of a version without.
    package let codes: VersionCodes?

    /// Prepares the snapshot, with the codes that the version was published with if it has any.
    ///
    /// - Returns: what is wrong with them, if anything is; answers are the same.
    package func prepare() -> RegistryError? {
        if let codes { return codes.prepare(snapshot) }
        snapshot.prepare()
        return nil
    }
}

extension Registry {
    /// The manifest of a version and its bytes. Its files are not looked at.
    package func manifest(
        of model: String, version: Int
    ) throws(RegistryError) -> (manifest: Manifest, bytes: [UInt8]) {
        let directory = try existingDirectory(of: model)
        let known = try versions(of: model)
        guard known.contains(version) else { throw .noVersion(version, model: model, known: known) }
        let file = "\(directory)/\(version)/\(Self.manifestFileName)"
        guard let bytes = try fileSystem.read(file, bytesMax: Manifest.bytesMax) else {
            throw .noManifest(path: file)
        }
        return (try Manifest(bytes, path: file, model: model, version: version), bytes)
    }

    /// Opens a version after checking everything: that it fits into memory, the manifest, that nothing lies in its directory
    /// that the manifest does not list, each file's size and SHA-256, what the model file says of itself, that both tell the
    /// same shapes, and that the file that was checked is the one that is mapped, unchanged.
    ///
    /// A version never changes once it has its name, so what was checked here stays true while it is mapped. Codes can be left for later,
    /// see ``OpenOptions/defersCodes``; that they are those of the factors is only checked by ``verify(_:version:threads:thoroughly:)``.
    package func open(_ model: String, version: Int, options: OpenOptions) throws(RegistryError) -> OpenedVersion {
        try unlessGone(model, version) { () throws(RegistryError) in
            try openPresent(model, version: version, options: options)
        }
    }

    /// Whatever goes wrong with a version that a prune removed meanwhile is told as what it is: the version is not there.
    private func unlessGone<R>(
        _ model: String, _ version: Int, _ work: () throws(RegistryError) -> R
    ) throws(RegistryError) -> R {
        do throws(RegistryError) {
            return try work()
        } catch {
            guard let known = try? versions(of: model), !known.contains(version) else { throw error }
            throw .noVersion(version, model: model, known: known)
        }
    }

    private func openPresent(
        _ model: String, version: Int, options: OpenOptions
    ) throws(RegistryError) -> OpenedVersion {
        let (manifest, bytes) = try manifest(of: model, version: version)
        let directory = "\(try existingDirectory(of: model))/\(version)"
        try checkNames(manifest, in: directory)
        for file in manifest.files { try checkSize(file, in: directory) }
        try checkMemory(manifest, directory, options)
        var recordedBytes = 0
        let golden = try goldenQueries(manifest, in: directory)
        for file in manifest.files where !Self.knownFileNames.contains(file.name) {
            let path = "\(directory)/\(file.name)"
            let held = try HeldFile(path)
            try held.checkDigest(file, path: path, options, &recordedBytes)
        }
        let modelFile = "\(directory)/\(Self.modelFileName)"
        guard let entry = manifest.files.first(where: { $0.name == Self.modelFileName }) else {
            throw .missingFile(path: modelFile)
        }
        let threads = max(1, min(options.threads, 256))
        let snapshot = try HeldFile(modelFile).verified(entry, path: modelFile, options, &recordedBytes) {
            (path, checksValues) throws(ModelFileError) in
            try ModelSnapshot.open(path: path, threads: threads, checksValues: checksValues)
        }
        try checkShapes(manifest.shapes, snapshot, modelFile)
        let codes = try codes(manifest, of: snapshot, in: directory, options, &recordedBytes)
        return OpenedVersion(
            manifest: manifest, manifestBytes: bytes, snapshot: snapshot, recordedBytes: recordedBytes,
            golden: golden, codes: codes)
    }

    /// Files of a version that have checks of their own.
    private static let knownFileNames = [modelFileName, goldenFileName, codesFileName]

    package func open(_ model: String, version: Int, threads: Int) throws(RegistryError) -> OpenedVersion {
        try open(model, version: version, options: OpenOptions(threads: threads))
    }

    /// Runs the same checks as ``open(_:version:options:)``, makes the codes anew to compare them with those of the version, and asks the
    /// version its golden queries.
    ///
    /// - Parameter thoroughly: false to leave the last two out: who goes back, or forces, wants what is undamaged, however it answers.
    /// - Returns: how many golden queries it has.
    @discardableResult
    package func verify(
        _ model: String, version: Int, threads: Int = 1, thoroughly: Bool = true
    ) throws(RegistryError) -> Int {
        try unlessGone(model, version) { () throws(RegistryError) in
            let opened = try openPresent(model, version: version, options: OpenOptions(threads: threads))
            if thoroughly {
                let directory = "\(try existingDirectory(of: model))/\(version)"
                try opened.checkCodes(path: "\(directory)/\(Self.codesFileName)")
                try opened.checkGolden(path: directory)
            }
            return opened.golden?.queries.count ?? 0
        }
    }

    /// What is not in the manifest was not published: half a copy of something else, or somebody's own.
    private func checkNames(_ manifest: Manifest, in directory: String) throws(RegistryError) {
        let listed = Set(manifest.files.map(\.name) + [Self.manifestFileName])
        // Hidden names are how rsync and network file systems call what they have in hand, and no file of a version.
        for name in try fileSystem.entryNames(of: directory) ?? [] where !listed.contains(name) && !name.hasPrefix(".")
        {
            throw .unknownFile(path: "\(directory)/\(name)")
        }
    }

    /// A file's length must be the manifest's.
    func checkSize(_ file: Manifest.File, in directory: String) throws(RegistryError) {
        let path = "\(directory)/\(file.name)"
        guard let status = try fileSystem.status(of: path), status.isRegular else { throw .missingFile(path: path) }
        guard status.bytes == file.bytes else {
            throw .wrongSize(path: path, got: status.bytes, wanted: file.bytes)
        }
    }

    private func checkMemory(
        _ manifest: Manifest, _ directory: String, _ options: OpenOptions
    ) throws(RegistryError) {
        let needed = manifest.memoryBytes
        var limits = AvailableMemory.now(root: options.systemRoot).map { [$0] } ?? []
        if let limit = options.memoryBytesMax { limits.append(AvailableMemory(bytes: limit, source: "the limit set")) }
        for limit in limits where needed > limit.bytes - options.memoryBytesInUse {
            throw .notEnoughMemory(
                path: directory, needed: needed, inUse: options.memoryBytesInUse, available: limit.bytes,
                source: limit.source)
        }
    }

    private func checkShapes(
        _ shapes: Manifest.Shapes, _ snapshot: ModelSnapshot, _ path: String
    ) throws(RegistryError) {
        let found = Manifest.Shapes(snapshot)
        for (what, got, wanted) in [
            ("users", found.users, shapes.users), ("items", found.items, shapes.items),
            ("factors", found.factors, shapes.factors), ("interactions", found.interactions, shapes.interactions),
            ("hotels", found.hotels, shapes.hotels),
        ] where got != wanted {
            throw .wrongShape(path: path, what: what, got: got, wanted: wanted)
        }
    }
}

extension OpenedVersion {
    /// - Throws: `badModelFile` when the version's codes are not those of its factors, although what the manifest says of the file is true:
    ///   a ranking that reads them could leave out items and nobody would know.
    func checkCodes(path: String) throws(RegistryError) {
        guard let codes, let digest = manifest.modelDigest else { return }
        let published = try codes.checked(for: snapshot)
        do throws(ModelFileError) {
            try published.checkMade(from: snapshot, modelDigest: digest)
        } catch {
            throw .badModelFile(path: path, error)
        }
    }
}

extension Manifest.Shapes {
    init(_ snapshot: ModelSnapshot) {
        self.init(
            users: snapshot.userCount, items: snapshot.itemCount, factors: snapshot.factorCount,
            interactions: snapshot.interactionCount, hotels: snapshot.hotelCount)
    }
}

extension Manifest {
    /// What serving this version takes: the mappings of the model file and of the codes, and the values that are derived (YᵀY in double,
    /// and codes, places and lengths when the version has no file of them). An estimate from the manifest's own words, which the files
    /// are held against later.
    var memoryBytes: Int {
        var total = 0.0
        for file in files where [Registry.modelFileName, Registry.codesFileName].contains(file.name) {
            total += Double(file.bytes)
        }
        let factors = Double(shapes.factors)
        let hasCodes = files.contains { $0.name == Registry.codesFileName }
        total += hasCodes ? 0 : Double(shapes.items) * (factors / 2 + 12)
        total += factors * factors * 8
        return Int(min(max(total, 0), 1e18))
    }
}
