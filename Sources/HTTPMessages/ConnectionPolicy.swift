/// ``Limits`` and ``GzipSettings`` made ready for a connection: its durations as nanoseconds, converted once.
package struct ConnectionPolicy: Sendable {
    package let limits: Limits
    package let gzip: GzipSettings
    let headTime: UInt64
    package let tlsHandshakeTime: UInt64
    let bodyTime: UInt64
    let idleTime: UInt64
    let writeStallTime: UInt64
    let lingerTime: UInt64
    package let drainIdleTime: UInt64
    package let queueTimeMax: UInt64
    /// Nanoseconds that each byte of an answer gives a slow client; 0 for no demand on its rate.
    let nanosecondsPerAnswerByte: UInt64

    package init(_ limits: Limits, gzip: GzipSettings = GzipSettings()) {
        self.limits = limits
        self.gzip = gzip
        headTime = limits.headTime.clampedNanoseconds
        tlsHandshakeTime = limits.tlsHandshakeTime.clampedNanoseconds
        bodyTime = limits.bodyTime.clampedNanoseconds
        idleTime = limits.idleTime.clampedNanoseconds
        writeStallTime = limits.writeStallTime.clampedNanoseconds
        lingerTime = limits.lingerTime.clampedNanoseconds
        drainIdleTime = limits.drainIdleTime.clampedNanoseconds
        queueTimeMax = limits.queueTimeMax.clampedNanoseconds
        nanosecondsPerAnswerByte =
            limits.answerBytesPerSecondMin == 0 ? 0 : max(1, 1_000_000_000 / UInt64(limits.answerBytesPerSecondMin))
    }
}
