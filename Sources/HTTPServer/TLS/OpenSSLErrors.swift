import COpenSSL

/// The calling thread's queue of OpenSSL errors.
///
/// Many connections share a thread, so that whatever one call leaves in the queue would be taken for the next one's: it is
/// emptied before each call whose errors are asked for.
enum OpenSSLErrors {
    static func clear() { ERR_clear_error() }

    /// The reason code of the first error since ``clear()``; 0 when there is none.
    static var firstReason: Int32 { ERR_GET_REASON(ERR_peek_error()) }

    /// Whether a PEM reader stopped because there is no further block, which is how each of them ends.
    static var isEndOfPEM: Bool {
        let last = ERR_peek_last_error()
        return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE
    }

    /// The first error in words, and the queue emptied.
    static func take() -> String {
        let code = ERR_get_error()
        defer { ERR_clear_error() }
        // SAFETY: OpenSSL answers with a static string, or with nil for a code that it has no text for.
        guard code != 0, let text = unsafe ERR_reason_error_string(code) else { return "no reason given" }
        return unsafe String(cString: text)
    }
}
