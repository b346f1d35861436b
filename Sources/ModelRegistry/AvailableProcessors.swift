import CLinux
import Glibc

/// How many processors this process may keep busy: the threads that a command takes unless it is told.
package enum AvailableProcessors {
    /// The most that `--threads` takes.
    package static let countMax = 256

    /// At least 1 and at most ``countMax``: the CPUs that the process may run on, and no more than the time that its control groups give it
    /// is worth. A thread beyond that only waits for the others to be put aside.
    package static func count() -> Int { count(root: "", allowed: allowed()) }

    /// - Parameters:
    ///   - root: of the file system that has /proc and /sys.
    ///   - allowed: CPUs that the scheduler may use for the process.
    static func count(root: String, allowed: Int) -> Int {
        let groups = ControlGroups(root: root)
        let quotas = groups.directories(controller: "cpu").compactMap { directory, version in
            version == 2 ? quota(groups.text("\(directory)/cpu.max")) : nil
        }
        return max(1, min(countMax, allowed, quotas.min() ?? countMax))
    }

    /// What `cpu.max` of version 2 of the control groups says, microseconds of every period: `150000 100000` is one and a half processors
    /// and so 2 threads, `max 100000` no limit.
    ///
    /// - Returns: nil without a limit, and of what is no such text.
    private static func quota(_ text: String) -> Int? {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let quota = ControlGroups.number(words[0]), let period = ControlGroups.number(words[1]),
            period > 0
        else { return nil }
        return (quota + period - 1) / period
    }

    /// The CPUs of the affinity mask, which `taskset`, systemd's CPUAffinity= and a cpuset cut down; those that are online where the kernel
    /// does not say.
    private static func allowed() -> Int {
        let count = Int(clinux_allowed_cpus())
        return count > 0 ? count : sysconf(Int32(_SC_NPROCESSORS_ONLN))
    }
}
