import CLinux
import Glibc

/// An eventfd: any thread signals without waiting for anybody, and one waits, by epoll or here.
package final class Wakeup: Sendable {
    let descriptor: FileDescriptor

    package init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try check(clinux_eventfd(), "eventfd"))
    }

    /// Failing means that the counter is full of signals nobody took yet: one more is not needed.
    package func signal() { _ = clinux_eventfd_signal(descriptor.raw) }

    func clear() { _ = clinux_eventfd_clear(descriptor.raw) }

    /// Waits for a signal, by the clock that only goes forward (what libdispatch's semaphores wait by on Linux can be set), and takes all
    /// that came.
    ///
    /// - Parameter milliseconds: at most; nil for ever.
    /// - Returns: whether there was one.
    package func wait(milliseconds: Int32?) -> Bool {
        var asked = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
        // SAFETY: one struct, which the call reads and fills.
        guard unsafe poll(&asked, 1, milliseconds ?? -1) > 0 else { return false }
        clear()
        return true
    }
}
