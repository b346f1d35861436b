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
        let groups = ControlGroups(root: root)
        var found: [AvailableMemory] = []
        if let machine = machine(groups) { found.append(machine) }
        for (directory, version) in groups.directories(controller: "memory") {
            let left =
                version == 2
                ? left(groups, directory, limit: "memory.max", usage: "memory.current", cache: "file")
                : left(
                    groups, directory, limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes",
                    cache: "total_cache")
            if let left { found.append(left) }
        }
        return found.min { $0.bytes < $1.bytes }
    }

    private static func machine(_ groups: ControlGroups) -> AvailableMemory? {
        for line in groups.text("/proc/meminfo").split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            let words = line.split(separator: " ")
            guard words.count >= 2, let kibibytes = ControlGroups.number(words[1]) else { return nil }
            return AvailableMemory(bytes: kibibytes * 1024, source: "MemAvailable of this machine")
        }
        return nil
    }

    /// What one group leaves; nil when it has no limit: "max" is no number, and version 1 says no limit by one that no machine has.
    private static func left(
        _ groups: ControlGroups, _ directory: String, limit: String, usage: String, cache: String
    ) -> AvailableMemory? {
        guard let limitBytes = ControlGroups.number(groups.text("\(directory)/\(limit)")),
            let usedBytes = ControlGroups.number(groups.text("\(directory)/\(usage)")), limitBytes < 1 << 60
        else { return nil }
        let statistics = groups.text("\(directory)/memory.stat").split(separator: "\n")
        let cached = statistics.first { $0.hasPrefix("\(cache) ") }.flatMap {
            ControlGroups.number($0.dropFirst(cache.count + 1))
        }
        return AvailableMemory(
            bytes: max(0, limitBytes - max(0, usedBytes - (cached ?? 0))), source: "\(directory)/\(limit)")
    }
}
