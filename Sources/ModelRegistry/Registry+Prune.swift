import Glibc

extension Registry {
    /// Removes old versions and returns their numbers: all but the newest `count`, those an alias names, and those a
    /// rollback would return to. Also removes what crashed publishers left, once it is a day old.
    ///
    /// A version loses its name by one rename before its files go, so no reader ever sees half of one. A process that has
    /// it mapped keeps its pages until it lets go of them.
    package func prune(_ model: String, keep count: Int) throws(RegistryError) -> [Int] {
        guard (1...1_000_000).contains(count) else { throw .badKeepCount(count) }
        let directory = try existingDirectory(of: model)
        let lock = try fileSystem.lock("\(directory)/\(Self.lockFileName)")
        let versions = try versions(of: model)
        var kept = Set(versions.suffix(count))
        for (alias, version) in try aliases(of: model) {
            kept.insert(version)
            if let earlier = try self.version(before: version, of: alias, model: model) { kept.insert(earlier) }
        }
        let removed = versions.filter { !kept.contains($0) }
        for version in removed {
            try fileSystem.rename("\(directory)/\(version)", to: "\(directory)/\(Self.trashPrefix)\(version)")
        }
        if !removed.isEmpty { try fileSystem.synchronize(directory: directory) }
        try removeLeftovers(directory)
        _ = consume lock
        return removed
    }

    private static var trashPrefix: String { ".trash-" }
    private static var leftoverSeconds: Int { 24 * 3600 }

    private func removeLeftovers(_ directory: String) throws(RegistryError) {
        let now = Glibc.time(nil)
        for name in try fileSystem.entryNames(of: directory) ?? [] {
            let entry = "\(directory)/\(name)"
            if name.hasPrefix(Self.trashPrefix) {
                try fileSystem.removeTree(entry)
            } else if name.hasPrefix(Self.temporaryPrefix) || name.contains(".tmp-"),
                let status = try fileSystem.status(of: entry),
                now - status.identity.modified.seconds > Self.leftoverSeconds
            {
                try fileSystem.removeTree(entry)
            }
        }
    }
}
