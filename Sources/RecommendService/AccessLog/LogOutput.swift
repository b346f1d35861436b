import FactorModel
import Glibc
import HTTPMessages

/// Where an access log goes.
package enum AccessLogDestination: Sendable, Equatable {
    case standardOutput
    /// A file, made when it is not there and appended to; or a FIFO that somebody reads.
    case file(String)

    /// As in messages.
    package var name: String {
        switch self {
        case .standardOutput: "standard output"
        case .file(let path): path
        }
    }
}

/// A log cannot be written to, or opened.
package struct AccessLogError: Error, Equatable, Sendable, CustomStringConvertible {
    package let destination: AccessLogDestination
    /// `errno`.
    package let code: Int32

    package var description: String {
        let what =
            switch code {
            case ENXIO: "it is a FIFO that nobody reads; start its reader first"
            case EISDIR: "it is a directory; wanted a file"
            default: systemMessage(code)
            }
        return "the access log, \(destination.name), cannot be written: \(what)"
    }
}

/// An open file, pipe or terminal that lines are written to, closed exactly once.
struct LogOutput: ~Copyable, Sendable {
    enum Result: Equatable {
        case wrote(Int)
        /// Nobody takes the bytes now.
        case blocked
        case failed(code: Int32)
    }

    private let descriptor: Int32
    /// Which file it is, to know one again that was opened twice.
    private let identity: (device: UInt64, number: UInt64)
    /// A write to a file waits for the disk at worst; one to a pipe or a terminal waits for a reader.
    private let isFile: Bool

    /// What a pipe that is reported writable takes without waiting, whole or not at all (pipe(7): PIPE_BUF).
    private static var pipeBytes: Int { 4096 }

    /// Opens or makes the file; readable by its owner and group only, for request ids lead to guests.
    init(_ destination: AccessLogDestination) throws(AccessLogError) {
        // O_NONBLOCK matters for a FIFO: without a reader the open fails instead of waiting for one. Standard output is
        // shared with whoever started us, and stays as it is.
        let descriptor =
            switch destination {
            case .standardOutput: fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
            case .file(let path):
                // SAFETY: the path is lent as a NUL-terminated string for the call.
                unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, mode_t(0o640))
            }
        guard descriptor >= 0 else { throw AccessLogError(destination: destination, code: errno) }
        var status = stat()
        // SAFETY: fstat fills the struct that it is given.
        guard unsafe fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw AccessLogError(destination: destination, code: code)
        }
        self.descriptor = descriptor
        identity = (UInt64(status.st_dev), UInt64(status.st_ino))
        isFile = status.st_mode & S_IFMT == S_IFREG
    }

    deinit { close(descriptor) }

    func isSameFile(as other: borrowing LogOutput) -> Bool { identity == other.identity }

    /// Writes bytes of whole lines from the front, as many as go without waiting for a reader.
    func write(_ lines: Span<UInt8>) -> Result {
        var count = lines.count
        if !isFile {
            if !isWritable { return .blocked }
            if count > Self.pipeBytes {
                let whole = wholeLines(lines.extracting(0..<Self.pipeBytes))
                count = whole > 0 ? whole : Self.pipeBytes
            }
        }
        // SAFETY: the kernel reads count bytes, no more than the span has, from its base.
        let result = unsafe lines.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, count) }
        if result >= 0 { return .wrote(result) }
        return errno == EAGAIN || errno == EINTR ? .blocked : .failed(code: errno)
    }

    private var isWritable: Bool {
        var asked = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        // SAFETY: one struct, which the call reads and fills. A broken pipe is reported too: the write then says so.
        return unsafe poll(&asked, 1, 0) > 0
    }

    /// Waits until the reader takes bytes again or `wakeup` is readable, at most `milliseconds`.
    func wait(orFor wakeup: Int32, milliseconds: Int32) {
        var asked: InlineArray<2, pollfd> = [
            pollfd(fd: wakeup, events: Int16(POLLIN), revents: 0),
            pollfd(fd: isFile ? -1 : descriptor, events: Int16(POLLOUT), revents: 0),
        ]
        var span = asked.mutableSpan
        unsafe span.withUnsafeMutableBufferPointer { both in
            // SAFETY: the call reads and fills the two structs.
            unsafe _ = poll(both.baseAddress, 2, milliseconds)
        }
    }
}
