import Dispatch
package import FactorModel
import Glibc
import Synchronization

/// A version that passed every check, ready to serve.
package struct OpenedVersion: Sendable {
    package let manifest: Manifest
    /// `manifest.json` as it lies in the registry.
    package let manifestBytes: [UInt8]
    package let snapshot: ModelSnapshot
    /// Bytes whose digest was taken from a record, not computed anew.
    package let recordedBytes: Int
    /// What it answered where it was made; nil of a version without. Not asked yet.
    package let golden: GoldenQueries?
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
    /// A version never changes once it has its name, so what was checked here stays true while it is mapped.
    package func open(_ model: String, version: Int, options: OpenOptions) throws(RegistryError) -> OpenedVersion {
        let (manifest, bytes) = try manifest(of: model, version: version)
        let directory = "\(try existingDirectory(of: model))/\(version)"
        try checkNames(manifest, in: directory)
        for file in manifest.files { try checkSize(file, in: directory) }
        try checkMemory(manifest, directory, options)
        var recordedBytes = 0
        let golden = try goldenQueries(manifest, in: directory)
        for file in manifest.files where ![Self.modelFileName, Self.goldenFileName].contains(file.name) {
            try checkDigest(of: HeldFile("\(directory)/\(file.name)"), file, in: directory, options, &recordedBytes)
        }
        let modelFile = "\(directory)/\(Self.modelFileName)"
        guard let entry = manifest.files.first(where: { $0.name == Self.modelFileName }) else {
            throw .missingFile(path: modelFile)
        }
        let snapshot = try openModel(modelFile, entry, in: directory, options, &recordedBytes)
        try checkShapes(manifest.shapes, snapshot, modelFile)
        return OpenedVersion(
            manifest: manifest, manifestBytes: bytes, snapshot: snapshot, recordedBytes: recordedBytes,
            golden: golden)
    }

    package func open(_ model: String, version: Int, threads: Int) throws(RegistryError) -> OpenedVersion {
        try open(model, version: version, options: OpenOptions(threads: threads))
    }

    /// Runs the same checks as ``open(_:version:options:)``, and asks the version its golden queries.
    ///
    /// - Parameter asksGolden: false to leave those out: who goes back, or forces, wants what is undamaged, however it answers.
    /// - Returns: how many golden queries it has.
    @discardableResult
    package func verify(
        _ model: String, version: Int, threads: Int = 1, asksGolden: Bool = true
    ) throws(RegistryError) -> Int {
        let opened = try open(model, version: version, options: OpenOptions(threads: threads))
        if asksGolden { try opened.checkGolden(path: "\(try existingDirectory(of: model))/\(version)") }
        return opened.golden?.queries.count ?? 0
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

    /// Maps the model file once its digest and every value were checked, or a record says that they were.
    ///
    /// On several threads both are checked at a time: neither trusts a byte, and nothing leaves here before both are done.
    private func openModel(
        _ path: String, _ file: Manifest.File, in directory: String, _ options: OpenOptions, _ recordedBytes: inout Int
    ) throws(RegistryError) -> ModelSnapshot {
        let held = try HeldFile(path)
        try checkLength(of: held, file, path)
        let ownPath = held.ownPath
        let began = Glibc.time(nil)
        let isKnown = options.records?.vouches(for: held.identity, sha256: file.sha256) == true
        let threads = max(1, min(options.threads, 256))
        let digest = Mutex<Result<String, RegistryError>>(.success(file.sha256))
        let opened = Mutex<Result<ModelSnapshot, ModelFileError>?>(nil)
        let descriptor = held.descriptor
        let steps: [@Sendable () -> Void] = [
            {
                guard !isKnown else { return }
                let found = Result { () throws(RegistryError) in
                    try sha256(of: descriptor, path: path, bytesPerSecondMax: options.bytesPerSecondMax)
                }
                digest.withLock { $0 = found }
            },
            {
                let snapshot = Result { () throws(ModelFileError) in
                    try ModelSnapshot.open(path: ownPath, threads: threads, checksValues: !isKnown)
                }
                opened.withLock { $0 = snapshot }
            },
        ]
        if threads == 1 {
            // Its bytes first: of a file that is damaged nothing more need be said.
            steps[0]()
            try checkDigest(try digest.withLock { $0 }.get(), file, path)
            steps[1]()
        } else {
            DispatchQueue.concurrentPerform(iterations: steps.count) { steps[$0]() }
            try checkDigest(try digest.withLock { $0 }.get(), file, path)
        }
        let snapshot: ModelSnapshot
        switch opened.withLock({ $0 }) {
        case .success(let model): snapshot = model
        case .failure(let error): throw .badModelFile(path: path, error)
        case nil: preconditionFailure("BUG: a step that did not run")
        }
        try held.checkUnchanged()
        if isKnown {
            recordedBytes += file.bytes
        } else {
            options.records?.remember(held.identity, sha256: file.sha256, readSince: began)
        }
        return snapshot
    }

    private func checkLength(
        of held: borrowing HeldFile, _ file: Manifest.File, _ path: String
    ) throws(RegistryError) {
        guard held.identity.bytes == file.bytes else {
            throw .wrongSize(path: path, got: held.identity.bytes, wanted: file.bytes)
        }
    }

    private func checkDigest(_ digest: String, _ file: Manifest.File, _ path: String) throws(RegistryError) {
        guard digest == file.sha256 else { throw .wrongDigest(path: path, got: digest, wanted: file.sha256) }
    }

    /// Of a file that is not the model's.
    ///
    /// - Parameter recordedBytes: the file's length is added when a record spares reading it.
    private func checkDigest(
        of held: borrowing HeldFile, _ file: Manifest.File, in directory: String, _ options: OpenOptions,
        _ recordedBytes: inout Int
    ) throws(RegistryError) {
        let path = "\(directory)/\(file.name)"
        try checkLength(of: held, file, path)
        if options.records?.vouches(for: held.identity, sha256: file.sha256) == true {
            recordedBytes += file.bytes
            return
        }
        let began = Glibc.time(nil)
        let digest = try sha256(of: held.descriptor, path: path, bytesPerSecondMax: options.bytesPerSecondMax)
        try checkDigest(digest, file, path)
        try held.checkUnchanged()
        options.records?.remember(held.identity, sha256: digest, readSince: began)
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

extension Manifest.Shapes {
    init(_ snapshot: ModelSnapshot) {
        self.init(
            users: snapshot.userCount, items: snapshot.itemCount, factors: snapshot.factorCount,
            interactions: snapshot.interactionCount, hotels: snapshot.hotelCount)
    }
}

extension Manifest {
    /// What serving this version takes: its mapping, and the values that are derived from it (4-bit codes and lengths of the
    /// item vectors, YᵀY in double). An estimate from the manifest's own words, which the file is held against later.
    var memoryBytes: Int {
        var total = 0.0
        for file in files where file.name == Registry.modelFileName { total += Double(file.bytes) }
        let factors = Double(shapes.factors)
        total += Double(shapes.items) * (factors / 2 + 12) + factors * factors * 8
        return Int(min(max(total, 0), 1e18))
    }
}
