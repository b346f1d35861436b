/// A system call that failed, with its `errno`.
struct SystemError: Error, Equatable {
    var call: StaticString
    var code: Int32

    static func == (left: SystemError, right: SystemError) -> Bool { left.code == right.code }
}

/// Passes a result on, or throws what a negative one stands for.
func check<Value: FixedWidthInteger>(_ result: Value, _ call: StaticString) throws(SystemError) -> Value {
    if result < 0 { throw SystemError(call: call, code: -Int32(truncatingIfNeeded: result)) }
    return result
}
