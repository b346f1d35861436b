import Glibc

/// What the system calls error `code`, such as "Permission denied".
func systemMessage(_ code: Int32) -> String {
    // SAFETY: strerror answers a terminated string, copied before any other call can change it.
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
}
