import CLinux

/// A descriptor kept back for the day there is none left, to be traded for the connection that waits.
struct ReserveDescriptor: ~Copyable {
    private var held: FileDescriptor?

    init() { refill() }

    /// Gives the reserve up, accepts a connection in its place, closes that, and takes a reserve again.
    ///
    /// - Returns: whether a connection was turned away.
    mutating func trade(_ accept: () -> Listener.Accepted) -> Bool {
        guard held != nil else { return false }
        held = nil
        defer { refill() }
        guard case .connection(let raw, _) = accept() else { return false }
        _ = FileDescriptor(owning: raw)
        return true
    }

    mutating func refill() {
        if held != nil { return }
        let raw = clinux_reserve_descriptor()
        if raw >= 0 { held = FileDescriptor(owning: raw) }
    }
}
