import Dispatch
import Foundation
import Testing

@testable import HTTPServer

@Suite("Threads") struct POSIXThreadTests {
    @Test("a detached thread runs its closure under its name, with SIGTERM left to others") func detached() throws {
        let seen = Seen()
        try POSIXThread.detach(name: "fifteen-letters") { seen.look() }
        #expect(seen.done.wait(timeout: .now() + 10) == .success)
        #expect(seen.name == "fifteen-letters")
        #expect(seen.isBlocked)
    }

    @Test("a thread that is joined has ended") func joined() throws {
        let seen = Seen()
        try POSIXThread(name: "joined") { seen.look() }.join()
        #expect(seen.name == "joined")
    }
}

/// What a thread sees of itself. Written by it, read once it has said so.
private final class Seen: @unchecked Sendable {
    let done = DispatchSemaphore(value: 0)
    var name = ""
    var isBlocked = false

    func look() {
        name =
            (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8))?.trimmingCharacters(in: .newlines)
            ?? ""
        var blocked = sigset_t()
        // SAFETY: the set is filled by the first call and read by the second.
        unsafe pthread_sigmask(SIG_BLOCK, nil, &blocked)
        isBlocked = unsafe sigismember(&blocked, SIGTERM) == 1
        done.signal()
    }
}
