import FactorModel
import Foundation
import TestSupport
import Testing

@testable import ModelRegistry

@Suite("Available memory") struct AvailableMemoryTests {
    private let directory: TemporaryDirectory
    private let registry: Registry

    /// A root with what the kernel shows under /proc and /sys.
    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.file("models"))
    }

    private func write(_ text: String, _ path: String) throws {
        let url = URL(filePath: directory.file(path))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    private func available() -> AvailableMemory? { AvailableMemory.now(root: directory.path) }

    @Test("the machine's own word counts when no group has a limit, and nothing when there is none")
    func machine() throws {
        #expect(available() == nil)
        try write("MemTotal:  9000 kB\nMemAvailable:    4000 kB\n", "proc/meminfo")
        #expect(available()?.bytes == 4_096_000)
        try write("0::/a/b\n", "proc/self/cgroup")
        try write("max\n", "sys/fs/cgroup/a/memory.max")
        try write("100\n", "sys/fs/cgroup/a/memory.current")
        #expect(available()?.source == "MemAvailable of this machine")
    }

    @Test("the tightest of the groups above counts; page cache is not in the way")
    func versionTwo() throws {
        try write("MemAvailable:    4000 kB\n", "proc/meminfo")
        try write("0::/a/b\n", "proc/self/cgroup")
        for (path, limit, used, cached) in [("a", 1000, 900, 300), ("a/b", 2000, 100, 0)] {
            try write("\(limit)\n", "sys/fs/cgroup/\(path)/memory.max")
            try write("\(used)\n", "sys/fs/cgroup/\(path)/memory.current")
            try write("anon 5\nfile \(cached)\nfile_mapped 7\n", "sys/fs/cgroup/\(path)/memory.stat")
        }
        #expect(available() == AvailableMemory(bytes: 400, source: "/sys/fs/cgroup/a/memory.max"))
    }

    @Test("version 1 of the groups is read too, and its no limit is none")
    func versionOne() throws {
        try write("5:cpu:/x\n4:memory:/outside/this\n", "proc/self/cgroup")
        try write("9223372036854771712\n", "sys/fs/cgroup/memory/outside/this/memory.limit_in_bytes")
        try write("10\n", "sys/fs/cgroup/memory/outside/this/memory.usage_in_bytes")
        #expect(available() == nil)
        try write("1000\n", "sys/fs/cgroup/memory/memory.limit_in_bytes")
        try write("2000\n", "sys/fs/cgroup/memory/memory.usage_in_bytes")
        #expect(available()?.bytes == 0)
    }

    @Test(
        "a version that does not fit is refused with the numbers; one that just fits is opened",
        arguments: [false, true])
    func refusal(hasCodes: Bool) throws {
        _ = try registry.publishSample()
        // 4 items, 2 factors: 8 · 2² on top of the files, and (2 / 2 + 12) · 4 when the codes have to be made.
        func bytes(_ name: String) throws -> Int {
            try Data(contentsOf: URL(filePath: directory.file("models/guests/1/\(name)"))).count
        }
        let codesBytes = try bytes("codes.safetensors")
        if !hasCodes { try removeCodes() }
        let needed = try bytes("model.safetensors") + (hasCodes ? codesBytes + 32 : 84)
        var options = OpenOptions(memoryBytesMax: needed + 1000, memoryBytesInUse: 1000)
        #expect(try registry.open("guests", version: 1, options: options).snapshot.itemCount == 4)
        options.memoryBytesInUse = 1001
        let error = try #require(throws: RegistryError.self) {
            _ = try registry.open("guests", version: 1, options: options)
        }
        #expect(
            error
                == .notEnoughMemory(
                    path: directory.file("models/guests/1"), needed: needed, inUse: 1001, available: needed + 1000,
                    source: "the limit set"))
        #expect("\(error)".contains("\(needed)") && error.kind == .io)

        try write("MemAvailable: 1 kB\n", "proc/meminfo")
        options = OpenOptions()
        options.systemRoot = directory.path
        #expect(throws: RegistryError.self) { _ = try registry.open("guests", version: 1, options: options) }
        try write("MemAvailable: 1000 kB\n", "proc/meminfo")
        #expect(try registry.open("guests", version: 1, options: options).snapshot.itemCount == 4)
    }

    /// As published by a program from before codes were.
    private func removeCodes() throws {
        try FileManager.default.removeItem(atPath: directory.file("models/guests/1/codes.safetensors"))
        var manifest = try registry.manifest(of: "guests", version: 1).manifest
        manifest.files.removeAll { $0.name == "codes.safetensors" }
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        try encoder.encode(manifest).write(to: URL(filePath: directory.file("models/guests/1/manifest.json")))
    }

    @Test("a manifest that claims more than there can be is refused, not a trap")
    func absurdShapes() throws {
        _ = try registry.publishSample()
        let file = directory.file("models/guests/1/manifest.json")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        for number in ["9223372036854775807", "-1"] {
            try Data(text.replacing("\"items\" : 4", with: "\"items\" : \(number)").utf8).write(to: URL(filePath: file))
            #expect(throws: RegistryError.self) { try registry.verify("guests", version: 1) }
        }
    }
}
