package import FactorModel

/// A version that passed every check, ready to serve.
package struct OpenedVersion: Sendable {
    package let manifest: Manifest
    /// `manifest.json` as it lies in the registry.
    package let manifestBytes: [UInt8]
    package let snapshot: ModelSnapshot
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
            throw .badManifest(path: file, reason: "there is no such file")
        }
        return (try Manifest(bytes, path: file, model: model, version: version), bytes)
    }

    /// Opens a version after checking everything: the manifest, each file's size and SHA-256, what the model file says of
    /// itself, and that both tell the same shapes.
    ///
    /// A version never changes once it has its name, so what was checked here stays true while it is mapped.
    ///
    /// - Parameter threads: for the checks of the model file.
    package func open(_ model: String, version: Int, threads: Int) throws(RegistryError) -> OpenedVersion {
        let (manifest, bytes) = try manifest(of: model, version: version)
        let directory = "\(try existingDirectory(of: model))/\(version)"
        for file in manifest.files { try checkDigest(file, in: directory) }
        let modelFile = "\(directory)/\(Self.modelFileName)"
        let snapshot: ModelSnapshot
        do throws(ModelFileError) {
            snapshot = try ModelSnapshot.open(path: modelFile, threads: threads)
        } catch {
            throw .badModelFile(path: modelFile, error)
        }
        try checkShapes(manifest.shapes, snapshot, modelFile)
        return OpenedVersion(manifest: manifest, manifestBytes: bytes, snapshot: snapshot)
    }

    /// Runs the same checks as ``open(_:version:threads:)``.
    package func verify(_ model: String, version: Int, threads: Int = 1) throws(RegistryError) {
        _ = try open(model, version: version, threads: threads)
    }

    private func checkDigest(_ file: Manifest.File, in directory: String) throws(RegistryError) {
        let path = "\(directory)/\(file.name)"
        guard let status = try fileSystem.status(of: path), status.isRegular else { throw .missingFile(path: path) }
        guard status.bytes == file.bytes else {
            throw .wrongSize(path: path, got: status.bytes, wanted: file.bytes)
        }
        let digest = try sha256(ofFile: path)
        guard digest == file.sha256 else { throw .wrongDigest(path: path, got: digest, wanted: file.sha256) }
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
