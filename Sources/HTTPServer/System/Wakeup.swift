import CLinux

/// An eventfd: any thread signals, the loop's epoll reports it.
struct Wakeup: ~Copyable, Sendable {
    let descriptor: FileDescriptor

    init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try check(clinux_eventfd(), "eventfd"))
    }

    /// Failing means that the counter is full of signals nobody took yet: one more is not needed.
    func signal() { _ = clinux_eventfd_signal(descriptor.raw) }

    func clear() { _ = clinux_eventfd_clear(descriptor.raw) }
}
