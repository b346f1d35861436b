import CLinux

/// An epoll instance over the connections of one loop.
@safe
struct ClientPoll: ~Copyable {
    private let descriptor: Int32
    private let events: UnsafeMutableBufferPointer<clinux_event>
    private static var batch: Int { 256 }

    struct Event {
        /// The number of a connection, and which of its sockets the event is of.
        var connection: Int
        var socket: UInt32
        var isWritable: Bool
        var isReadable: Bool
    }

    init() throws(ClientSocket.Failure) {
        let result = clinux_epoll_create()
        guard result >= 0 else { throw ClientSocket.Failure(code: -result) }
        descriptor = result
        // SAFETY: freed once, in deinit.
        unsafe events = .allocate(capacity: Self.batch)
        unsafe events.initialize(repeating: clinux_event())
    }

    deinit {
        unsafe events.deallocate()
        _ = clinux_close(descriptor)
    }

    func add(_ raw: Int32, writing: Bool, connection: Int, socket: UInt32) throws(ClientSocket.Failure) {
        let result = clinux_epoll_add(descriptor, raw, interest(writing), pack(connection, socket))
        guard result >= 0 else { throw ClientSocket.Failure(code: -result) }
    }

    func modify(_ raw: Int32, writing: Bool, connection: Int, socket: UInt32) {
        let result = clinux_epoll_modify(descriptor, raw, interest(writing), pack(connection, socket))
        precondition(result == 0, "BUG: modifying what was not registered")
    }

    /// Waits for events until a time of the monotonic clock.
    ///
    /// - Returns: how many there are, for ``event(_:)``.
    func wait(until nanoseconds: UInt64) -> Int {
        // SAFETY: the kernel writes at most `batch` events, the size of the allocation.
        let found = unsafe clinux_epoll_wait_until(descriptor, events.baseAddress, Int32(Self.batch), nanoseconds)
        precondition(found >= 0, "BUG: epoll_wait on a bad descriptor")
        return Int(found)
    }

    func event(_ index: Int) -> Event {
        precondition(index >= 0 && index < Self.batch, "BUG: no such event")
        // SAFETY: the index was just checked; all events were initialised.
        let event = unsafe events[index]
        let readiness = Int(event.readiness)
        return Event(
            connection: Int(event.registration & 0xFFFF_FFFF), socket: UInt32(event.registration >> 32),
            isWritable: readiness & CLINUX_WRITABLE != 0,
            isReadable: readiness & (CLINUX_READABLE | CLINUX_BROKEN) != 0)
    }

    private func interest(_ writing: Bool) -> UInt32 {
        UInt32(CLINUX_READABLE) | (writing ? UInt32(CLINUX_WRITABLE) : 0)
    }

    private func pack(_ connection: Int, _ socket: UInt32) -> UInt64 { UInt64(socket) << 32 | UInt64(connection) }
}
