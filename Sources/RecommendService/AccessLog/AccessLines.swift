import Glibc
import HTTPMessages

/// One loop's door to the access log: called on that loop's thread only, once a request, and never waits.
final class AccessLines {
    private let log: AccessLog
    private let ring: LineRing
    private let settings: AccessLogSettings
    // Reused for every line.
    private var line = ByteBuffer(capacity: 1024)
    private var timestamp = UTCTimestamp()

    init(_ log: AccessLog, _ ring: LineRing) {
        self.log = log
        self.ring = ring
        settings = log.settings
    }

    /// Logs a request that has just ended, if it is one to be logged.
    func write(_ entry: borrowing AccessEntry, requestID: [UInt8]) {
        if let threshold = settings.slowerThanNanoseconds, entry.nanoseconds < threshold, entry.status < 400,
            !entry.wasCut
        {
            return
        }
        var now = timespec()
        // SAFETY: clock_gettime writes the timespec that it is given.
        unsafe _ = clock_gettime(CLOCK_REALTIME, &now)
        line.removeAll()
        line.append(
            entry, requestID: requestID.span, time: (Int64(now.tv_sec), now.tv_nsec), settings.format,
            includesClient: settings.includesClient, &timestamp)
        line.withBytes { ring.offer($0) }
        log.wakeIfAsleep()
    }
}
