import Foundation
import TestSupport
import Testing

@testable import ModelRegistry

@Suite("Available processors") struct AvailableProcessorsTests {
    private let directory: TemporaryDirectory

    /// A root with what the kernel shows under /proc and /sys.
    init() throws { directory = try TemporaryDirectory() }

    private func write(_ text: String, _ path: String) throws {
        let url = URL(filePath: directory.file(path))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    private func count(allowed: Int = 64) -> Int { AvailableProcessors.count(root: directory.path, allowed: allowed) }

    @Test(
        "without control groups the allowed CPUs count, from 1 to 256",
        arguments: [(0, 1), (1, 1), (2, 2), (255, 255), (256, 256), (257, 256), (4096, 256)])
    func bounds(allowed: Int, wanted: Int) {
        #expect(count(allowed: allowed) == wanted)
    }

    @Test(
        "a quota of CPU time counts in whole processors, rounded up, and what is no quota is none",
        arguments: [
            ("max 100000\n", 64), ("100000 100000\n", 1), ("100001 100000\n", 2), ("150000 100000\n", 2),
            ("200000 100000\n", 2), ("1000 100000\n", 1), ("0 100000\n", 1), ("6300000 100000\n", 63),
            ("6400001 100000\n", 64), ("", 64), ("\n", 64), ("100000\n", 64), ("100000 0\n", 64), ("-1 100000\n", 64),
            ("1 2 3\n", 64), ("999999999999999999 1\n", 64), ("1 999999999999999999\n", 1),
        ])
    func quota(text: String, wanted: Int) throws {
        try write("0::/\n", "proc/self/cgroup")
        try write(text, "sys/fs/cgroup/cpu.max")
        #expect(count() == wanted)
    }

    @Test("the least of the process's own group and those it lies in counts; groups that are not shown have none")
    func nested() throws {
        try write("0::/system.slice/nextloop.service\n", "proc/self/cgroup")
        #expect(count() == 64)
        try write("max 100000\n", "sys/fs/cgroup/system.slice/cpu.max")
        try write("800000 100000\n", "sys/fs/cgroup/system.slice/nextloop.service/cpu.max")
        #expect(count() == 8)
        try write("300000 100000\n", "sys/fs/cgroup/system.slice/cpu.max")
        #expect(count() == 3)
        #expect(count(allowed: 2) == 2)
        // Somebody else's.
        try write("100000 100000\n", "sys/fs/cgroup/user.slice/cpu.max")
        #expect(count() == 3)
    }

    @Test("on this machine it is a number that --threads takes") func here() {
        #expect((1...256).contains(AvailableProcessors.count()))
        #expect(AvailableProcessors.count() <= max(1, ProcessInfo.processInfo.processorCount))
    }
}
