import CLinux
import Dispatch
import FoundationEssentials
import Glibc
import HTTPMessages
import HTTPServer
import Synchronization

/// The access log of a process: a ring for each loop, and a thread that writes what is in them.
///
/// A loop never waits: it copies a line into its ring, or drops it when that is full. A disk that is full or a reader of a pipe that
/// stalls stops the thread, and then costs lines.
package final class AccessLog: Sendable {
    package let settings: AccessLogSettings
    let rings: [LineRing]
    /// An eventfd; the thread waits for it.
    let wakeup: Int32
    /// Whether the thread waits for the wakeup without end. Set before it looks at the rings a last time, and read by a loop after it
    /// has put a line, both sequentially consistent: one of the two sees the other.
    private let isAsleep = Atomic<Bool>(false)
    private let isEnding = Atomic<Bool>(false)
    private let hasEnded = DispatchSemaphore(value: 0)
    /// The output to go on with, opened and not yet taken by the thread.
    private let next: Mutex<LogOutput?>
    /// Lines that were taken from a ring and could not be written.
    let linesLost = Atomic<Int>(0)

    /// Opens the log and starts its thread.
    ///
    /// - Parameter report: hears of failures and of their end, on the log's thread; it may take its time.
    package init(
        _ settings: AccessLogSettings, loops: Int, report: @escaping @Sendable (AccessLogEvent) -> Void
    ) throws(AccessLogError) {
        let output = try LogOutput(settings.destination)
        let wakeup = clinux_eventfd()
        guard wakeup >= 0 else { throw AccessLogError(destination: settings.destination, code: -wakeup) }
        self.settings = settings
        self.wakeup = wakeup
        rings = (0..<loops).map { _ in LineRing(capacity: settings.ringBytes) }
        next = Mutex(consume output)
        // The thread leaves SIGPIPE blocked as well: a reader that went away is an error of the write.
        let write: @Sendable () -> Void = { [self] in
            guard let output = takeNextOutput() else { preconditionFailure("BUG: no log to begin with") }
            var writer = LogWriter(self, output, report: report)
            writer.run()
            hasEnded.signal()
        }
        do throws(SystemError) {
            try POSIXThread.detach(name: "access-log", write)
        } catch {
            throw AccessLogError(destination: settings.destination, code: error.code)
        }
    }

    deinit { _ = clinux_close(wakeup) }

    /// The door of one loop.
    func lines(of loop: Int) -> AccessLines { AccessLines(self, rings[loop]) }

    /// Lines written or about to be, and lines that were not and will not be.
    package var lineCounts: (logged: Int, dropped: Int) {
        let counts = rings.map(\.lineCounts)
        let lost = linesLost.load(ordering: .relaxed)
        return (counts.reduce(-lost) { $0 + $1.put }, counts.reduce(lost) { $0 + $1.dropped })
    }

    /// Opens the file anew, after somebody renamed it: what was logged before goes to the old one or to the new one, whole and once.
    ///
    /// - Throws: when it cannot be opened; the log then goes on with the old one.
    package func reopen() throws(AccessLogError) {
        guard case .file = settings.destination else { return }
        var output: LogOutput? = try LogOutput(settings.destination)
        next.withLock { swap(&$0, &output) }
        _ = clinux_eventfd_signal(wakeup)
    }

    /// Writes what there is and ends the thread. Call it when the loops have ended.
    ///
    /// - Returns: false when not everything was written within `time`; the thread then ends with the process.
    package func end(within time: Duration) -> Bool {
        isEnding.store(true, ordering: .sequentiallyConsistent)
        _ = clinux_eventfd_signal(wakeup)
        let ended = hasEnded.wait(timeout: .now() + .nanoseconds(Int(clamping: time.clampedNanoseconds)))
        if ended == .success { hasEnded.signal() }
        return ended == .success
    }

    // MARK: Between the loops and the thread

    /// Wakes the thread if nobody has since it fell asleep. Called by a loop that has put a line: no system call while there is traffic.
    func wakeIfAsleep() {
        guard isAsleep.load(ordering: .sequentiallyConsistent) else { return }
        if isAsleep.exchange(false, ordering: .relaxed) { _ = clinux_eventfd_signal(wakeup) }
    }

    var isToEnd: Bool { isEnding.load(ordering: .sequentiallyConsistent) }
    func takeNextOutput() -> LogOutput? { next.withLock { $0.take() } }

    /// The thread's sleep: until a line is put, or it is woken for another reason.
    func sleep() {
        isAsleep.store(true, ordering: .sequentiallyConsistent)
        if rings.allSatisfy(\.isEmpty) { waitForWakeup(milliseconds: -1) }
        isAsleep.store(false, ordering: .relaxed)
    }

    /// Waits until somebody wakes the thread, at most `milliseconds`; -1: for ever.
    func waitForWakeup(milliseconds: Int32) {
        var asked = pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0)
        // SAFETY: one struct, which the call reads and fills.
        unsafe _ = poll(&asked, 1, milliseconds)
        _ = clinux_eventfd_clear(wakeup)
    }
}
