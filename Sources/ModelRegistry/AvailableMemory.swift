import FactorModel

/// How much memory a process could still take, and who says so.
struct AvailableMemory: Equatable, Sendable {
    let bytes: Int
    /// Words for an error: "MemAvailable of this machine".
    let source: String

    /// The least of what the kernel says is available on the machine and what each control group that this process is in has
    /// left; nil when neither can be read.
    ///
    /// Page cache counts as available, as the kernel counts it in MemAvailable: a model that is in the cache already takes
    /// nothing more by being mapped.
    ///
    /// - Parameter root: of the file system that has /proc and /sys.
    static func now(root: String = "") -> AvailableMemory? {
        var found: [AvailableMemory] = []
        if let machine = machine(root) { found.append(machine) }
        for line in text(root, "/proc/self/cgroup").split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[1].isEmpty {
                found += groups(
                    root, "/sys/fs/cgroup", String(fields[2]), limit: "memory.max", usage: "memory.current",
                    cache: "file")
            } else if fields[1].split(separator: ",").contains("memory") {
                found += groups(
                    root, "/sys/fs/cgroup/memory", String(fields[2]), limit: "memory.limit_in_bytes",
                    usage: "memory.usage_in_bytes", cache: "total_cache")
            }
        }
        return found.min { $0.bytes < $1.bytes }
    }

    private static func machine(_ root: String) -> AvailableMemory? {
        for line in text(root, "/proc/meminfo").split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            let words = line.split(separator: " ")
            guard words.count >= 2, let kibibytes = number(words[1]) else { return nil }
            return AvailableMemory(bytes: kibibytes * 1024, source: "MemAvailable of this machine")
        }
        return nil
    }

    /// A group and those it lies in: each may have a limit. In a container the path may name groups that are not shown
    /// here; then the top of what is shown is the container's own.
    private static func groups(
        _ root: String, _ mount: String, _ path: String, limit: String, usage: String, cache: String
    ) -> [AvailableMemory] {
        var found: [AvailableMemory] = []
        var names = path.split(separator: "/").filter { $0 != ".." }
        while true {
            let directory = mount + names.map { "/\($0)" }.joined()
            // "max" is no number; version 1 says no limit by one that no machine has.
            if let limitBytes = number(text(root, "\(directory)/\(limit)")),
                let usedBytes = number(text(root, "\(directory)/\(usage)")), limitBytes < 1 << 60
            {
                let statistics = text(root, "\(directory)/memory.stat").split(separator: "\n")
                let cached = statistics.first { $0.hasPrefix("\(cache) ") }.flatMap {
                    number($0.dropFirst(cache.count + 1))
                }
                found.append(
                    AvailableMemory(
                        bytes: max(0, limitBytes - max(0, usedBytes - (cached ?? 0))), source: "\(directory)/\(limit)"))
            }
            if names.isEmpty { return found }
            names.removeLast()
        }
    }

    private static func text(_ root: String, _ path: String) -> String {
        let bytes = try? POSIXFileSystem().read(root + path, bytesMax: 1 << 20)
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    private static func number(_ text: some StringProtocol) -> Int? {
        let digits = text.hasSuffix("\n") ? text.dropLast() : text[...]
        guard (1...18).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(digits)
    }
}
