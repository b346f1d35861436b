/// ``Limits`` and ``GzipSettings`` made ready for a connection: its durations as nanoseconds, converted once.
package struct ConnectionPolicy: Sendable {
    package let limits: Limits
    package let gzip: GzipSettings
    let headTime: UInt64
    let bodyTime: UInt64
    let idleTime: UInt64
    let writeStallTime: UInt64
    let lingerTime: UInt64
    let drainIdleTime: UInt64

    package init(_ limits: Limits, gzip: GzipSettings = GzipSettings()) {
        self.limits = limits
        self.gzip = gzip
        headTime = limits.headTime.clampedNanoseconds
        bodyTime = limits.bodyTime.clampedNanoseconds
        idleTime = limits.idleTime.clampedNanoseconds
        writeStallTime = limits.writeStallTime.clampedNanoseconds
        lingerTime = limits.lingerTime.clampedNanoseconds
        drainIdleTime = limits.drainIdleTime.clampedNanoseconds
    }
}
