/// What to send, how, and when to stop.
package struct LoadPlan: Sendable {
    /// An address literal.
    package var host: String
    package var port: Int
    package var script: RequestScript
    /// Kept open, over all threads.
    package var connections = 32
    package var threads = 1
    /// Requests of one connection that may wait for their answers at a time.
    package var pipeline = 1
    /// No request is due after this.
    package var duration: Duration = .seconds(10)
    /// No more requests than this; nil for no end but the duration.
    package var requestsMax: Int?
    /// Open loop: requests that fall due each second, whether the server keeps up or not. nil, closed loop: a request is due when
    /// one before it was answered.
    package var requestsPerSecond: Double?
    /// From the time a request was due to the end of its answer; then it counts as timed out and its connection is closed.
    package var timeout: Duration = .seconds(10)
    /// Length of the timeline's intervals; nil for no timeline.
    package var interval: Duration?

    /// Intervals of a timeline; what comes later counts in the last.
    package static let intervalsMax = 3600

    package init(host: String, port: Int, script: RequestScript) {
        self.host = host
        self.port = port
        self.script = script
    }
}

extension Duration {
    /// Whole nanoseconds; a negative duration is none.
    var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        return seconds < 0 ? 0 : UInt64(seconds) * 1_000_000_000 + UInt64(max(0, attoseconds) / 1_000_000_000)
    }
}
