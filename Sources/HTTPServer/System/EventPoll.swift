import CLinux

/// What a descriptor is waited for.
struct Interest: OptionSet, Sendable {
    let rawValue: UInt32
    static let read = Interest(rawValue: UInt32(CLINUX_READABLE))
    static let write = Interest(rawValue: UInt32(CLINUX_WRITABLE))
    /// Reset or closed on both sides; reported whether waited for or not.
    static let broken = Interest(rawValue: UInt32(CLINUX_BROKEN))
}

/// The number of a registration beside its slot: an event that was reported before a slot was given to another connection
/// carries the old number, and is recognised.
struct Registration: Equatable {
    var slot: UInt32
    var number: UInt32

    init(slot: UInt32, number: UInt32) {
        self.slot = slot
        self.number = number
    }

    init(packed: UInt64) {
        slot = UInt32(truncatingIfNeeded: packed)
        number = UInt32(truncatingIfNeeded: packed >> 32)
    }

    var packed: UInt64 { UInt64(number) << 32 | UInt64(slot) }
}

/// An epoll instance, level-triggered.
///
/// Level, not edge: what was not read is reported again, so that a loop may read a bounded amount and turn to the others, and
/// forgetting to drain a socket cannot hang a client. Edge triggering would save a system call only when a
/// connection stops or starts waiting to write, which is rare.
@safe
struct EventPoll: ~Copyable, @unchecked Sendable {  // Sendable: it cannot be copied, so one thread has it.
    private let descriptor: FileDescriptor
    private let events: UnsafeMutableBufferPointer<clinux_event>

    /// Events taken at a time. More wait for the next call.
    static var batch: Int { 1024 }

    init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try check(clinux_epoll_create(), "epoll_create1"))
        // SAFETY: freed once, in deinit; handed out to one call at a time.
        unsafe events = .allocate(capacity: Self.batch)
        unsafe events.initialize(repeating: clinux_event())
    }

    deinit { unsafe events.deallocate() }

    func add(_ raw: Int32, _ interest: Interest, _ registration: Registration) throws(SystemError) {
        _ = try check(clinux_epoll_add(descriptor.raw, raw, interest.rawValue, registration.packed), "epoll_ctl")
    }

    /// Has a listener report who waits. Of the loops that watch a shared socket one is woken each time; epoll lets such a
    /// watch be removed, not modified.
    func watch(_ listener: Listener, _ registration: Registration) throws(SystemError) {
        let raw = listener.descriptor.raw
        if listener.kind == .own { return try add(raw, .read, registration) }
        _ = try check(clinux_epoll_add_shared(descriptor.raw, raw, registration.packed), "epoll_ctl")
    }

    /// Returns false when the kernel has no memory for it: what is waited for then stays as it was.
    func modify(_ raw: Int32, _ interest: Interest, _ registration: Registration) -> Bool {
        clinux_epoll_modify(descriptor.raw, raw, interest.rawValue, registration.packed) == 0
    }

    func remove(_ raw: Int32) { _ = clinux_epoll_remove(descriptor.raw, raw) }

    /// Waits for events, at most so long; nil waits for ever.
    ///
    /// - Returns: how many there are, for ``event(_:)``.
    func wait(milliseconds: Int32?) -> Int {
        // SAFETY: the kernel writes at most `batch` events, the size of the allocation.
        let found = unsafe clinux_epoll_wait(
            descriptor.raw, events.baseAddress, Int32(Self.batch), milliseconds ?? -1)
        if found >= 0 { return Int(found) }
        // No error that epoll_wait(2) knows can come here; whatever it is, the loop must not spin on it.
        clinux_nap(10)
        return 0
    }

    func event(_ index: Int) -> (Registration, Interest) {
        precondition(index >= 0 && index < Self.batch, "BUG: no such event")
        // SAFETY: the index was just checked; all events were initialised.
        let event = unsafe events[index]
        return (Registration(packed: event.registration), Interest(rawValue: event.readiness))
    }
}
