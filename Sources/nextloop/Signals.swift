import Dispatch
import Glibc
import HTTPServer
import Synchronization

/// The signals of a server: SIGTERM and SIGINT ask it to stop, SIGHUP to read its files again; SIGPIPE is nothing.
///
/// The first three are blocked in every thread before any other thread starts, so that they arrive at the thread of ``onStop(_:)`` and
/// nowhere else, at a point where ordinary code may run, and at any time: also while a model is loaded.
final class Signals: Sendable {
    private let state = Mutex(State())
    private let hangups = DispatchSemaphore(value: 0)

    private struct State {
        var onHangup: [@Sendable () -> Void] = []
        var isWorking = false
    }

    /// Call before the first thread is made: threads inherit the mask.
    init() {
        var all = Self.set(of: [SIGTERM, SIGINT, SIGHUP])
        // SAFETY: the call reads the set.
        unsafe pthread_sigmask(SIG_BLOCK, &all, nil)
        // A client that closed early must not end the process; the server's sends ask for no signal anyway.
        signal(SIGPIPE, SIG_IGN)
    }

    private static func set(of signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        // SAFETY, here and below: the calls write to the set, which is this function's own.
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        return set
    }

    // MARK: Stop

    /// Has `work` done at the first SIGTERM or SIGINT, on a thread of its own, from now on and whatever other threads are at. A second
    /// one ends the process at once, by the signal itself (a shell says 143 or 130): the second Ctrl-C of an impatient operator. SIGHUP
    /// never does. Call it once.
    func onStop(_ work: @escaping @Sendable (Int32) -> Void) throws(SystemError) {
        try POSIXThread.detach(name: "signals") {
            let first = self.nextStop()
            do throws(SystemError) {
                try POSIXThread.detach(name: "stop") { work(first) }
            } catch {
                // No thread to be had is no reason to go on: then nobody waits for the second signal, and it comes by itself.
                Self.unblockStops()
                return work(first)
            }
            Self.end(by: self.nextStop())
        }
    }

    /// Waits for SIGTERM or SIGINT; hands on SIGHUP meanwhile.
    private func nextStop() -> Int32 {
        var all = Self.set(of: [SIGTERM, SIGINT, SIGHUP])
        while true {
            var received: Int32 = 0
            // SAFETY: sigwait reads the set and writes the number of the signal.
            guard unsafe sigwait(&all, &received) == 0 else { continue }
            if received != SIGHUP { return received }
            hangups.signal()
        }
    }

    private static func unblockStops() {
        var stops = set(of: [SIGTERM, SIGINT])
        // SAFETY: the call reads the set.
        unsafe pthread_sigmask(SIG_UNBLOCK, &stops, nil)
    }

    private static func end(by signal: Int32) -> Never {
        unblockStops()
        raise(signal)
        // The first process of a container is spared by signals that it has no handler for.
        _exit(128 + signal)
    }

    // MARK: SIGHUP

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
}
