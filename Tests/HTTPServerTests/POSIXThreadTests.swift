import Dispatch
import Glibc
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
        var text = [CChar](repeating: 0, count: 16)
        // SAFETY: the buffer has the 16 bytes that a name takes.
        unsafe pthread_getname_np(pthread_self(), &text, text.count)
        name = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        var blocked = sigset_t()
        // SAFETY: the set is filled by the first call and read by the second.
        unsafe pthread_sigmask(SIG_BLOCK, nil, &blocked)
        isBlocked = unsafe sigismember(&blocked, SIGTERM) == 1
        done.signal()
    }
}
