/// Which versions of a model a server is to hold ready.
package enum VersionPolicy: Sendable, Equatable {
    /// The one that an alias names.
    case alias(String)
    case version(Int)
    /// The newest so many that are complete.
    case latest(Int)
}

/// Whether a version can be opened, as far as a look at names and sizes tells.
package enum VersionCompleteness: Equatable, Sendable {
    /// Everything its manifest lists is there in full length. Not verified.
    case complete
    /// Something is missing or too short, as while it is being copied, or the manifest is another version's. Look again when its
    /// ``VersionFingerprint`` changes.
    case incomplete(RegistryError)
}

extension Registry {
    /// The versions a policy wants, the one to answer with first. `latest(n)`: the n newest that are complete, descending.
    ///
    /// - Throws: `noAlias`, `noVersion`, `noVersions` when there is nothing to want; `badLatestCount` outside 1 to 100.
    package func versions(wanted policy: VersionPolicy, of model: String) throws(RegistryError) -> [Int] {
        switch policy {
        case .alias(let alias): return [try resolve(model, .alias(alias))]
        case .version(let version): return [try resolve(model, .version(version))]
        case .latest(let count):
            guard (1...Self.latestCountMax).contains(count) else { throw .badLatestCount(count) }
            let newest = try newestComplete(count, of: model)
            guard !newest.isEmpty else { throw .noVersions(model: model) }
            return newest
        }
    }

    /// The newest complete versions, descending: at most `count`.
    func newestComplete(_ count: Int, of model: String) throws(RegistryError) -> [Int] {
        var newest: [Int] = []
        for version in try versions(of: model).reversed() where newest.count < count {
            if try completeness(of: model, version: version) == .complete { newest.append(version) }
        }
        return newest
    }

    /// Looks at the manifest and the sizes of the files that it lists, not at what is in them.
    ///
    /// A version whose manifest is whole but wrong counts as complete: waiting would not help it, opening says what is wrong.
    package func completeness(of model: String, version: Int) throws(RegistryError) -> VersionCompleteness {
        do throws(RegistryError) {
            let directory = "\(try existingDirectory(of: model))/\(version)"
            for file in try manifest(of: model, version: version).manifest.files {
                try checkSize(file, in: directory)
            }
            return .complete
        } catch {
            // A copy of another version, whole or not, is none of this number's: kept for the newest, it would cost one that can be served.
            if case .otherManifest = error { return .incomplete(error) }
            if error.mayBecomeComplete { return .incomplete(error) }
            if error.kind == .badModel { return .complete }
            throw error
        }
    }

    package static let latestCountMax = 100
}
