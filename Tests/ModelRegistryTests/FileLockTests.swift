import Foundation
import Synchronization
import TestSupport
import Testing

@testable import ModelRegistry

@Suite("Waiting for a lock") struct FileLockTests {
    private let directory: TemporaryDirectory
    private let told = Told()

    private final class Told: Sendable {
        let waits = Mutex<[LockWait]>([])
    }

    init() throws { directory = try TemporaryDirectory() }

    private func registry(tellAfter: Duration, giveUpAfter: Duration) -> Registry {
        let told = told
        let patience = LockPatience(tellAfter: tellAfter, giveUpAfter: giveUpAfter) { wait in
            told.waits.withLock { $0.append(wait) }
        }
        return Registry(path: directory.path, fileSystem: POSIXFileSystem(patience: patience))
    }

    @Test(
        "a lock that is not let go of is told once, and then every command gives up, changes nothing and says what to do"
    )
    func givesUp() throws {
        let free = Registry(path: directory.path)
        for _ in 1...2 { _ = try free.publishSample() }
        try free.promote("guests", version: 1, alias: "production")
        try free.promote("guests", version: 2, alias: "production")
        let path = directory.file("guests/.lock")
        let lock = try POSIXFileSystem().lock(path)
        let waiting = registry(tellAfter: .milliseconds(1), giveUpAfter: .milliseconds(50))
        let before = try FileManager.default.contentsOfDirectory(atPath: directory.file("guests")).sorted()
        let works: [() throws -> Void] = [
            { try waiting.promote("guests", version: 1, alias: "production") },
            { _ = try waiting.rollback("guests", alias: "production") },
            { _ = try waiting.prune("guests", keep: 1) }, { _ = try waiting.publishSample() },
        ]
        for (place, work) in works.enumerated() {
            let error = try #require(throws: RegistryError.self) { try work() }
            guard case .lockHeld(path, let holder, _) = error else {
                Issue.record("\(error)")
                continue
            }
            // Where the kernel lists it, it is this process.
            #expect(holder == nil || holder == getpid())
            #expect(error.kind == .io)
            #expect("\(error)".contains("try again"))
            #expect(told.waits.withLock { $0.count } == place + 1)
        }
        #expect(told.waits.withLock { $0.allSatisfy { "\($0)".contains("waiting for \(path)") } })
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.file("guests")).sorted() == before)
        #expect(try free.aliases(of: "guests") == ["production": 2])
        _ = consume lock
        try waiting.promote("guests", version: 1, alias: "production")
    }
}
