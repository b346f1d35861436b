import Glibc

/// A file of a version, held open while it is checked: whatever its name leads to later, the digest is taken of the same file that
/// is mapped.
@safe
struct HeldFile: ~Copyable {
    let descriptor: Int32
    private let path: String
    /// Which file, as it was when it was opened.
    let identity: FileIdentity

    /// - Throws: `missingFile` unless there is a regular file, which a link to one is not.
    init(_ path: String) throws(RegistryError) {
        self.path = path
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard file >= 0 else {
            switch errno {
            case ENOENT, ENOTDIR, ELOOP, ENXIO: throw .missingFile(path: path)
            case let code: throw .system(call: "open", path: path, code: code)
            }
        }
        var status = stat()
        // SAFETY: fstat fills the struct that it is given.
        if unsafe fstat(file, &status) != 0 {
            let code = errno
            close(file)
            throw .system(call: "fstat", path: path, code: code)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(file)
            throw .missingFile(path: path)
        }
        descriptor = file
        identity = FileIdentity(status)
    }

    deinit { close(descriptor) }

    /// A path that leads to this file and no other, where /proc is there to give one.
    var ownPath: String { hasOwnPath ? descriptorPath : path }

    /// Whether there is such a path. Without one a file is mapped by its name, at once.
    var hasOwnPath: Bool {
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        unsafe access(descriptorPath, R_OK) == 0
    }

    private var descriptorPath: String { "/proc/self/fd/\(descriptor)" }

    /// - Throws: `changedMeanwhile` when somebody wrote to it, linked or unlinked it since it was opened.
    func checkUnchanged() throws(RegistryError) {
        var status = stat()
        // SAFETY: fstat fills the struct that it is given.
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw .system(call: "fstat", path: path, code: errno)
        }
        guard FileIdentity(status) == identity else { throw .changedMeanwhile(path: path) }
    }
}
