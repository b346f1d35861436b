import CBuildInfo

/// Which build this is, for `--version`, the `Server` of a bug report and `nextloop_build_info`.
enum BuildInfo {
    static let version = "0.1.0"

    static var commit: String {
        // SAFETY: nextloop_commit returns a string literal.
        unsafe String(cString: nextloop_commit())
    }
}
