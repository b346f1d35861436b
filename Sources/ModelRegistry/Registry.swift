/// A directory of models, each a directory of immutable versions and an alias table.
///
/// ```
/// models/                       the registry
///   room-service/               a model
///     aliases.json              {"production": 7}; replaced by rename
///     aliases.log               the last changes of aliases, one JSON object a line
///     forced.json               aliases that were pointed at their version past the gates of servers
///     verdicts.json             what servers found when they compared versions
///     unavailable.json          items taken from sale, kept by the service
///     last-version              the highest number ever given out
///     .lock                     held while a name appears or goes
///     7/manifest.json           and the files it lists
/// ```
/// Readers take no lock: everything they see appeared by one rename.
package struct Registry: Sendable {
    package static let modelFileName = "model.safetensors"
    static let manifestFileName = "manifest.json"

    package let path: String
    let fileSystem: any RegistryFileSystem

    package init(path: String, fileSystem: any RegistryFileSystem = POSIXFileSystem()) {
        self.path = path
        self.fileSystem = fileSystem
    }

    // MARK: What there is

    /// The models, by name. Directories with names that no model can have are not ours and are passed over.
    package func models() throws(RegistryError) -> [String] {
        guard let names = try fileSystem.entryNames(of: path) else { throw .noRegistry(path: path) }
        var models: [String] = []
        for name in names where isModelName(name) {
            if try fileSystem.status(of: "\(path)/\(name)")?.isDirectory == true { models.append(name) }
        }
        return models
    }

    /// The versions of a model, ascending.
    package func versions(of model: String) throws(RegistryError) -> [Int] {
        let directory = try existingDirectory(of: model)
        var versions: [Int] = []
        for name in try fileSystem.entryNames(of: directory) ?? [] {
            guard let version = versionNumber(name) else { continue }
            if try fileSystem.status(of: "\(directory)/\(name)")?.isDirectory == true { versions.append(version) }
        }
        return versions.sorted()
    }

    /// Which version to use.
    package func resolve(_ model: String, _ selection: VersionSelection) throws(RegistryError) -> Int {
        let known = try versions(of: model)
        let version: Int
        switch selection {
        case .version(let number): version = number
        case .latest:
            guard let newest = try newestComplete(1, of: model).first else { throw .noVersions(model: model) }
            version = newest
        case .alias(let alias):
            let aliases = try aliases(of: model)
            guard let number = aliases[alias] else {
                throw .noAlias(alias, model: model, known: aliases.keys.sorted())
            }
            version = number
        }
        guard known.contains(version) else { throw .noVersion(version, model: model, known: known) }
        return version
    }

    // MARK: Paths

    func directory(of model: String) throws(RegistryError) -> String {
        guard isModelName(model) else { throw .badModelName(model) }
        return "\(path)/\(model)"
    }

    func existingDirectory(of model: String) throws(RegistryError) -> String {
        let directory = try directory(of: model)
        guard try fileSystem.status(of: path) != nil else { throw .noRegistry(path: path) }
        guard try fileSystem.status(of: directory)?.isDirectory == true else { throw .noModel(model, path: path) }
        return directory
    }
}

/// How a version is named by those who want one.
package enum VersionSelection: Equatable, Sendable {
    case alias(String)
    case version(Int)
    /// The one with the highest number of those that are complete.
    case latest
}

/// `[a-z0-9][a-z0-9._-]{0,63}`
package func isModelName(_ name: String) -> Bool {
    guard (1...64).contains(name.utf8.count), let first = name.utf8.first else { return false }
    func isPlain(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) && !(UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
    return isPlain(first)
        && name.utf8.allSatisfy {
            isPlain($0) || [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-")].contains($0)
        }
}

/// As a model name, but beginning with a letter, so that an alias is never taken for a version.
package func isAliasName(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
    return isModelName(name)
}

/// Nine digits.
let versionNumberMax = 999_999_999

/// A directory name as a version: digits only, no leading zero, at most nine of them.
func versionNumber(_ name: String) -> Int? {
    guard (1...9).contains(name.utf8.count), name.utf8.first != UInt8(ascii: "0"),
        name.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return Int(name)
}
