import ArgumentParser
import Logging
import RecommendService

/// The access log of `serve`. docs/access-log.md says what is in a line.
struct AccessLogOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Log every request to this file, - for standard output. SIGHUP opens the file again. Default: no access log.",
            valueName: "file"))
    var accessLog: String?

    @Option(help: "How lines of the access log look: json or text. Default: json.")
    var accessLogFormat: AccessLogFormat?

    @Option(
        help: ArgumentHelp(
            "Log only requests that took at least so many milliseconds, 0 to 3600000, and all with a status of 400 and more.",
            valueName: "milliseconds"))
    var accessLogSlowerThan: Double?

    @Flag(help: "Log the client's address too. It is personal data in many places.")
    var accessLogClient = false

    @Option(
        help: ArgumentHelp(
            "Bytes of lines that each loop keeps for a log that is written slowly, 65536 to 1073741824; rounded up to a power "
                + "of two. More are dropped. Default: 1048576.", valueName: "bytes"))
    var accessLogBuffer: Int?

    func validate() throws {
        if accessLog == nil {
            let given =
                accessLogFormat != nil || accessLogSlowerThan != nil || accessLogClient || accessLogBuffer != nil
            if given { throw ValidationError("Options of the access log are given without --access-log.") }
        }
        if accessLog == "" { throw ValidationError("--access-log is empty; wanted a file, or - for standard output.") }
        if let accessLogSlowerThan, !(0...3_600_000).contains(accessLogSlowerThan) {
            throw ValidationError(
                "--access-log-slower-than is \(accessLogSlowerThan); wanted 0 to 3600000 milliseconds.")
        }
        if let accessLogBuffer, !AccessLogSettings.ringBytesRange.contains(accessLogBuffer) {
            throw ValidationError("--access-log-buffer is \(accessLogBuffer); wanted 65536 to 1073741824 bytes.")
        }
    }

    /// Opens the log; nil when there is to be none.
    func open(loops: Int, log: Logger) throws -> AccessLog? {
        guard let accessLog else { return nil }
        var settings = AccessLogSettings(destination: accessLog == "-" ? .standardOutput : .file(accessLog))
        settings.format = accessLogFormat ?? .json
        settings.slowerThanNanoseconds = accessLogSlowerThan.map { UInt64($0 * 1_000_000) }
        settings.includesClient = accessLogClient
        if let accessLogBuffer {
            settings.ringBytes = 1 << (Int.bitWidth - (accessLogBuffer - 1).leadingZeroBitCount)
        }
        return try reporting { () throws(AccessLogError) in
            try AccessLog(settings, loops: loops) { event in
                log.log(level: event.isWarning ? .warning : .info, "\(event)")
            }
        }
    }
}

extension AccessLogFormat: ExpressibleByArgument {}

extension AccessLogError: CommandError {
    var exitCode: CommandFailure.Code { .io }
}

extension AccessLog {
    /// Time for the lines that wait when the process ends.
    private static var endTime: Duration { .seconds(2) }

    /// Opens the file again, at SIGHUP. One that cannot be opened leaves everything as it is.
    func reopen(log: Logger) {
        do throws(AccessLogError) {
            try reopen()
        } catch {
            log.error("keeping the access log that is open: \(error)")
        }
    }

    /// Writes what waits, and says so when that takes too long.
    func end(log: Logger) {
        if !end(within: Self.endTime) {
            log.warning("the end of the access log could not be written in \(Self.endTime)")
        }
    }
}
