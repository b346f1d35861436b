import CLinux
import Glibc
import Synchronization

/// Tells that something under a registry may have changed: by inotify where it works, and by looking every `interval` always,
/// because network file systems send no events and an event may be lost.
///
/// An event is only a reason to look. What was seen is compared with what was seen before, so that locks, logs and publishers
/// at work wake nobody, a burst of events wakes once, and a registry that is absent, removed, recreated or replaced by a
/// rename is followed like any other change.
package final class RegistryWatch: Sendable {
    private struct State: ~Copyable {
        var notices: DirectoryNotices
        var seen: RegistryState
    }

    private let registry: Registry
    private let models: [String]
    private let interval: Duration
    private let note: @Sendable (String) -> Void
    private let unchanged: @Sendable () -> Void
    /// Held by the thread that waits.
    private let state: Mutex<State>
    private let wakeup: Int32
    // Relaxed is enough: the eventfd's write and read order them.
    private let isCancelled = Atomic<Bool>(false)
    private let isWoken = Atomic<Bool>(false)

    /// Looks at the registry now: what changes from here on is told. So make the watch first, then read the registry.
    ///
    /// - Parameters:
    ///   - models: those to look at; they need not be there yet.
    ///   - interval: 10 ms to a day; outside it the nearer bound is taken.
    ///   - watchCountMax: directories to ask inotify about, the registry and its models in this order.
    ///   - note: told, at most once, that changes will be noticed by looking only, and why.
    ///   - unchanged: told of each look that found what was seen before.
    package init(
        _ registry: Registry, models: [String], interval: Duration, watchCountMax: Int = 1024,
        note: @escaping @Sendable (String) -> Void = { _ in }, unchanged: @escaping @Sendable () -> Void = {}
    ) {
        self.registry = registry
        self.models = models
        self.interval = min(max(interval, .milliseconds(10)), .seconds(86400))
        self.note = note
        self.unchanged = unchanged
        wakeup = clinux_eventfd()
        var notices = DirectoryNotices(watchCountMax: watchCountMax)
        notices.watch(Self.directories(registry, models))
        state = Mutex(State(notices: notices, seen: RegistryState(registry, models: models)))
    }

    deinit { if wakeup >= 0 { clinux_close(wakeup) } }

    /// Blocks until there is a reason to look again (true) or the watch is cancelled (false). For one thread at a time.
    package func wait() -> Bool {
        state.withLock { state in
            while true {
                if isCancelled.load(ordering: .relaxed) { return false }
                // Asked for events first, looked at second: what happens in between is not lost.
                state.notices.watch(Self.directories(registry, models))
                if let problem = state.notices.takeProblem() { note(problem) }
                let found = RegistryState(registry, models: models)
                let wasWoken = isWoken.exchange(false, ordering: .relaxed)
                if found != state.seen || wasWoken {
                    state.seen = found
                    return true
                }
                unchanged()
                if block(state.notices.descriptor, for: interval) {
                    // Let the burst pass: a publish is a handful of events.
                    _ = block(-1, for: Self.settling)
                    state.notices.clear()
                }
            }
        }
    }

    /// Makes ``wait()`` return true although nothing changed, for a reason of the caller's own.
    package func wake() {
        isWoken.store(true, ordering: .relaxed)
        clinux_eventfd_signal(wakeup)
    }

    /// Ends ``wait()``, now and for good.
    package func cancel() {
        isCancelled.store(true, ordering: .relaxed)
        clinux_eventfd_signal(wakeup)
    }

    /// Waits for an event, a wake-up or the time. True when events wait at `notices`.
    private func block(_ notices: Int32, for time: Duration) -> Bool {
        // A negative descriptor is passed over by poll.
        var polled = [
            pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0),
            pollfd(fd: notices, events: Int16(POLLIN), revents: 0),
        ]
        let milliseconds = Int32(time / .milliseconds(1))
        // SAFETY: poll reads and writes the two entries that it is given.
        let count = unsafe polled.withUnsafeMutableBufferPointer { unsafe poll($0.baseAddress, 2, milliseconds) }
        guard count > 0 else { return false }
        if polled[0].revents != 0 { clinux_eventfd_clear(wakeup) }
        return polled[1].revents != 0
    }

    private static func directories(_ registry: Registry, _ models: [String]) -> [String] {
        [registry.path] + models.filter(isModelName).map { "\(registry.path)/\($0)" }
    }

    private static let settling = Duration.milliseconds(20)
}
