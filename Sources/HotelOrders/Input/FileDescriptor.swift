import Glibc

/// An open file, closed exactly once. Standard output is left open.
struct FileDescriptor: ~Copyable {
    let number: Int32

    init(_ number: Int32) { self.number = number }

    deinit {
        if number != STDOUT_FILENO { close(number) }
    }
}
