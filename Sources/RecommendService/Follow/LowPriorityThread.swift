import CLinux
import Dispatch
import FoundationEssentials
import Glibc
import Synchronization

/// A thread of low priority that does what it is given, one thing after another. It ends with the object.
///
/// One for all loads of a model: what a load allocates and what letting go of it frees are then the same part of the heap, which no
/// loop allocates from. What the thread holds while it is put aside, everybody waits for: so it must take no lock that loops take.
package final class LowPriorityThread: Sendable {
    private let jobs = JobThread(name: "model-loader", begin: lowerThreadPriority)

    package init() {}

    /// Runs `work` there and waits for its result. The thread is made for the first one, and holds nothing of `work` when this returns:
    /// what the caller lets go of then is gone.
    ///
    /// - Precondition: not called on the thread itself.
    package func run<R: Sendable>(_ work: @escaping @Sendable () -> R) -> R {
        let done = DispatchSemaphore(value: 0)
        let result = begin(work) { done.signal() }
        done.wait()
        guard let made = result.take() else { preconditionFailure("BUG: work without a result") }
        return made
    }

    /// Runs `work` there, and then `then`.
    ///
    /// - Returns: where its result will be.
    func begin<R: Sendable>(
        _ work: @escaping @Sendable () -> R, then: @escaping @Sendable () -> Void
    ) -> Handed<R> {
        let (given, result) = (Handed(work), Handed<R>())
        let job: @Sendable () -> Void = {
            if let work = given.take() { result.give(work()) }
            then()
        }
        // Where the system makes no more threads the work is done here, at the caller's priority, and the next one tries again.
        guard (try? jobs.start()) != nil else {
            job()
            return result
        }
        jobs.add(job)
        return result
    }
}

/// Carries a value from one thread to another.
final class Handed<Value: Sendable>: Sendable {
    private let value: Mutex<Value?>

    init(_ value: Value? = nil) { self.value = Mutex(value) }

    func give(_ made: Value) { value.withLock { $0 = made } }

    func take() -> Value? { value.withLock { $0.take() } }
}

/// Lets the calling thread run only when nobody else wants its core.
///
/// SCHED_IDLE gives way to any other thread at once when that wakes up, and, as Linux derives it, reads from the disk only when nobody
/// else does (block/ioprio.c: a SCHED_IDLE task is of the idle class). On a machine that is busy without pause it still gets some 0.3 % of a
/// core (kernel/sched: weight 3 beside 1024), so that a load takes long but ends. Where it is not permitted the thread stays as it is,
/// but for the nice value.
@Sendable private func lowerThreadPriority() {
    // Of the calling thread: Linux keeps it per thread.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
    var parameters = sched_param()
    parameters.sched_priority = 0
    // SAFETY: the struct lives for the call, which reads it.
    unsafe _ = pthread_setschedparam(pthread_self(), idlePolicy, &parameters)
}

/// SCHED_IDLE of linux/sched.h, which the Glibc module does not have.
private let idlePolicy: Int32 = 5
