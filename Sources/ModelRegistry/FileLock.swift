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
    ///
    /// - Throws: `lockHeld` when somebody else holds it for longer than `patience` allows.
    init(creating path: String, _ patience: LockPatience) throws(RegistryError) {
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        file = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
        inode = 0
        guard file >= 0 else { throw .system(call: "open", path: path, code: errno) }
        let began = ContinuousClock.now
        var hasTold = false
        // `file` is closed by deinit: the value is complete.
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            if errno == EINTR { continue }
            guard errno == EWOULDBLOCK else { throw .system(call: "flock", path: path, code: errno) }
            let waited = ContinuousClock.now - began
            guard waited < patience.giveUpAfter else {
                throw .lockHeld(path: path, holder: Self.holder(of: file), seconds: Int(waited / .seconds(1)))
            }
            if waited >= patience.tellAfter, !hasTold {
                hasTold = true
                patience.tell(LockWait(path: path, holder: Self.holder(of: file), patience: patience.giveUpAfter))
            }
            // Holders are done in milliseconds; whoever is not (a rollback verifies) need not be asked that often.
            usleep(waited < .milliseconds(100) ? 1000 : 10_000)
        }
    }

    /// The process that holds a lock of the file, as the kernel lists it; nil where it does not, as on a network file system or
    /// across containers.
    private static func holder(of file: Int32) -> Int32? {
        var status = stat()
        // SAFETY: fstat fills the struct that it is given.
        guard unsafe fstat(file, &status) == 0,
            let bytes = try? POSIXFileSystem().read("/proc/locks", bytesMax: 1 << 20)
        else { return nil }
        // "1: FLOCK  ADVISORY  WRITE 4711 fd:01:131082 0 EOF"; who waits has "->" behind the number.
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 5, words[1] == "FLOCK", words[5].hasSuffix(":\(status.st_ino)") else { continue }
            let device = words[5].split(separator: ":").prefix(2).map { Int($0, radix: 16) }
            guard device == [major(status.st_dev), minor(status.st_dev)],
                let process = Int32(words[4]), process > 0
            else { continue }
            return process
        }
        return nil
    }

    /// The two parts of a device's number, as glibc's gnu_dev_major and gnu_dev_minor take it apart: macros that Swift does not see.
    private static func major(_ device: dev_t) -> Int {
        Int(device >> 8) & 0xFFF | Int(truncatingIfNeeded: device >> 32) & ~0xFFF
    }

    private static func minor(_ device: dev_t) -> Int {
        Int(device & 0xFF) | Int(truncatingIfNeeded: device >> 12) & 0xFFFF_FF00
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

/// How long to wait for a lock that others hold.
package struct LockPatience: Sendable {
    package var tellAfter: Duration
    package var giveUpAfter: Duration
    /// Told once, when the wait has become long.
    package var tell: @Sendable (LockWait) -> Void

    /// Holders take milliseconds, but for a rollback, which reads the whole version that it returns to.
    package init(
        tellAfter: Duration = .seconds(2), giveUpAfter: Duration = .seconds(60),
        tell: @escaping @Sendable (LockWait) -> Void = { _ in }
    ) {
        self.tellAfter = tellAfter
        self.giveUpAfter = giveUpAfter
        self.tell = tell
    }
}

/// A wait that has become long, in words for an operator.
package struct LockWait: Sendable, CustomStringConvertible {
    package let path: String
    /// The process that holds the lock; nil when the kernel does not tell.
    package let holder: Int32?
    let patience: Duration

    package var description: String {
        "waiting for \(path), which \(Self.words(holder)) holds; giving up after \(Int(patience / .seconds(1))) s"
    }

    static func words(_ holder: Int32?) -> String { holder.map { "process \($0)" } ?? "another process" }
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
