import Glibc

/// What the system says of an errno, for messages to an operator.
package func systemMessage(_ code: Int32) -> String {
    var text = [CChar](repeating: 0, count: 256)
    // SAFETY: strerror_r writes at most the array's bytes, a terminating NUL among them.
    return unsafe text.withUnsafeMutableBufferPointer { room in
        guard let base = room.baseAddress, unsafe strerror_r(code, base, room.count) == 0 else {
            return "error \(code)"
        }
        return unsafe String(cString: base)
    }
}
