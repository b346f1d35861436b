import CLinux

/// An open file descriptor, closed exactly once.
struct FileDescriptor: ~Copyable, Sendable {
    let raw: Int32

    /// - Precondition: `raw` is open and belongs to nobody else.
    init(owning raw: Int32) { self.raw = raw }

    /// Gives the descriptor to somebody else, open.
    consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    deinit { _ = clinux_close(raw) }
}
