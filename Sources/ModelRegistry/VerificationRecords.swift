import FactorModel
import Glibc

/// Remembers which files were verified, so that a restart need not read a gigabyte again to learn what it knew a minute ago.
///
/// One small file a verified file, in a directory of the server's own. A record says: the file with this device, inode,
/// length, modification and change time had this SHA-256 when a process of this account read all of it, since the machine
/// was started; of a model file and of one of codes also that every value passed the checks, which are a function of those bytes. It holds
/// for as long as all of these are the same. Why each is needed:
///
/// - change time: no program can set it, so a file that was written, cut, renamed or replaced does not match.
/// - settled: two changes within one tick of the clock can share a time, so nothing is recorded that changed within
///   `settlingSeconds` before it was read.
/// - boot: after a loss of power a file that nobody synchronized may have its times and length and not its bytes. The cache is
///   cold then anyway.
/// - kind of file system: times and inode numbers of a network or stacked file system are not this machine's.
/// - owner and mode: a record, or its directory, that another account owns or may write to says nothing.
///
/// The number behind `nextloop-verified/` rises whenever the checks of either (`ModelColumns`, `CodesColumns`) become stricter: older
/// records say nothing then.
///
/// What it takes on trust is that the disk still has what was read, and that nobody holds a writable mapping from before: as
/// every server does while it runs.
package struct VerificationRecords: Sendable {
    package let directory: String
    private let bootID: String
    private let mounts: String

    static let settlingSeconds = 2
    static let countMax = 256
    private static let localFileSystems: Set<Substring> = ["ext2", "ext3", "ext4", "xfs", "tmpfs"]

    /// - Parameter systemRoot: of the file system that has /proc.
    package init(directory: String, systemRoot: String = "") {
        self.directory = directory
        func text(_ path: String) -> String {
            String(decoding: (try? POSIXFileSystem().read(systemRoot + path, bytesMax: 1 << 20)) ?? [], as: UTF8.self)
        }
        bootID = String(text("/proc/sys/kernel/random/boot_id").prefix { $0 != "\n" })
        mounts = text("/proc/self/mountinfo")
    }

    /// What was looked at.
    enum Checked: String {
        /// The digest.
        case bytes
        /// The digest, and that every value of a model file, or of a file of codes, passes the checks of its format.
        case values
    }

    /// Whether `file`, as it is now, was found to have this digest, and was checked like that.
    func vouches(for file: FileIdentity, sha256: String, checked: Checked) -> Bool {
        guard isEligible(file), isPrivate(directory, S_IFDIR) else { return false }
        let path = self.path(of: file)
        guard isPrivate(path, S_IFREG) else { return false }
        let bytes = try? POSIXFileSystem().read(path, bytesMax: 512)
        return bytes == Array(text(file, sha256, checked).utf8)
    }

    /// Remembers a digest that was just found, and what else was checked. Failing to is no error: the next start takes longer.
    ///
    /// - Parameter readSince: the wall clock before the first byte was read, in seconds since 1970.
    func remember(_ file: FileIdentity, sha256: String, checked: Checked, readSince: Int) {
        guard isEligible(file), file.changed.seconds + Self.settlingSeconds < readSince else { return }
        // SAFETY, here and below: paths are lent as NUL-terminated strings for the call.
        unsafe _ = mkdir(directory, 0o700)
        guard isPrivate(directory, S_IFDIR) else { return }
        let system = POSIXFileSystem()
        // Those of versions that are gone are of no use to anyone, and the others come back at the next start. Nothing else is touched,
        // whatever the directory was before.
        let names = (try? system.entryNames(of: directory)) ?? []
        if names.count >= Self.countMax {
            let records = names.filter { isRecord($0, system) }
            if records.count >= Self.countMax { for name in records { unsafe _ = unlink("\(directory)/\(name)") } }
        }
        let path = path(of: file)
        let temporary = "\(path).\(getpid())"
        unsafe _ = unlink(temporary)
        let bytes = Array(text(file, sha256, checked).utf8)
        let handle = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard handle >= 0 else { return }
        let count = unsafe bytes.withUnsafeBytes { unsafe write(handle, $0.baseAddress, $0.count) }
        close(handle)
        // Not synchronized: after a loss of power it would not count.
        let isDone = unsafe count == bytes.count && rename(temporary, path) == 0
        if !isDone { unsafe _ = unlink(temporary) }
    }

    /// Whether a name in the directory is that of a record of ours, of this form or an earlier one.
    private func isRecord(_ name: String, _ system: POSIXFileSystem) -> Bool {
        let path = "\(directory)/\(name)"
        guard name.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") || isHexadecimal($0) }),
            isPrivate(path, S_IFREG), let bytes = try? system.read(path, bytesMax: 512)
        else { return false }
        return bytes.starts(with: "nextloop-verified/".utf8)
    }

    private func isHexadecimal(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// Why no record can be made or found there; nil when nothing stands against it. The directory is made if need be.
    package var problem: String? {
        unsafe _ = mkdir(directory, 0o700)
        if !isPrivate(directory, S_IFDIR) {
            return "\(directory) is not a directory that this account owns and no other may write to"
        }
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        return unsafe access(directory, W_OK) == 0 ? nil : "\(directory): \(systemMessage(errno))"
    }

    private func path(of file: FileIdentity) -> String {
        "\(directory)/\(String(file.device, radix: 16))-\(String(file.inode, radix: 16))"
    }

    /// The whole record: it is compared, never read.
    private func text(_ file: FileIdentity, _ sha256: String, _ checked: Checked) -> String {
        """
        nextloop-verified/2 boot \(bootID) device \(file.device) inode \(file.inode) bytes \(file.bytes) \
        modified \(file.modified.seconds).\(file.modified.nanoseconds) \
        changed \(file.changed.seconds).\(file.changed.nanoseconds) sha256 \(sha256) checked \(checked)\n
        """
    }

    private func isEligible(_ file: FileIdentity) -> Bool {
        guard bootID.utf8.count == 36 else { return false }
        // dev_t as glibc's major() and minor() take it apart.
        let major = (file.device >> 8) & 0xFFF | (file.device >> 32) & ~0xFFF
        let minor = file.device & 0xFF | (file.device >> 12) & 0xFFFF_FF00
        let device = "\(major):\(minor)"
        // A line: id, parent, device, root, mount point, options, optional fields, a dash, kind of file system, ...
        return mounts.split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            guard fields.count > 3, fields[2] == device, let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count
            else { return false }
            return Self.localFileSystems.contains(fields[dash + 1])
        }
    }

    /// Whether what lies at `path` is of this kind, ours, and nobody else's to write to.
    private func isPrivate(_ path: String, _ kind: mode_t) -> Bool {
        var status = stat()
        // SAFETY: lstat fills the struct that it is given.
        guard unsafe lstat(path, &status) == 0 else { return false }
        return status.st_mode & S_IFMT == kind && status.st_uid == geteuid() && status.st_mode & 0o022 == 0
    }
}
