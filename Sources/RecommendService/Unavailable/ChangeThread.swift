import Dispatch
import HTTPServer
import Synchronization

/// A thread that does what it is given, one thing after another, in that order. It ends with the object, after what it was given.
///
/// Not a dispatch queue: one is promised a thread only when it has something to do, and where the system makes no more threads by then
/// it waits for one without end. This one is made before the service says ready, or the service does not start.
final class ChangeThread: Sendable {
    private let jobs = Jobs()
    private let isStarted = Mutex(false)

    private final class Jobs: Sendable {
        let waiting = Mutex<[@Sendable () -> Void]>([])
        /// Counts the jobs, and one more when there will be none.
        let arrivals = DispatchSemaphore(value: 0)

        func work() {
            while true {
                arrivals.wait()
                guard let job = waiting.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { return }
                job()
            }
        }
    }

    deinit { jobs.arrivals.signal() }

    /// Makes the thread, unless there is one.
    ///
    /// - Throws: when the system makes no more threads.
    func start() throws(SystemError) {
        try isStarted.withLock { isStarted throws(SystemError) in
            if isStarted { return }
            let jobs = jobs
            try POSIXThread.detach(name: "changes") { jobs.work() }
            isStarted = true
        }
    }

    /// - Precondition: started.
    func add(_ job: @escaping @Sendable () -> Void) {
        jobs.waiting.withLock { $0.append(job) }
        jobs.arrivals.signal()
    }
}
