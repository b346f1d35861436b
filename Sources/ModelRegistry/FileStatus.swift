import Glibc

/// What a registry wants to know of an entry.
package struct FileStatus: Equatable, Sendable {
    package let isRegular: Bool
    package let isDirectory: Bool
    package let identity: FileIdentity

    package var bytes: Int { identity.bytes }

    package init(isRegular: Bool, isDirectory: Bool, identity: FileIdentity) {
        self.isRegular = isRegular
        self.isDirectory = isDirectory
        self.identity = identity
    }

    init(_ status: stat) {
        let type = status.st_mode & S_IFMT
        isRegular = type == S_IFREG
        isDirectory = type == S_IFDIR
        identity = FileIdentity(status)
    }
}

/// Which file it is and in which state: whatever writes to, cuts, renames or replaces a file changes one of these.
///
/// `changed` is the inode's own time, which no program can set: giving a file its old length and modification time back
/// shows here. Two changes within one tick of the file system's clock (about 4 ms) may look like one.
package struct FileIdentity: Hashable, Sendable {
    package var device: UInt64
    package var inode: UInt64
    package var bytes: Int
    package var modified: FileTime
    package var changed: FileTime

    package init(device: UInt64, inode: UInt64, bytes: Int, modified: FileTime, changed: FileTime) {
        self.device = device
        self.inode = inode
        self.bytes = bytes
        self.modified = modified
        self.changed = changed
    }

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        bytes = Int(status.st_size)
        modified = FileTime(seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
        changed = FileTime(seconds: status.st_ctim.tv_sec, nanoseconds: status.st_ctim.tv_nsec)
    }
}

/// A file's time, since 1970.
package struct FileTime: Hashable, Sendable {
    package var seconds: Int
    package var nanoseconds: Int

    package init(seconds: Int, nanoseconds: Int) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }
}
