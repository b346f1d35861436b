import Glibc

/// A mark that keeps ``Registry/prune(_:keep:graceSeconds:)`` off one version, held by this process until the value goes away
/// or the process dies, however it dies.
///
/// A shared `flock` on the version's `manifest.json`: nothing is written, so a server that may only read the registry holds
/// one too, and nothing is left behind.
package final class ServingLease: Sendable {
    package let model: String
    package let version: Int
    private let lock: FileLock

    init(model: String, version: Int, lock: consuming FileLock) {
        self.model = model
        self.version = version
        self.lock = lock
    }
}

extension Registry {
    /// Takes a lease. Take it before the version is opened, and let go of it once nothing serves it any more.
    ///
    /// - Throws: `noVersion` when it is not there (any more), `noLease` when the file system has no locks (a server can serve
    ///   without; prune then cannot know of it) or somebody keeps the manifest locked for more than a second.
    package func lease(_ model: String, version: Int) throws(RegistryError) -> ServingLease {
        let directory = "\(try existingDirectory(of: model))/\(version)"
        let path = "\(directory)/\(Self.manifestFileName)"
        // A prune that has looked at this version holds the lock until the version has lost its name.
        for _ in 0..<Self.leaseAttemptCount {
            let known = try versions(of: model)
            guard known.contains(version) else { throw .noVersion(version, model: model, known: known) }
            switch try fileSystem.tryLock(path, .shared) {
            case .locked(let lock):
                // Locked, but perhaps under another name by now.
                if try fileSystem.status(of: path)?.identity.inode == lock.inode {
                    return ServingLease(model: model, version: version, lock: lock)
                }
            case .absent: throw .noManifest(path: path)
            case .unsupported(let code): throw .noLease(path: path, code: code)
            case .busy: usleep(Self.leasePauseMicroseconds)
            }
        }
        throw .noLease(path: path, code: EWOULDBLOCK)
    }

    private static var leaseAttemptCount: Int { 100 }
    private static var leasePauseMicroseconds: UInt32 { 10_000 }
}
