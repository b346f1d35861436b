import Glibc

/// Waits for the signals that ask a server to stop, and for the one that asks it to read its files again.
///
/// They are blocked in every thread before any other thread starts, so that they arrive here and nowhere else, at a
/// point where ordinary code may run.
@safe
struct StopSignals {
    private var set = sigset_t()
    private var stops = sigset_t()

    /// Call before the first thread is made: threads inherit the mask.
    init() {
        // SAFETY: the sets are values of this struct; the calls only read and write them.
        unsafe sigemptyset(&stops)
        unsafe sigaddset(&stops, SIGTERM)
        unsafe sigaddset(&stops, SIGINT)
        set = stops
        unsafe sigaddset(&set, SIGHUP)
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        // A client that closed early must not end the process; the server's sends ask for no signal anyway.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Whether a stop has been asked for and not yet been waited for.
    var isPending: Bool {
        var pending = sigset_t()
        // SAFETY: sigpending fills the set that it is given; sigismember reads it.
        unsafe sigpending(&pending)
        return unsafe sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1
    }

    /// Blocks until SIGTERM, SIGINT or SIGHUP comes, and returns it.
    mutating func wait() -> Int32 {
        var received: Int32 = 0
        // SAFETY: sigwait reads the set and writes the number of the signal.
        while unsafe sigwait(&set, &received) != 0 {}
        return received
    }

    /// From now on a stop signal ends the process at once: the second Ctrl-C of an impatient operator. SIGHUP stays blocked:
    /// there is nothing left to reload for.
    mutating func restoreDefaults() {
        // SAFETY: as in init.
        unsafe pthread_sigmask(SIG_UNBLOCK, &stops, nil)
    }
}
