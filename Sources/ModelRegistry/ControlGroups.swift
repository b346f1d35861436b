/// What the kernel shows of the control groups that this process is in.
///
/// In a container the path of a group may name groups that are not shown there; then the top of what is shown is the container's own.
struct ControlGroups {
    /// Of the file system that has /proc and /sys; empty for the real one.
    let root: String

    /// The directories that may limit a resource, a group before those that it lies in: each may have a limit.
    ///
    /// - Parameter controller: "memory" or "cpu", by which version 1 of the groups mounts one hierarchy each; version 2 has one for all.
    func directories(controller: Substring) -> [(directory: String, version: Int)] {
        var found: [(directory: String, version: Int)] = []
        for line in text("/proc/self/cgroup").split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            if fields[1].isEmpty {
                found += Self.directories("/sys/fs/cgroup", fields[2]).map { ($0, 2) }
            } else if fields[1].split(separator: ",").contains(controller) {
                found += Self.directories("/sys/fs/cgroup/\(controller)", fields[2]).map { ($0, 1) }
            }
        }
        return found
    }

    private static func directories(_ mount: String, _ path: Substring) -> [String] {
        let names = path.split(separator: "/").filter { $0 != ".." }
        return (0...names.count).reversed().map { mount + names.prefix($0).map { "/\($0)" }.joined() }
    }

    /// A small file; empty when it cannot be read.
    func text(_ path: String) -> String {
        let bytes = try? POSIXFileSystem().read(root + path, bytesMax: 1 << 20)
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    /// 0 to 10¹⁸ - 1 in decimal, with or without a line end; nil for anything else.
    static func number(_ text: some StringProtocol) -> Int? {
        let digits = text.hasSuffix("\n") ? text.dropLast() : text[...]
        guard (1...18).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(digits)
    }
}
