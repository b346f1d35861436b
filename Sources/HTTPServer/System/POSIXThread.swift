import CLinux
import Glibc

/// A POSIX thread that runs one closure, with signals left to other threads.
package final class POSIXThread: Sendable {
    private let handle: pthread_t

    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void
        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    /// - Parameter name: at most 15 bytes, shown by `top -H`.
    init(name: String, _ run: @escaping @Sendable () -> Void) throws(SystemError) {
        var handle = pthread_t()
        // SAFETY: the box is retained here and released by the thread that takes it.
        let box = unsafe Unmanaged.passRetained(Body(name: name, run: run))
        let code = unsafe pthread_create(
            &handle, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let body = unsafe Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                unsafe clinux_prepare_thread(body.name)
                body.run()
                return nil
            }, box.toOpaque())
        if code != 0 {
            unsafe box.release()
            throw SystemError(call: "pthread_create", code: code)
        }
        self.handle = handle
    }

    /// Starts a thread that nobody waits for: it ends with its closure or with the process.
    ///
    /// - Parameter name: at most 15 bytes, shown by `top -H`.
    /// - Throws: when the system makes no more threads.
    package static func detach(name: String, _ run: @escaping @Sendable () -> Void) throws(SystemError) {
        pthread_detach(try POSIXThread(name: name, run).handle)
    }

    /// Waits for the thread to end.
    ///
    /// - Precondition: called once; joining twice is undefined.
    func join() {
        let code = pthread_join(handle, nil)
        precondition(code == 0, "BUG: joining a thread that is not there")
    }
}
