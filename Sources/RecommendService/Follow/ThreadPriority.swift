import Dispatch
import Foundation
import Glibc
import Synchronization

/// Runs `work` on a thread of low priority and waits for its result.
///
/// What it holds while it is put aside, everybody waits for: so it must take no lock that loops take.
func atLowPriority<R: Sendable>(_ work: @escaping @Sendable () -> R) -> R {
    let result = Handed<R>()
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
        lowerThreadPriority()
        let made = work()
        result.value.withLock { $0 = made }
        done.signal()
    }
    thread.name = "model-loader"
    thread.start()
    done.wait()
    guard let made = result.value.withLock({ $0.take() }) else { preconditionFailure("BUG: work without a result") }
    return made
}

/// Carries a result from one thread to another.
private final class Handed<R: Sendable>: Sendable {
    let value = Mutex<R?>(nil)
}

/// Lets the calling thread run only when nobody else wants its core.
///
/// SCHED_IDLE gives way to any other thread at once when that wakes up, and, as Linux derives it, reads from the disk only when nobody
/// else does (block/ioprio.c: a SCHED_IDLE task is of the idle class). On a machine that is busy without pause it still gets some 0.3 % of a
/// core (kernel/sched: weight 3 beside 1024), so that a load takes long but ends. Where it is not permitted the thread stays as it is,
/// but for the nice value.
private func lowerThreadPriority() {
    // Of the calling thread: Linux keeps it per thread.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
    var parameters = sched_param()
    parameters.sched_priority = 0
    // SAFETY: the struct lives for the call, which reads it.
    unsafe _ = pthread_setschedparam(pthread_self(), idlePolicy, &parameters)
}

/// SCHED_IDLE of linux/sched.h, which the Glibc module does not have.
private let idlePolicy: Int32 = 5
