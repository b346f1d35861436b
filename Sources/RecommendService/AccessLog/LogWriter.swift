import CLinux
import Glibc
import HTTPMessages
import Synchronization

/// What the access log's thread does: it takes lines from the rings and writes them, and waits in between.
struct LogWriter: ~Copyable {
    private let log: AccessLog
    private let report: @Sendable (AccessLogEvent) -> Void
    private var output: LogOutput
    /// Taken from the rings and not yet written: whole lines, or the rest of one and whole lines.
    private var batch = ByteBuffer(capacity: batchBytes)
    /// Whether `output` ends in the middle of a line, whose rest is next.
    private var isMidLine = false
    private var hasFailed = false
    private var dropsReported = 0
    private var dropsReportedAt: UInt64 = 0

    private static var batchBytes: Int { 64 * 1024 }
    /// Between two writes while there is traffic: what comes meanwhile goes in one.
    private static var gatheringMilliseconds: Int32 { 10 }
    private static var retryMilliseconds: Int32 { 1000 }
    private static var dropReportNanoseconds: UInt64 { 60_000_000_000 }

    init(_ log: AccessLog, _ output: consuming LogOutput, report: @escaping @Sendable (AccessLogEvent) -> Void) {
        self.log = log
        self.output = consume output
        self.report = report
    }

    /// Returns when the log is to end and all is written.
    mutating func run() {
        while true {
            // Asked before the rings are looked at: whoever ends the log has put all lines before.
            let isLast = log.isToEnd
            changeOutput()
            log.take(into: &batch, bytesMax: Self.batchBytes)
            if !batch.isEmpty {
                write()
                if batch.isEmpty, !isLast { log.waitForWakeup(milliseconds: Self.gatheringMilliseconds) }
            } else if isLast {
                break
            } else {
                reportDrops(isLast: false)
                log.sleep()
            }
        }
        reportDrops(isLast: true)
    }

    private mutating func write() {
        let result = batch.withBytes { output.write($0) }
        switch result {
        case .wrote(let count):
            isMidLine = batch.withBytes { count > 0 ? $0[count - 1] != 0x0A : isMidLine }
            batch.removeFirst(count)
            if hasFailed { report(.recovered(log.settings.destination)) }
            hasFailed = false
            reportDrops(isLast: false)
        case .blocked:
            output.wait(orFor: log.wakeup, milliseconds: Self.retryMilliseconds)
            _ = clinux_eventfd_clear(log.wakeup)
            reportDrops(isLast: false)
        case .failed(let code):
            if !hasFailed { report(.failed(AccessLogError(destination: log.settings.destination, code: code))) }
            hasFailed = true
            // The output itself would be reported at once, as broken or as writable.
            log.waitForWakeup(milliseconds: Self.retryMilliseconds)
        }
    }

    /// Goes on with the output that was opened last, if there is another. It begins with a whole line.
    private mutating func changeOutput() {
        guard let next = log.takeNextOutput() else { return }
        if isMidLine, !next.isSameFile(as: output) {
            batch.removeFirst(
                batch.withBytes { bytes in
                    var end = 0
                    while end < bytes.count, bytes[end] != 0x0A { end += 1 }
                    return min(end + 1, bytes.count)
                })
            log.linesLost.add(1, ordering: .relaxed)
            isMidLine = false
        }
        output = consume next
        hasFailed = false
        report(.reopened(log.settings.destination))
    }

    /// Says how many lines were dropped since the last time, at most once a minute.
    private mutating func reportDrops(isLast: Bool) {
        let dropped = log.lineCounts.dropped
        if dropped == dropsReported { return }
        let now = clinux_monotonic_nanoseconds()
        if !isLast, dropsReported > 0, now - dropsReportedAt < Self.dropReportNanoseconds { return }
        report(.dropped(dropped - dropsReported))
        dropsReported = dropped
        dropsReportedAt = now
    }
}
