import Foundation
import TestSupport
import Testing

/// Goal: a server may follow its alias for months: what one version needs goes back to the system when another takes its place. Method: swaps of a
/// model whose codes and tables are some megabytes, and the kernel's figure of what the process alone has in memory.
@Suite("Memory after reloads") struct ReloadMemoryTests {
    private static let (items, factors, users) = (100_000, 64, 100)

    /// An array in NumPy's format, version 1.0: a header padded to 64 bytes, and the values.
    private static func matrix(rows: Int) -> Data {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(rows), \(factors)), }"
        let header = text + String(repeating: " ", count: 128 - 10 - text.utf8.count - 1) + "\n"
        let values = (0..<UInt32(rows * factors)).map { Float(($0 &* 2_654_435_761) >> 16) / 65536 - 0.5 }
        var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0])
        data.append(contentsOf: header.utf8)
        // SAFETY: copies the bytes that it is lent.
        unsafe values.withUnsafeBytes { unsafe data.append(contentsOf: $0) }
        return data
    }

    private func anonymousBytes(_ server: RunningServer) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(server.processIdentifier)/status", encoding: .utf8)
        let match = try #require(status.firstMatch(of: /RssAnon:\s+([0-9]+) kB/))
        return try #require(Int(match.1)) * 1024
    }

    @Test("twenty reloads leave no more in memory than two") func swaps() throws {
        let directory = try TemporaryDirectory()
        for (name, rows) in [("user", Self.users), ("item", Self.items)] {
            _ = try directory.write(Self.matrix(rows: rows), as: "\(name).npy")
            let ids = (0..<rows).map { "\($0)\n" }.joined()
            _ = try directory.write(Data(ids.utf8), as: "\(name)s.txt")
        }
        let registry = directory.file("models")
        for _ in 1...2 {
            let run = try BuiltBinary.run([
                "import", "--registry", registry, "--model", "m", "--promote", "production",
                "--user-factors", directory.file("user.npy"), "--item-factors", directory.file("item.npy"),
                "--user-ids", directory.file("users.txt"), "--item-ids", directory.file("items.txt"),
            ])
            try #require(run.exitCode == 0, "\(run.errors)")
        }
        let server = try RunningServer([
            "--registry", registry, "--model", "m", "--threads", "1", "--poll-seconds", "0.1",
        ])
        var afterTwo = 0
        for swap in 1...20 {
            let version = 1 + (swap + 1) % 2
            let file = URL(filePath: "\(registry)/m/aliases.json")
            try Data("{\"production\":\(version)}\n".utf8).write(to: file, options: .atomic)
            try wait(for: version, server)
            if swap == 2 { afterTwo = try anonymousBytes(server) }
        }
        // The version before may not be unmapped yet when the new one answers: its share comes and goes.
        var grown = 0
        for _ in 0..<100 {
            grown = try anonymousBytes(server) - afterTwo
            if grown < 2 << 20 { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        Issue.record("\(grown) bytes more after twenty reloads than after two; wanted less than 2 MiB")
    }

    private func wait(for version: Int, _ server: RunningServer) throws {
        for _ in 0..<3000 {
            if try server.get("/recommend?user_id=1").headers["x-model-version"] == String(version) { return }
            Thread.sleep(forTimeInterval: 0.01)
        }
        Issue.record("version \(version) never answered: \(server.errors)")
    }
}
