import Glibc

/// A system call that failed, with its `errno`.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    package var call: StaticString
    /// `errno`.
    package var code: Int32

    package var description: String { Self.text("\(call)", code: code) }

    /// What the system says of an `errno`, for messages to an operator.
    static func message(_ code: Int32) -> String {
        // SAFETY: strerror's text is copied before anybody can ask it again on this thread.
        unsafe String(cString: strerror(code))
    }

    /// What failed, why, and for what the system may have run out of, what to do.
    static func text(_ call: String, code: Int32) -> String {
        let hint =
            switch (call, code) {
            case ("pthread_create", EAGAIN):
                "; no more threads are to be had: raise the limit of processes or memory (ulimit -u, -v)"
            case (_, EMFILE): "; raise the limit of open files (ulimit -n)"
            default: ""
            }
        return "cannot \(call): \(message(code))\(hint)"
    }

    package static func == (left: SystemError, right: SystemError) -> Bool { left.code == right.code }
}

/// Passes a result on, or throws what a negative one stands for.
func check<Value: FixedWidthInteger>(_ result: Value, _ call: StaticString) throws(SystemError) -> Value {
    if result < 0 { throw SystemError(call: call, code: -Int32(truncatingIfNeeded: result)) }
    return result
}
