import Glibc

extension Registry {
    /// Removes old versions: all but the newest `count` complete ones, those an alias names or a rollback would return to,
    /// those a running process holds a ``ServingLease`` of, and those that came less than `graceSeconds` ago, which
    /// somebody may be about to load. Also removes what dead publishers and earlier prunes left.
    ///
    /// A version loses its name by one rename before its files go, so no reader ever sees half of one. A process that has
    /// it mapped, without a lease, keeps its pages until it lets go of them.
    ///
    /// - Parameters:
    ///   - count: 1 to 1,000,000.
    ///   - graceSeconds: 0 to a year; measured from the directory's change time, so that a copy that keeps old dates counts
    ///     from its arrival.
    package func prune(
        _ model: String, keep count: Int, graceSeconds: Int = 0
    ) throws(RegistryError) -> PruneReport {
        guard (1...1_000_000).contains(count) else { throw .badKeepCount(count) }
        guard (0...31_536_000).contains(graceSeconds) else { throw .badGrace(seconds: graceSeconds) }
        let directory = try existingDirectory(of: model)
        let lock = try fileSystem.lock("\(directory)/\(Self.lockFileName)")
        let wanted = try wantedVersions(of: model, keep: count)
        var report = PruneReport()
        for version in try versions(of: model) {
            var reasons = wanted[version] ?? []
            reasons += try ageReasons(of: model, version: version, graceSeconds: graceSeconds)
            if reasons.isEmpty { reasons = try removeName(version, in: directory) }
            if reasons.isEmpty {
                report.removed.append(version)
            } else {
                report.kept.append(PruneReport.Kept(version: version, reasons: reasons))
            }
        }
        let trash = try retireDeadPublishers(directory)
        _ = consume lock
        try removeTrash(trash, in: directory)
        return report
    }

    /// What the number and the aliases keep, and why.
    private func wantedVersions(of model: String, keep count: Int) throws(RegistryError) -> [Int: [KeepReason]] {
        var wanted: [Int: [KeepReason]] = [:]
        for version in try newestComplete(count, of: model) { wanted[version, default: []].append(.newest) }
        for (alias, version) in try aliases(of: model).sorted(by: { $0.key < $1.key }) {
            wanted[version, default: []].append(.alias(alias))
            let earlier = try fallback(from: version, of: alias, model: model)
            if let earlier { wanted[earlier, default: []].append(.rollback(alias)) }
        }
        return wanted
    }

    private func ageReasons(
        of model: String, version: Int, graceSeconds: Int
    ) throws(RegistryError) -> [KeepReason] {
        guard let fingerprint = try fingerprint(of: model, version: version) else { return [] }
        let now = Glibc.time(nil)
        if now - fingerprint.directory.changed.seconds < graceSeconds { return [.young] }
        let times = fingerprint.files.values.map(\.changed.seconds) + [fingerprint.directory.changed.seconds]
        if let last = times.max(), now - last < Self.leftoverSeconds,
            case .incomplete = try completeness(of: model, version: version)
        {
            return [.incomplete]
        }
        return []
    }

    /// Takes the version's name away, unless a process uses it: then says so.
    ///
    /// Whoever wants a lease of it meanwhile waits for this lock, then finds no such version.
    private func removeName(_ version: Int, in directory: String) throws(RegistryError) -> [KeepReason] {
        let path = "\(directory)/\(version)"
        switch try fileSystem.tryLock("\(path)/\(Self.manifestFileName)", .exclusive) {
        case .busy: return [.inUse]
        case .unsupported(let code): return [.unknownUse(code: code)]
        case .absent: try removeName(path, version, in: directory)
        case .locked(let lock):
            try removeName(path, version, in: directory)
            _ = consume lock
        }
        return []
    }

    private func removeName(_ path: String, _ version: Int, in directory: String) throws(RegistryError) {
        let trash = "\(directory)/\(Self.trashPrefix)\(version)"
        // One may be left of a prune that died, when the version has been copied back since.
        try fileSystem.removeTree(trash)
        try fileSystem.rename(path, to: trash)
    }

    /// Renames the directories of publishers that are dead, which their locks tell, to trash; where there are no such locks,
    /// those that nobody has changed for a day. The model's lock is held.
    ///
    /// - Returns: all the trash there is, to be removed when the lock is released: files of gigabytes take a while, and other
    ///   publishers and rollbacks need not wait for that.
    func retireDeadPublishers(_ directory: String) throws(RegistryError) -> [String] {
        for name in try fileSystem.entryNames(of: directory) ?? [] where name.hasPrefix(Self.temporaryPrefix) {
            let entry = "\(directory)/\(name)"
            if try isDead(entry) { try fileSystem.rename(entry, to: "\(directory)/\(Self.trashPrefix)\(name)") }
        }
        let trash = try fileSystem.entryNames(of: directory)?.filter { $0.hasPrefix(Self.trashPrefix) } ?? []
        // Before a file goes: else a loss of power could bring a version's name back without its files.
        if !trash.isEmpty { try fileSystem.synchronize(directory: directory) }
        return trash
    }

    private func isDead(_ publisher: String) throws(RegistryError) -> Bool {
        switch try fileSystem.tryLock(publisher, .exclusive) {
        case .locked: return true
        case .busy: return false
        case .absent: return false
        case .unsupported:
            guard let status = try fileSystem.status(of: publisher) else { return false }
            return Glibc.time(nil) - status.identity.modified.seconds > Self.leftoverSeconds
        }
    }

    /// Several may do this at the same time.
    func removeTrash(_ names: [String], in directory: String) throws(RegistryError) {
        for name in names { try fileSystem.removeTree("\(directory)/\(name)") }
    }

    private static var trashPrefix: String { ".trash-" }
    private static var leftoverSeconds: Int { 24 * 3600 }
}
