import FactorModel
import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("Prune") struct PruneTests {
    private let directory: TemporaryDirectory
    private let registry: Registry

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.path)
        for _ in 1...6 { _ = try registry.publishSample() }
    }

    @Test("the newest versions stay, with those an alias names and those a rollback returns to")
    func prune() throws {
        for version in [1, 3] { try registry.promote("guests", version: version, alias: "production") }
        #expect(try registry.prune("guests", keep: 2).removed == [2, 4])
        #expect(try registry.versions(of: "guests") == [1, 3, 5, 6])
        #expect(try registry.rollback("guests", alias: "production").version == 1)
        #expect(try registry.prune("guests", keep: 2).removed == [3])
        #expect(try registry.prune("guests", keep: 2).removed == [])
    }

    @Test("no number comes again after a prune")
    func numbers() throws {
        #expect(try registry.prune("guests", keep: 1).removed == [1, 2, 3, 4, 5])
        #expect(try registry.publishSample() == 7)
    }

    @Test("what may be kept is 1 to a million", arguments: [0, -1, 1_000_001])
    func bounds(keep: Int) throws {
        #expect(throws: RegistryError.badKeepCount(keep)) { _ = try registry.prune("guests", keep: keep) }
        #expect(RegistryError.badKeepCount(keep).kind == .usage)
        #expect(try registry.prune("guests", keep: 1_000_000).removed == [])
    }

    @Test("leftovers of dead publishers and prunes go; a publisher at work is left alone")
    func leftovers() throws {
        let manager = FileManager.default
        for name in [".tmp-dead", ".tmp-alive", ".trash-9"] {
            try manager.createDirectory(atPath: directory.file("guests/\(name)"), withIntermediateDirectories: false)
            _ = try directory.write(Data("x".utf8), as: "guests/\(name)/model.safetensors")
        }
        switch try POSIXFileSystem().tryLock(directory.file("guests/.tmp-alive"), .exclusive) {
        case .locked(let lock):
            _ = try registry.prune("guests", keep: 10)
            #expect(try names() == [".lock", ".tmp-alive", "1", "2", "3", "4", "5", "6", "last-version"])
            _ = consume lock
        default: Issue.record("no lock")
        }
        // The next publisher tidies up as well.
        #expect(try registry.publishSample() == 7)
        #expect(try names() == [".lock", "1", "2", "3", "4", "5", "6", "7", "last-version"])
    }

    private func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory.file("guests")).sorted()
    }

    @Test("what a process holds a lease of stays until it lets go, and the report says why each one stays")
    func leases() throws {
        try registry.promote("guests", version: 1, alias: "production")
        try registry.promote("guests", version: 2, alias: "production")
        var lease: ServingLease? = try registry.lease("guests", version: 3)
        let report = try registry.prune("guests", keep: 1)
        #expect(report.removed == [4, 5])
        #expect(
            report.kept == [
                PruneReport.Kept(version: 1, reasons: [.rollback("production")]),
                PruneReport.Kept(version: 2, reasons: [.alias("production")]),
                PruneReport.Kept(version: 3, reasons: [.inUse]), PruneReport.Kept(version: 6, reasons: [.newest]),
            ])
        #expect(lease?.version == 3)
        lease = nil
        #expect(try registry.prune("guests", keep: 1).removed == [3])
    }

    @Test("what came less than the grace ago stays", arguments: [(31_536_000, [Int]()), (0, [1, 2, 3, 4, 5])])
    func grace(seconds: Int, removed: [Int]) throws {
        let report = try registry.prune("guests", keep: 1, graceSeconds: seconds)
        #expect(report.removed == removed)
        #expect(report.kept.filter { $0.reasons == [.young] }.count == 5 - removed.count)
    }

    @Test("a grace is 0 seconds to a year", arguments: [-1, 31_536_001])
    func graceBounds(seconds: Int) throws {
        #expect(throws: RegistryError.badGrace(seconds: seconds)) {
            _ = try registry.prune("guests", keep: 1, graceSeconds: seconds)
        }
    }

    @Test("a version that is being copied stays, and does not count as one of the newest")
    func incomplete() throws {
        try FileManager.default.createDirectory(atPath: directory.file("guests/7"), withIntermediateDirectories: false)
        let report = try registry.prune("guests", keep: 1)
        #expect(report.removed == [1, 2, 3, 4, 5])
        #expect(report.kept.map(\.version) == [6, 7] && report.kept.last?.reasons == [.incomplete])
    }

    @Test("prunes, publishers and servers at the same time: nothing in use goes, every number is one of its own")
    func concurrent() async throws {
        let registry = self.registry
        try registry.promote("guests", version: 1, alias: "production")
        let lease = try registry.lease("guests", version: 2)
        let removed = try await withThrowingTaskGroup(of: [Int].self) { group in
            for _ in 0..<4 {
                group.addTask { try registry.prune("guests", keep: 1).removed }
                group.addTask {
                    _ = try registry.publishSample()
                    return []
                }
                group.addTask {
                    // Either it is there and stays there, or it is gone: never half.
                    do throws(RegistryError) {
                        let held = try registry.lease("guests", version: 5)
                        try registry.verify("guests", version: 5)
                        _ = held
                    } catch {
                        guard case .noVersion = error else { throw error }
                    }
                    return []
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(removed).count == removed.count && !removed.contains(1) && !removed.contains(2))
        let left = try registry.versions(of: "guests")
        #expect(left.starts(with: [1, 2]) && left.last == 10)
        for version in left { try registry.verify("guests", version: version) }
        _ = lease
    }

    @Test("a model that is being served survives its version")
    func mapped() throws {
        let opened = try registry.open("guests", version: 1, threads: 1)
        _ = try registry.prune("guests", keep: 1)
        #expect(opened.snapshot.user(id: "2") == UserIndex(1))
        #expect(throws: RegistryError.noVersion(1, model: "guests", known: [6])) {
            try registry.verify("guests", version: 1)
        }
    }

    @Test("a process that dies at any step of a prune leaves whole versions only")
    func crashAtEachStep() throws {
        try registry.promote("guests", version: 2, alias: "production")
        var failAt = 1
        var finished = false
        while !finished {
            let failing = FailingFileSystem(failAt: failAt)
            do throws(RegistryError) {
                _ = try Registry(path: directory.path, fileSystem: failing).prune("guests", keep: 1)
                finished = failing.callCount < failAt
            } catch {
                #expect(error.kind == .io)
            }
            let versions = try registry.versions(of: "guests")
            #expect(versions.contains(2) && versions.contains(6))
            for version in versions { try registry.verify("guests", version: version) }
            failAt += 1
        }
        #expect(try registry.versions(of: "guests") == [2, 6])
    }

    @Test("a check that loses its version to a prune, wherever it is by then, says that the version is not there")
    func lostRace() throws {
        let counting = FailingFileSystem()
        try Registry(path: directory.path, fileSystem: counting).verify("guests", version: 6)
        try #require(counting.callCount > 5)
        var lost = 0
        for call in 1...counting.callCount {
            let (kept, gone) = (directory.file("guests/6"), directory.file("guests/.trash-6"))
            let meddling = FailingFileSystem(before: call) {
                try? FileManager.default.moveItem(atPath: kept, toPath: gone)
            }
            do throws(RegistryError) {
                try Registry(path: directory.path, fileSystem: meddling).verify("guests", version: 6)
            } catch {
                #expect(error == .noVersion(6, model: "guests", known: [1, 2, 3, 4, 5]), "call \(call)")
                lost += 1
            }
            try FileManager.default.moveItem(atPath: gone, toPath: kept)
        }
        #expect(lost > 5)
    }
}
