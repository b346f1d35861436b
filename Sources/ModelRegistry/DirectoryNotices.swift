import FactorModel
import Glibc

/// inotify on a few directories: that something happened in one of them, not what.
@safe
struct DirectoryNotices: ~Copyable, Sendable {
    /// Readable when something happened; -1 when inotify is not to be had.
    let descriptor: Int32
    private let watchCountMax: Int
    private var watches: Set<Int32> = []
    private var problem: String?
    private var hasToldProblem = false

    init(watchCountMax: Int) {
        self.watchCountMax = watchCountMax
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        if descriptor < 0 { problem = Self.words("inotify_init1", errno) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Watches what these paths lead to now, and no longer what they led to before.
    ///
    /// Asking again for a directory that is watched changes nothing, and is how one that was replaced, even by one with the
    /// same inode number, is found. Directories that are not there are passed over.
    mutating func watch(_ directories: [String]) {
        guard descriptor >= 0 else { return }
        var present: Set<Int32> = []
        for path in directories {
            guard present.count < watchCountMax else {
                problem = "only \(watchCountMax) directories are watched: changes in others are noticed by looking only"
                break
            }
            // SAFETY: the path is lent as a NUL-terminated string for the call.
            let watch = unsafe inotify_add_watch(descriptor, path, Self.events)
            if watch >= 0 {
                present.insert(watch)
            } else if errno != ENOENT, errno != ENOTDIR {
                problem = Self.words("watch \(path)", errno)
            }
        }
        // Those that are gone have left the set by themselves; removing them fails, and that is fine.
        for watch in watches.subtracting(present) { inotify_rm_watch(descriptor, watch) }
        watches = present
    }

    /// Takes what has come in.
    func clear() {
        guard descriptor >= 0 else { return }
        var room = [UInt8](repeating: 0, count: 64 << 10)
        // SAFETY: at most the array's bytes are written.
        while unsafe room.withUnsafeMutableBytes({ unsafe read(descriptor, $0.baseAddress, $0.count) }) > 0 {}
    }

    /// Why inotify does not tell everything; nil when it does, or when this has been asked before.
    mutating func takeProblem() -> String? {
        guard let problem, !hasToldProblem else { return nil }
        hasToldProblem = true
        return problem
    }

    private static func words(_ what: String, _ code: Int32) -> String {
        let hint = code == ENOSPC ? " (raise fs.inotify.max_user_watches)" : ""
        return "cannot \(what): \(systemMessage(code))\(hint): changes are noticed by looking only"
    }

    private static let events = UInt32(
        IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE_SELF | IN_MOVE_SELF
            | IN_ONLYDIR)
}
