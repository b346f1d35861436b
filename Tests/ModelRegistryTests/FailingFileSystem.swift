import FactorModel
import Glibc
import ModelRegistry
import Synchronization

/// The real file system until call number `failAt`, counted from 1; that call does nothing and every later one fails too, as if the
/// process had been killed there: not even its own tidying up gets through.
final class FailingFileSystem: RegistryFileSystem {
    private let real = POSIXFileSystem()
    private let failAt: Int
    private let meddleAt: Int
    private let meddle: @Sendable () -> Void
    private let calls = Mutex(0)
    private let unreadableName: String?
    private let lateName: Mutex<String?>

    /// - Parameters:
    ///   - unreadableName: a file that cannot be opened for want of a descriptor, while all else goes on.
    ///   - lateName: a lock file that the first attempt to lock it does not find, as when another process makes it just then.
    init(failAt: Int = .max, unreadableName: String? = nil, lateName: String? = nil) {
        self.failAt = failAt
        self.unreadableName = unreadableName
        self.lateName = Mutex(lateName)
        meddleAt = .max
        meddle = {}
    }

    /// Fails nothing: `meddle` comes between the calls, before call number `meddleAt`.
    init(before meddleAt: Int, meddle: @escaping @Sendable () -> Void) {
        failAt = .max
        unreadableName = nil
        lateName = Mutex(nil)
        self.meddleAt = meddleAt
        self.meddle = meddle
    }

    /// Calls that were made, with those that failed.
    var callCount: Int { calls.withLock { $0 } }

    private func count(_ path: String) throws(RegistryError) {
        let call = calls.withLock { calls in
            calls += 1
            return calls
        }
        if call == meddleAt { meddle() }
        if call >= failAt { throw .system(call: "injected", path: path, code: EIO) }
    }

    func makeDirectory(_ path: String) throws(RegistryError) -> Bool {
        try count(path)
        return try real.makeDirectory(path)
    }

    func makeNewDirectory(_ path: String) throws(RegistryError) {
        try count(path)
        try real.makeNewDirectory(path)
    }

    func writeModel(_ path: String, _ contents: ModelContents) throws(RegistryError) {
        try count(path)
        try real.writeModel(path, contents)
    }

    func writeCodes(_ path: String, _ codes: ItemCodes, modelDigest: String) throws(RegistryError) {
        try count(path)
        try real.writeCodes(path, codes, modelDigest: modelDigest)
    }

    /// Fails half way: the first half of the file is there.
    func writeNewFile(_ path: String, _ bytes: [UInt8]) throws(RegistryError) {
        do throws(RegistryError) {
            try count(path)
        } catch {
            if callCount == failAt { try real.writeNewFile(path, Array(bytes.prefix(bytes.count / 2))) }
            throw error
        }
        try real.writeNewFile(path, bytes)
    }

    func read(_ path: String, bytesMax: Int) throws(RegistryError) -> [UInt8]? {
        try count(path)
        if let unreadableName, path.hasSuffix("/\(unreadableName)") {
            throw .system(call: "open", path: path, code: EMFILE)
        }
        return try real.read(path, bytesMax: bytesMax)
    }

    func rename(_ old: String, to new: String) throws(RegistryError) {
        try count(new)
        try real.rename(old, to: new)
    }

    func synchronize(directory path: String) throws(RegistryError) {
        try count(path)
        try real.synchronize(directory: path)
    }

    func removeTree(_ path: String) throws(RegistryError) {
        try count(path)
        try real.removeTree(path)
    }

    func entryNames(of path: String) throws(RegistryError) -> [String]? {
        try count(path)
        return try real.entryNames(of: path)
    }

    func status(of path: String) throws(RegistryError) -> FileStatus? {
        try count(path)
        return try real.status(of: path)
    }

    func lock(_ path: String) throws(RegistryError) -> FileLock {
        try count(path)
        return try real.lock(path)
    }

    func tryLock(_ path: String, _ kind: FileLock.Kind) throws(RegistryError) -> LockAttempt {
        try count(path)
        let isLate = lateName.withLock { name in
            guard let late = name, path.hasSuffix("/\(late)") else { return false }
            name = nil
            return true
        }
        if isLate { return .absent }
        return try real.tryLock(path, kind)
    }
}
