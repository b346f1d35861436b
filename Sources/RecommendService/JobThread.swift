import Dispatch
import HTTPServer
import Synchronization

/// A thread that does what it is given, one thing after another, in that order. It ends with the object, after what it was given.
///
/// Not a dispatch queue: one is promised a thread only when it has something to do, and where the system makes no more threads by then
/// it waits for one without end. Here whoever starts it is told.
final class JobThread: Sendable {
    private let name: String
    /// Done on the thread before the first job.
    private let begin: @Sendable () -> Void
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

    /// - Parameter name: at most 15 bytes, shown by `top -H`.
    init(name: String, begin: @escaping @Sendable () -> Void = {}) {
        self.name = name
        self.begin = begin
    }

    deinit { jobs.arrivals.signal() }

    /// Makes the thread, unless there is one.
    ///
    /// - Throws: when the system makes no more threads.
    func start() throws(SystemError) {
        try isStarted.withLock { isStarted throws(SystemError) in
            if isStarted { return }
            // Not this object, which ends the thread when it goes.
            let (jobs, begin) = (jobs, begin)
            try POSIXThread.detach(name: name) {
                begin()
                jobs.work()
            }
            isStarted = true
        }
    }

    /// - Precondition: started.
    func add(_ job: @escaping @Sendable () -> Void) {
        jobs.waiting.withLock { $0.append(job) }
        jobs.arrivals.signal()
    }
}
