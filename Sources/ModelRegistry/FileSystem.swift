package import FactorModel
import Glibc

/// The directory operations of a registry, each as few system calls as can be, so that a test can let any one of
/// them fail and look at what is left.
package protocol RegistryFileSystem: Sendable {
    /// Makes one directory. Fine when it is there already: then false.
    func makeDirectory(_ path: String) throws(RegistryError) -> Bool
    /// Makes one directory that must be new.
    func makeNewDirectory(_ path: String) throws(RegistryError)
    /// Writes a new model file and synchronizes it.
    func writeModel(_ path: String, _ contents: ModelContents) throws(RegistryError)
    /// Writes a new file of codes and synchronizes it. `modelDigest` is of the model file that they belong to.
    func writeCodes(_ path: String, _ codes: ItemCodes, modelDigest: String) throws(RegistryError)
    /// Writes a new file and synchronizes it.
    func writeNewFile(_ path: String, _ bytes: [UInt8]) throws(RegistryError)
    /// The whole of a regular file, or nil when there is none.
    func read(_ path: String, bytesMax: Int) throws(RegistryError) -> [UInt8]?
    /// Renames over whatever file has the new name. A directory is never renamed over one that holds anything: rename(2)
    /// refuses, so a version cannot be replaced even by someone who ignores the lock.
    func rename(_ old: String, to new: String) throws(RegistryError)
    /// Makes the directory's entries durable.
    func synchronize(directory path: String) throws(RegistryError)
    func removeTree(_ path: String) throws(RegistryError)
    /// The names in a directory, without `.` and `..`, sorted; nil when there is no such directory.
    func entryNames(of path: String) throws(RegistryError) -> [String]?
    /// What lies at a path: nil when nothing does. Links are not followed.
    func status(of path: String) throws(RegistryError) -> FileStatus?
    /// Waits for the lock file at `path`, made if need be, and gives up at some time.
    func lock(_ path: String) throws(RegistryError) -> FileLock
    /// Locks a file or directory that is there, if nobody holds a lock that rules it out. Never waits, writes nothing.
    func tryLock(_ path: String, _ kind: FileLock.Kind) throws(RegistryError) -> LockAttempt
}

/// The real one.
///
/// Every `unsafe` below that has no comment of its own lends a path as a NUL-terminated string for one call.
package struct POSIXFileSystem: RegistryFileSystem {
    private let patience: LockPatience

    /// - Parameter patience: with locks of models that others hold.
    package init(patience: LockPatience = LockPatience()) { self.patience = patience }

    package func makeDirectory(_ path: String) throws(RegistryError) -> Bool {
        if unsafe mkdir(path, 0o777) == 0 { return true }
        guard errno == EEXIST else { throw .system(call: "mkdir", path: path, code: errno) }
        return false
    }

    package func makeNewDirectory(_ path: String) throws(RegistryError) {
        if unsafe mkdir(path, 0o777) != 0 { throw .system(call: "mkdir", path: path, code: errno) }
    }

    package func writeModel(_ path: String, _ contents: ModelContents) throws(RegistryError) {
        do throws(ModelFileError) {
            try writeModelFile(contents, to: path)
        } catch {
            throw .badModelFile(path: path, error)
        }
    }

    package func writeCodes(_ path: String, _ codes: ItemCodes, modelDigest: String) throws(RegistryError) {
        do throws(ModelFileError) {
            try codes.write(to: path, modelDigest: modelDigest)
        } catch {
            throw .badModelFile(path: path, error)
        }
    }

    package func writeNewFile(_ path: String, _ bytes: [UInt8]) throws(RegistryError) {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw .system(call: "open", path: path, code: errno) }
        defer { close(file) }
        var written = 0
        while written < bytes.count {
            // SAFETY: the range from `written` to the end is inside the array.
            let count = unsafe bytes.withUnsafeBytes { source in
                unsafe Glibc.write(file, source.baseAddress.map { unsafe $0 + written }, source.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(call: "write", path: path, code: errno) }
            written += count
        }
        guard fsync(file) == 0 else { throw .system(call: "fsync", path: path, code: errno) }
    }

    package func read(_ path: String, bytesMax: Int) throws(RegistryError) -> [UInt8]? {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .system(call: "open", path: path, code: errno)
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            // SAFETY: at most the chunk's bytes are written.
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(file, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(call: "read", path: path, code: errno) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: chunk[..<count])
            guard bytes.count <= bytesMax else { throw .system(call: "read", path: path, code: EFBIG) }
        }
    }

    package func rename(_ old: String, to new: String) throws(RegistryError) {
        if unsafe Glibc.rename(old, new) != 0 { throw .system(call: "rename", path: new, code: errno) }
    }

    package func synchronize(directory path: String) throws(RegistryError) {
        let file = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw .system(call: "open", path: path, code: errno) }
        defer { close(file) }
        // A file system without directory synchronization says EINVAL; there is nothing more to be had from it.
        if fsync(file) != 0, errno != EINVAL { throw .system(call: "fsync", path: path, code: errno) }
    }

    package func removeTree(_ path: String) throws(RegistryError) {
        if unsafe unlink(path) == 0 || errno == ENOENT { return }
        guard errno == EISDIR || errno == EPERM else { throw .system(call: "unlink", path: path, code: errno) }
        for name in try entryNames(of: path) ?? [] { try removeTree("\(path)/\(name)") }
        if unsafe rmdir(path) != 0, errno != ENOENT { throw .system(call: "rmdir", path: path, code: errno) }
    }

    package func entryNames(of path: String) throws(RegistryError) -> [String]? {
        // SAFETY: the handle is used and closed in this function only; a dirent is read before the next call.
        guard let directory = unsafe opendir(path) else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .system(call: "opendir", path: path, code: errno)
        }
        defer { unsafe _ = closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = unsafe readdir(directory) else {
                if errno != 0 { throw .system(call: "readdir", path: path, code: errno) }
                break
            }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe tuple.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    package func status(of path: String) throws(RegistryError) -> FileStatus? {
        var status = stat()
        // SAFETY: lstat fills the struct that it is given.
        guard unsafe lstat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .system(call: "stat", path: path, code: errno)
        }
        return FileStatus(status)
    }

    package func lock(_ path: String) throws(RegistryError) -> FileLock { try FileLock(creating: path, patience) }

    package func tryLock(_ path: String, _ kind: FileLock.Kind) throws(RegistryError) -> LockAttempt {
        try FileLock.attempt(path, kind)
    }
}
