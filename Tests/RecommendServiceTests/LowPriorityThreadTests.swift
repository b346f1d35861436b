import Foundation
import RecommendService
import Synchronization
import Testing

/// What the kernel calls the calling thread.
func threadName() -> String {
    let text = try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)
    return text?.trimmingCharacters(in: .newlines) ?? "unknown"
}

@Suite("The thread of low priority") struct LowPriorityThreadTests {
    private struct Place: Equatable, Sendable {
        let thread: UInt
        let name: String
        let policy: Int32
        let nice: Int32
    }

    @Sendable private static func here() -> Place {
        return Place(
            thread: UInt(pthread_self()), name: threadName(), policy: sched_getscheduler(0),
            nice: getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0))
    }

    @Test("everything is done on one thread of the idle class, and the caller's stays what it is") func place() {
        let before = Self.here()
        let thread = LowPriorityThread()
        let first = thread.run(Self.here)
        #expect(first.name == "model-loader")
        #expect(first.policy == 5, "SCHED_IDLE")
        #expect(first.nice == 19)
        #expect(first.thread != before.thread)
        #expect(thread.run(Self.here) == first)
        #expect(Self.here() == before)
    }

    @Test("each caller gets its own result, whoever asks at the same time") func results() {
        let thread = LowPriorityThread()
        let wrong = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 64) { number in
            if thread.run({ number * 2 }) != number * 2 { wrong.add(1, ordering: .relaxed) }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    @Test("nothing of what it was given is held there once the answer is back") func letsGo() {
        final class Local: Sendable {}
        let thread = LowPriorityThread()
        var held = 0
        for _ in 0..<2000 {
            var local = Local()
            thread.run { [local] in withExtendedLifetime(local) {} }
            if !isKnownUniquelyReferenced(&local) { held += 1 }
        }
        #expect(held == 0)
    }

    @Test("it ends with the object") func ends() throws {
        let ended = DispatchSemaphore(value: 0)
        final class Local: Sendable {
            let ended: DispatchSemaphore
            init(_ ended: DispatchSemaphore) { self.ended = ended }
            deinit { ended.signal() }
        }
        do {
            let thread = LowPriorityThread()
            // Lies in the thread's own storage, which goes away with the thread.
            thread.run { Thread.current.threadDictionary["local"] = Local(ended) }
        }
        #expect(ended.wait(timeout: .now() + 30) == .success)
    }
}
