package import ModelRegistry

/// How a registry is followed.
package struct FollowSettings: Sendable {
    /// Bytes a second that a load reads; nil: as fast as they come.
    package var loadBytesPerSecond: Int?
    /// Versions that stay in memory after another took their place, so that going back to them is immediate.
    package var previousKept = 0
    /// Seconds before a version that could not be read is tried again; doubled each time, up to `retrySecondsMax`.
    package var retrySeconds = 1.0
    package var retrySecondsMax = 60.0
    package var gates = GateSettings()
    /// Threads of the first load of a process, which nobody else waits beside. Later loads use one.
    package var firstLoadThreads = 1
    /// What spares a restart the digests of files that did not change; nil: they are always read.
    package var records: VerificationRecords?

    package init() {}
}
