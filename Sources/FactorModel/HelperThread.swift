import Glibc

/// A thread that helps the one that made it with one piece of work, and is waited for.
///
/// Not libdispatch: where the system makes no more threads its queues wait for one without end, and where no more files may be
/// opened they end the process. Here the caller is told, and does the work alone.
@safe
package final class HelperThread: Sendable {
    private let handle: pthread_t

    private final class Work: Sendable {
        let run: @Sendable () -> Void

        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }

    /// - Returns: nil when the system makes no more threads (processes, memory); `work` is not run then.
    package init?(_ work: @escaping @Sendable () -> Void) {
        var handle = pthread_t()
        // SAFETY: a started thread takes over the reference that is retained for it; without one it is released below.
        let argument = unsafe Unmanaged.passRetained(Work(work))
        let refusal = unsafe pthread_create(
            &handle, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        guard refusal == 0 else {
            unsafe argument.release()
            return nil
        }
        self.handle = handle
    }

    /// Waits for the work to end. To be called once, always.
    package func join() {
        let code = pthread_join(handle, nil)
        precondition(code == 0, "BUG: joining a thread that is not there")
    }
}

/// Runs `work` on the calling thread and on `threads - 1` others at the same time, fewer when the system makes no more, and returns
/// when all have ended: some 20 µs for each.
package func runTogether(threads: Int, _ work: @escaping @Sendable () -> Void) {
    var helpers: [HelperThread] = []
    while helpers.count < threads - 1, let helper = HelperThread(work) { helpers.append(helper) }
    work()
    for helper in helpers { helper.join() }
}
