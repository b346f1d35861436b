import Dispatch
import Glibc
import HTTPServer
import Synchronization

/// The signals of a server: SIGTERM and SIGINT ask it to stop, SIGHUP to read its files again; SIGPIPE is nothing.
///
/// The first three are blocked in every thread before any other thread starts, so that they arrive at ``waitForStop()`` and
/// nowhere else, at a point where ordinary code may run.
@safe
final class Signals: @unchecked Sendable {  // Sendable: the sets are written in init only; the rest is behind the lock.
    private var all = sigset_t()
    private var stops = sigset_t()
    private let state = Mutex(State())
    private let hangups = DispatchSemaphore(value: 0)

    private struct State {
        var onHangup: [@Sendable () -> Void] = []
        var isWorking = false
    }

    /// Call before the first thread is made: threads inherit the mask.
    init() {
        // SAFETY: the sets are values of this object; the calls only read and write them.
        unsafe sigemptyset(&stops)
        unsafe sigaddset(&stops, SIGTERM)
        unsafe sigaddset(&stops, SIGINT)
        all = stops
        unsafe sigaddset(&all, SIGHUP)
        unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
        // A client that closed early must not end the process; the server's sends ask for no signal anyway.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Has `work` done at each SIGHUP, after what was subscribed before it, on a thread of its own: it may take its time
    /// and must not throw the process away. Signals that come meanwhile are one more turn when it is over.
    func onHangup(_ work: @escaping @Sendable () -> Void) throws(SystemError) {
        let isFirst = state.withLock { state in
            state.onHangup.append(work)
            defer { state.isWorking = true }
            return !state.isWorking
        }
        if isFirst { try POSIXThread.detach(name: "hangups") { self.followHangups() } }
    }

    private func followHangups() {
        while true {
            hangups.wait()
            // What came while the last turn lasted is one.
            while hangups.wait(timeout: .now()) == .success {}
            for work in state.withLock({ $0.onHangup }) { work() }
        }
    }

    /// Whether a stop has been asked for and not yet been waited for.
    var isStopPending: Bool {
        var pending = sigset_t()
        // SAFETY: sigpending fills the set that it is given; sigismember reads it.
        unsafe sigpending(&pending)
        return unsafe sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1
    }

    /// Blocks until SIGTERM or SIGINT comes, and returns it. From then on another one ends the process at once, by the
    /// signal itself (a shell says 143 or 130): the second Ctrl-C of an impatient operator. SIGHUP never does.
    func waitForStop() -> Int32 {
        var received: Int32 = 0
        repeat {
            // SAFETY: sigwait reads the set and writes the number of the signal.
            while unsafe sigwait(&all, &received) != 0 {}
            if received == SIGHUP { hangups.signal() }
        } while received == SIGHUP
        // SAFETY: as in init.
        unsafe pthread_sigmask(SIG_UNBLOCK, &stops, nil)
        return received
    }
}
