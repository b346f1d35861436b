import Glibc

/// A lock (`flock`) between processes, held until the value goes away or the process dies.
@safe
package struct FileLock: ~Copyable, Sendable {
    package enum Kind: Sendable { case shared, exclusive }

    private let file: Int32
    /// Which file is locked: its name may lead to another one by now.
    package let inode: UInt64

    private init(_ file: Int32, inode: UInt64) {
        self.file = file
        self.inode = inode
    }

    /// Waits for the exclusive lock of a file that is made if need be. Who writes a model does so without it.
    init(creating path: String) throws(RegistryError) {
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
        inode = 0
        guard file >= 0 else { throw .system(call: "open", path: path, code: errno) }
        while flock(file, LOCK_EX) != 0 {
            // `file` is closed by deinit: the value is complete.
            guard errno == EINTR else { throw .system(call: "flock", path: path, code: errno) }
        }
    }

    /// See ``RegistryFileSystem/tryLock(_:_:)``.
    static func attempt(_ path: String, _ kind: Kind) throws(RegistryError) -> LockAttempt {
        // NFS grants an exclusive lock only to who may write; nothing is ever written through this descriptor.
        let mode = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        // SAFETY, here and below: the path is lent as a NUL-terminated string for the call.
        var file = kind == .exclusive ? unsafe open(path, O_RDWR | mode) : -1
        if file < 0 { file = unsafe open(path, O_RDONLY | mode) }
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return .absent }
            throw .system(call: "open", path: path, code: errno)
        }
        var status = stat()
        // SAFETY: fstat fills the struct that it is given.
        guard unsafe fstat(file, &status) == 0 else {
            let code = errno
            close(file)
            throw .system(call: "fstat", path: path, code: code)
        }
        let lock = FileLock(file, inode: UInt64(status.st_ino))
        while flock(file, (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 {
            switch errno {
            case EINTR: continue
            case EWOULDBLOCK: return .busy
            // No locks on this file system, or none for a descriptor that cannot write.
            case let code: return .unsupported(code: code)
            }
        }
        return .locked(lock)
    }

    deinit { close(file) }
}

/// What came of an attempt to lock.
package enum LockAttempt: ~Copyable, Sendable {
    case locked(FileLock)
    /// Somebody holds a lock that rules this one out.
    case busy
    /// The file system has no such locks: errno.
    case unsupported(code: Int32)
    /// There is no such file.
    case absent
}
