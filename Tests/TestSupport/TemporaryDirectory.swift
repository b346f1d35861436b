package import Foundation
import Synchronization

/// A directory of its own for one test, removed with everything in it when the value goes away.
package final class TemporaryDirectory: Sendable {
    package let path: String

    /// - Parameter inMemory: where nothing is ever synchronized, for tests of hundreds of runs; where there is such a place.
    package init(inMemory: Bool = false) throws {
        let manager = FileManager.default
        let memory = URL(filePath: "/dev/shm")
        let hasMemory = inMemory && manager.isWritableFile(atPath: memory.path(percentEncoded: false))
        let url = (hasMemory ? memory : manager.temporaryDirectory).appending(
            path: "nextloop-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path(percentEncoded: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A directory that a whole test run shares: removed when the test process exits.
    package static func untilExit() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        let isFirst = shared.withLock { kept in
            kept.append(directory)
            return kept.count == 1
        }
        // Static values are never destroyed, so the process's end has to do it.
        if isFirst { atexit { TemporaryDirectory.shared.withLock { $0.removeAll() } } }
        return directory
    }

    private static let shared = Mutex<[TemporaryDirectory]>([])

    /// The path of `name` inside the directory.
    package func file(_ name: String) -> String { path + "/" + name }

    /// Writes `bytes` as `name` and returns its path.
    package func write(_ bytes: some DataProtocol, as name: String) throws -> String {
        try Data(bytes).write(to: URL(filePath: file(name)))
        return file(name)
    }
}
