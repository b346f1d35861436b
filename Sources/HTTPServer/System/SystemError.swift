import Glibc

/// A system call that failed, with its `errno`.
package struct SystemError: Error, Equatable, CustomStringConvertible {
    package var call: StaticString
    /// `errno`.
    package var code: Int32

    package var description: String { "\(call): \(Self.message(code))" }

    /// What the system says of an `errno`, for messages to an operator.
    static func message(_ code: Int32) -> String {
        // SAFETY: strerror's text is copied before anybody can ask it again on this thread.
        unsafe String(cString: strerror(code))
    }

    package static func == (left: SystemError, right: SystemError) -> Bool { left.code == right.code }
}

/// Passes a result on, or throws what a negative one stands for.
func check<Value: FixedWidthInteger>(_ result: Value, _ call: StaticString) throws(SystemError) -> Value {
    if result < 0 { throw SystemError(call: call, code: -Int32(truncatingIfNeeded: result)) }
    return result
}
