import FactorModel
import Foundation
import Glibc
import ModelRegistry
import TestSupport
import Testing

/// Power is lost after every step of every command, and what was not synchronized is there or not in every combination
/// (`SimulatedDisk`). Each time the registry must be as before or as after, and the next commands must work.
@Suite("Power loss") struct PowerLossTests {
    /// What users see of a registry.
    private struct View: Hashable {
        var versions: [Int] = []
        var aliases: [String: Int] = [:]
        var unavailable: String?
    }

    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory(inMemory: true) }

    /// What a registry shows; every version that it shows must be whole.
    private func look(_ registry: Registry) throws -> View {
        do throws(RegistryError) {
            let view = View(
                versions: try registry.versions(of: "guests"), aliases: try registry.aliases(of: "guests"),
                unavailable: try registry.unavailableBytes(of: "guests").map { String(decoding: $0, as: UTF8.self) })
            for version in view.versions { try registry.verify("guests", version: version) }
            _ = try registry.aliasHistory(of: "guests")
            return view
        } catch {
            guard error.kind == .missing else { throw error }
            return View()
        }
    }

    /// Loses power everywhere in `command`.
    ///
    /// - Parameters:
    ///   - before: makes the registry that the command finds.
    ///   - wanted: what may be seen afterwards; all of it must be seen at least once, the last alone once the command has ended.
    private func losePower(
        before: (Registry) throws -> Void, in command: (Registry) throws -> Void, wanted: [View]
    ) throws {
        let base = directory.file("disk")
        try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
        try before(Registry(path: "\(base)/models"))
        let disk = try SimulatedDisk(base: base)
        try command(Registry(path: "\(base)/models", fileSystem: disk))
        let steps = disk.steps
        var trees: Set<Disk.Tree> = []
        var seen: Set<View> = []
        for (step, disk) in steps.enumerated() {
            for tree in disk.treesAfterPowerLoss() where step == steps.count - 1 || trees.insert(tree).inserted {
                let root = directory.file("after")
                defer { try? FileManager.default.removeItem(atPath: root) }
                try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
                try SimulatedDisk.write(tree, to: root)
                let registry = Registry(path: "\(root)/models")
                let view = try look(registry)
                #expect(wanted.contains(view), "step \(step): \(tree.keys.sorted())")
                if step == steps.count - 1 { #expect(view == wanted.last, "what a command has done is durable") }
                seen.insert(view)
                try useAgain(registry, view, step)
            }
        }
        #expect(seen == Set(wanted))
        #expect(steps.count > 5 && trees.count > 4, "\(steps.count) steps, \(trees.count) trees")
    }

    /// The next commands work, no number comes twice, and what was left is gone.
    private func useAgain(_ registry: Registry, _ view: View, _ step: Int) throws {
        let next = try registry.publishSample(seed: 9, promote: "production")
        #expect(next > (view.versions.last ?? 0), "step \(step)")
        if let production = view.aliases["production"] {
            #expect(try registry.rollback("guests", alias: "production").version == production, "step \(step)")
            try registry.promote("guests", version: next, alias: "production")
        }
        try registry.updateUnavailable(of: "guests") { _ in Array("{}".utf8) }
        _ = try registry.prune("guests", keep: 100)
        let names = try FileManager.default.contentsOfDirectory(atPath: "\(registry.path)/guests").filter {
            Int($0) == nil
        }
        #expect(
            names.sorted() == [
                ".lock", ".unavailable.lock", "aliases.json", "aliases.log", "last-version", "unavailable.json",
            ],
            "step \(step)")
    }

    @Test("publishing the first version of a registry that is not there")
    func firstPublish() throws {
        try losePower(
            before: { _ in }, in: { _ = try $0.publishSample() }, wanted: [View(), View(versions: [1])])
    }

    @Test("publishing and promoting the next version")
    func publish() throws {
        try losePower(
            before: { _ = try $0.publishSample(promote: "production") },
            in: { _ = try $0.publishSample(seed: 2, promote: "production") },
            wanted: [
                View(versions: [1], aliases: ["production": 1]), View(versions: [1, 2], aliases: ["production": 1]),
                View(versions: [1, 2], aliases: ["production": 2]),
            ])
    }

    @Test("promoting")
    func promote() throws {
        try losePower(
            before: {
                _ = try $0.publishSample(promote: "production")
                _ = try $0.publishSample()
            },
            in: { try $0.promote("guests", version: 2, alias: "production") },
            wanted: [
                View(versions: [1, 2], aliases: ["production": 1]), View(versions: [1, 2], aliases: ["production": 2]),
            ])
    }

    @Test("rolling back")
    func rollback() throws {
        try losePower(
            before: { for seed in 1...3 { _ = try $0.publishSample(seed: Float(seed), promote: "production") } },
            in: { _ = try $0.rollback("guests", alias: "production") },
            wanted: [
                View(versions: [1, 2, 3], aliases: ["production": 3]),
                View(versions: [1, 2, 3], aliases: ["production": 2]),
            ])
    }

    @Test("pruning, which may have removed some of what it was to remove")
    func prune() throws {
        let production = ["production": 2]
        try losePower(
            before: {
                for version in 1...4 {
                    _ = try $0.publishSample(seed: Float(version), promote: version == 2 ? "production" : nil)
                }
                // A publisher that died.
                try FileManager.default.createDirectory(
                    atPath: "\($0.path)/guests/.tmp-dead", withIntermediateDirectories: false)
            },
            in: { _ = try $0.prune("guests", keep: 1) },
            wanted: [
                View(versions: [1, 2, 3, 4], aliases: production), View(versions: [2, 3, 4], aliases: production),
                View(versions: [1, 2, 4], aliases: production), View(versions: [2, 4], aliases: production),
            ])
    }

    @Test("marking items unavailable")
    func unavailable() throws {
        let production = ["production": 1]
        try losePower(
            before: {
                _ = try $0.publishSample(promote: "production")
                try $0.updateUnavailable(of: "guests") { _ in Array("old".utf8) }
            },
            in: { try $0.updateUnavailable(of: "guests") { old in Array("new".utf8) + (old ?? []) } },
            wanted: [
                View(versions: [1], aliases: production, unavailable: "old"),
                View(versions: [1], aliases: production, unavailable: "newold"),
            ])
    }

    @Test(
        "a change of an item that is repeated after it could not be synchronized is durable when it is said to be",
        arguments: [true, false])
    func repeated(_ isMark: Bool) throws {
        let base = directory.file("disk")
        try FileManager.default.createDirectory(atPath: base, withIntermediateDirectories: true)
        let noon = Date(timeIntervalSince1970: 1_800_000_000)
        let item = UnavailableItem(itemID: "310", since: noon)
        let before = Registry(path: "\(base)/models")
        _ = try before.publishSample(promote: "production")
        _ = try before.mark(UnavailableItem(itemID: "7", since: noon), unavailableIn: "guests")
        if !isMark { _ = try before.mark(item, unavailableIn: "guests") }
        let disk = try SimulatedDisk(base: base)
        let registry = Registry(path: before.path, fileSystem: disk)
        let change = {
            if isMark { return try registry.mark(item, unavailableIn: "guests").count == 2 }
            return try registry.unmark(itemID: "310", hotelID: nil, unavailableIn: "guests", at: noon) == nil
        }
        disk.failSynchronizing(count: 1)
        #expect(throws: RegistryError.system(call: "fsync", path: "\(registry.path)/guests", code: EIO)) {
            _ = try change()
        }
        #expect(try change())
        let trees = try #require(disk.steps.last).treesAfterPowerLoss()
        for tree in trees {
            let bytes = try #require(tree["models/guests/unavailable.json"] ?? nil)
            let left = try registry.unavailableItems(bytes, of: "guests").map(\.itemID)
            #expect(left == (isMark ? ["7", "310"] : ["7"]))
        }
    }
}
