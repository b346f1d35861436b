/// What a version looks like from outside: any change to its files, and any file that comes or goes, changes it.
///
/// A version that was refused is worth another look only when this has changed.
package struct VersionFingerprint: Hashable, Sendable {
    let directory: FileIdentity
    let files: [String: FileIdentity]

    /// Of all its files.
    package var bytes: Int { files.values.reduce(0) { $0 + $1.bytes } }
}

/// Everything that may change what should be served: aliases, what was forced or refused, and versions with their files.
/// Locks, the log, publishers at work and the marks of unavailable items, which have a watch of their own, are no part of it.
struct RegistryState: Equatable, Sendable {
    enum Model: Equatable, Sendable {
        case absent
        case unreadable(RegistryError)
        case present(aliases: [UInt8]?, forced: [UInt8]?, verdicts: [UInt8]?, versions: [Int: VersionFingerprint])
    }

    let models: [String: Model]

    /// - Complexity: a few system calls for each version and each of its files.
    init(_ registry: Registry, models names: [String]) {
        var models: [String: Model] = [:]
        for name in names {
            do throws(RegistryError) {
                models[name] = try Self.look(registry, name)
            } catch {
                models[name] = error.kind == .missing ? .absent : .unreadable(error)
            }
        }
        self.models = models
    }

    private static func look(_ registry: Registry, _ model: String) throws(RegistryError) -> Model {
        let directory = try registry.existingDirectory(of: model)
        var versions: [Int: VersionFingerprint] = [:]
        for version in try registry.versions(of: model) {
            versions[version] = try registry.fingerprint(of: model, version: version)
        }
        // Small files are compared whole: two replacements within a tick of the clock may leave every number as it was.
        return .present(
            aliases: try registry.fileSystem.read(
                "\(directory)/\(Registry.aliasesFileName)", bytesMax: Registry.aliasesBytesMax),
            forced: try registry.fileSystem.read(
                "\(directory)/\(Registry.forcedFileName)", bytesMax: Registry.forcedBytesMax),
            verdicts: try verdicts(registry, model), versions: versions)
    }

    /// A list that is too long to be one hides nothing else: all such are alike.
    private static func verdicts(_ registry: Registry, _ model: String) throws(RegistryError) -> [UInt8]? {
        do throws(RegistryError) {
            return try registry.verdictBytes(of: model)
        } catch .badVerdicts {
            return []
        }
    }
}

extension Registry {
    /// What a version looks like now; nil when it is not there.
    package func fingerprint(of model: String, version: Int) throws(RegistryError) -> VersionFingerprint? {
        let path = "\(try existingDirectory(of: model))/\(version)"
        guard let status = try fileSystem.status(of: path), status.isDirectory else { return nil }
        var files: [String: FileIdentity] = [:]
        for name in (try fileSystem.entryNames(of: path) ?? []).prefix(Manifest.fileCountMax + 1) {
            files[name] = try fileSystem.status(of: "\(path)/\(name)")?.identity
        }
        return VersionFingerprint(directory: status.identity, files: files)
    }
}
