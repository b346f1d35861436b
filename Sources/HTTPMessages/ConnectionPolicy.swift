/// ``Limits`` made ready for a connection: its durations as nanoseconds, converted once.
package struct ConnectionPolicy: Sendable {
    package let limits: Limits
    let headTime: UInt64
    package let tlsHandshakeTime: UInt64
    let bodyTime: UInt64
    let idleTime: UInt64
    let writeStallTime: UInt64
    let lingerTime: UInt64
    let drainIdleTime: UInt64

    package init(_ limits: Limits) {
        self.limits = limits
        headTime = limits.headTime.clampedNanoseconds
        tlsHandshakeTime = limits.tlsHandshakeTime.clampedNanoseconds
        bodyTime = limits.bodyTime.clampedNanoseconds
        idleTime = limits.idleTime.clampedNanoseconds
        writeStallTime = limits.writeStallTime.clampedNanoseconds
        lingerTime = limits.lingerTime.clampedNanoseconds
        drainIdleTime = limits.drainIdleTime.clampedNanoseconds
    }
}
