import Foundation
import ModelRegistry
import Synchronization
import TestSupport
import Testing

/// A watch, and a thread that waits for it until `end()`.
private final class Watcher: Sendable {
    let watch: RegistryWatch
    private let wakeups = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    private let notes: Notes

    private final class Notes: Sendable {
        let texts = Mutex<[String]>([])
    }

    /// - Parameters:
    ///   - byEventsOnly: an interval of an hour, so that only inotify can wake it.
    ///   - beforeWaiting: done when the watch is made and before anybody waits for it.
    init(
        _ registry: Registry, byEventsOnly: Bool = false, watchCountMax: Int = 1024,
        beforeWaiting: () -> Void = {}
    ) {
        let notes = Notes()
        self.notes = notes
        watch = RegistryWatch(
            registry, models: ["guests"], interval: byEventsOnly ? .seconds(3600) : .milliseconds(20),
            watchCountMax: watchCountMax, note: { note in notes.texts.withLock { $0.append(note) } })
        beforeWaiting()
        let (watch, wakeups, ended) = (watch, wakeups, ended)
        Thread {
            while watch.wait() { wakeups.signal() }
            ended.signal()
        }.start()
    }

    var told: [String] { notes.texts.withLock { $0 } }

    /// Whether it wakes; the time is for a machine that is busy.
    func wakes() -> Bool { wakeups.wait(timeout: .now() + 10) == .success }

    /// Takes wake-ups until none has come for a third of a second; how many came.
    func settle() -> Int {
        var count = 0
        while wakeups.wait(timeout: .now() + 0.3) == .success { count += 1 }
        return count
    }

    /// Whether the waiting thread ends.
    func end() -> Bool {
        watch.cancel()
        return ended.wait(timeout: .now() + 10) == .success
    }
}

@Suite("Registry watch") struct RegistryWatchTests {
    @Test("each look that finds nothing new is told, so that a watcher that lives can be told from one that does not")
    func unchanged() throws {
        let looks = DispatchSemaphore(value: 0)
        let watch = RegistryWatch(
            registry, models: ["guests"], interval: .milliseconds(10), unchanged: { looks.signal() })
        let ended = DispatchSemaphore(value: 0)
        Thread {
            while watch.wait() {}
            ended.signal()
        }.start()
        for _ in 0..<3 { #expect(looks.wait(timeout: .now() + 30) == .success) }
        watch.cancel()
        #expect(ended.wait(timeout: .now() + 30) == .success)
    }

    private let directory: TemporaryDirectory
    private let registry: Registry
    private let manager = FileManager.default

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.file("models"))
    }

    @Test("a promotion, a new version and a prune wake it, by events or by looking", arguments: [true, false])
    func changes(byEventsOnly: Bool) throws {
        _ = try registry.publishSample()
        let watcher = Watcher(registry, byEventsOnly: byEventsOnly)
        _ = try registry.publishSample()
        #expect(watcher.wakes())
        _ = watcher.settle()
        try registry.promote("guests", version: 1, alias: "production")
        #expect(watcher.wakes())
        _ = watcher.settle()
        _ = try registry.publishSample()
        _ = watcher.settle()
        _ = try registry.prune("guests", keep: 1)
        #expect(watcher.wakes())
        #expect(watcher.told == [])
        #expect(watcher.end())
    }

    @Test("a mark of force wakes it; unavailable items, locks, logs, publishers at work and other models do not")
    func onlyWhatMatters() throws {
        _ = try registry.publishSample()
        let watcher = Watcher(registry)
        try manager.createDirectory(
            atPath: directory.file("models/guests/.tmp-x"), withIntermediateDirectories: false)
        _ = try directory.write(Data("x".utf8), as: "models/guests/.tmp-x/model.safetensors")
        _ = try directory.write(Data("{}\n".utf8), as: "models/guests/aliases.log")
        _ = try registry.publish(model: "others", contents: sampleContents(), manifest: sampleDraft(), promote: "a")
        let lease = try registry.lease("guests", version: 1)
        _ = try directory.write(Data("{}".utf8), as: "models/guests/unavailable.json")
        #expect(watcher.settle() == 0)
        _ = try directory.write(Data("{}".utf8), as: "models/guests/forced.json")
        #expect(watcher.wakes())
        #expect(watcher.end())
        _ = lease
    }

    @Test("a registry that is absent, made, removed, replaced by a rename is followed", arguments: [true, false])
    func registryComesAndGoes(byEventsOnly: Bool) throws {
        // What has no directory to watch yet is found by looking; then events must work again.
        let looking = Watcher(registry)
        _ = try registry.publishSample()
        #expect(looking.wakes())
        _ = looking.settle()
        try manager.removeItem(atPath: registry.path)
        #expect(looking.wakes())
        _ = looking.settle()
        _ = try registry.publishSample(seed: 2)
        #expect(looking.wakes())
        #expect(looking.end())

        let watcher = Watcher(registry, byEventsOnly: byEventsOnly)
        let other = Registry(path: directory.file("other"))
        _ = try other.publishSample()
        _ = try other.publishSample()
        try manager.moveItem(atPath: registry.path, toPath: directory.file("old"))
        #expect(watcher.wakes())
        _ = watcher.settle()
        try manager.moveItem(atPath: other.path, toPath: registry.path)
        if byEventsOnly { watcher.watch.wake() }
        #expect(watcher.wakes())
        _ = watcher.settle()
        // The new directory is watched, the old one is not.
        _ = try Registry(path: directory.file("old")).publishSample()
        #expect(watcher.settle() == 0)
        try registry.promote("guests", version: 2, alias: "production")
        #expect(watcher.wakes())
        #expect(watcher.end())
    }

    @Test("a version that is being copied wakes it with every step")
    func slowCopy() throws {
        _ = try registry.publishSample()
        let watcher = Watcher(registry)
        try manager.createDirectory(atPath: directory.file("models/guests/2"), withIntermediateDirectories: false)
        #expect(watcher.wakes())
        for text in ["", "{", "{}"] {
            _ = watcher.settle()
            _ = try directory.write(Data(text.utf8), as: "models/guests/2/manifest.json")
            #expect(watcher.wakes())
        }
        #expect(watcher.end())
    }

    @Test("many changes before anybody looks wake it once")
    func coalesced() throws {
        _ = try registry.publishSample()
        let watcher = Watcher(registry, byEventsOnly: true) {
            for value in 0..<200 {
                _ = try? directory.write(Data("\(value)".utf8), as: "models/guests/forced.json")
            }
        }
        #expect(watcher.settle() == 1)
        #expect(watcher.end())
    }

    @Test("when inotify has no watch left it looks, and says so once")
    func noWatches() throws {
        _ = try registry.publishSample()
        let watcher = Watcher(registry, watchCountMax: 1)
        for version in 2...4 {
            _ = try registry.publishSample()
            #expect(watcher.wakes(), "version \(version)")
            _ = watcher.settle()
        }
        #expect(watcher.told.count == 1 && watcher.told[0].contains("by looking only"))
        #expect(watcher.end())
    }

    @Test("a watch that was cancelled before the wait, or woken, says so at once")
    func cancelAndWake() throws {
        let watch = RegistryWatch(registry, models: ["guests"], interval: .seconds(3600))
        watch.wake()
        #expect(watch.wait())
        watch.cancel()
        #expect(!watch.wait())
        #expect(!watch.wait())
    }
}
