import Glibc

/// Shows how far long work is: a bar that redraws itself on a terminal, plain lines elsewhere.
///
/// Plain lines come at most every five seconds, so that a log of an hour's training stays readable.
final class ProgressReporter {
    private let isTerminal: Bool
    private let label: String
    private let clock = ContinuousClock()
    private let began: ContinuousClock.Instant
    private var lastShown: ContinuousClock.Instant?

    init(_ label: String) {
        self.label = label
        isTerminal = isatty(STDERR_FILENO) == 1
        began = clock.now
    }

    /// - Parameter fraction: done, 0 to 1, and taken for the nearer of the two when it is neither between them; nil when the end is not known.
    func update(fraction: Double?, detail: @autoclosure () -> String) {
        let now = clock.now
        let pause: Duration = isTerminal ? .milliseconds(100) : .seconds(5)
        if let lastShown, now - lastShown < pause { return }
        if lastShown == nil, !isTerminal, now - began < pause { return }
        lastShown = now
        // A bar is no reason to end hours of work.
        let fraction = fraction.flatMap { $0.isNaN ? nil : min(max($0, 0), 1) }
        let percent = fraction.map { String(Int(($0 * 100).rounded(.down))) + " %" } ?? ""
        if isTerminal {
            let filled = Int(((fraction ?? 0) * 24).rounded(.down))
            let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 24 - filled)
            // Carriage return and "erase to the end of the line" (ECMA-48 EL).
            standardErrorText("\r\u{1B}[K\(label) [\(bar)] \(percent) \(detail())")
        } else {
            standardError("\(label): \(percent.isEmpty ? "" : percent + ", ")\(detail())")
        }
    }

    /// Ends the bar and leaves one plain line.
    func finish(_ summary: String) {
        if isTerminal { standardErrorText("\r\u{1B}[K") }
        standardError("\(label): \(summary)")
    }
}

/// `250 ms`, `3.2 s`, `2 min 5 s`, `1 h 12 min`: what a person waiting wants to read.
func spokenDuration(seconds: Double) -> String {
    let whole = Int(seconds.rounded())
    if seconds < 1 { return "\(Int((seconds * 1000).rounded())) ms" }
    if whole < 60 { return whole < 10 ? "\((seconds * 10).rounded() / 10) s" : "\(whole) s" }
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    return "\(whole / 3600) h \(whole % 3600 / 60) min"
}
