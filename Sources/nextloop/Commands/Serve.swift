import ArgumentParser
import Logging
import RecommendService

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Answers GET /recommend and Prometheus' /metrics over HTTP.",
        discussion: """
            Versions are followed, verified and held against gates while the one before serves on; GET /models tells what \
            became of each. SIGHUP: look at the registry now, also at what was refused.
            SIGTERM or SIGINT: /readyz turns 503 at once, requests are answered for --drain-seconds more, then what \
            is in flight is finished, within --shutdown-timeout, and the process exits 0. Before it was ready it exits 0 \
            without that. A second signal ends it at once (143 or 130 in a shell). SIGHUP also reads the TLS certificates again, opens the access log again and ends nothing. Sockets of \
            systemd (LISTEN_FDS) are listened on.
            """)

    @OptionGroup var follow: FollowOptions

    @OptionGroup var listening: ListenOptions

    @Option(
        help: """
            Event loops, one thread each, 1 to 256. Default: the CPUs that this process may use, by its affinity and by the quota of CPU \
            time of its control group (cpu.max) in whole CPUs rounded up, at most 256.
            """)
    var threads: Int?

    @Option(help: "Seconds to go on serving after SIGTERM while /readyz says 503, 0 to 3600.")
    var drainSeconds = 5.0

    @Option(help: "Seconds to wait, after the drain, for requests in flight, 0 to 3600.")
    var shutdownTimeout = 10.0

    @OptionGroup var limits: LimitOptions
    @OptionGroup var tls: TLSOptions
    @OptionGroup var gates: GateOptions
    @OptionGroup var admin: AdminOptions
    @OptionGroup var experiments: ExperimentOptions
    @OptionGroup var contentCoding: ContentCodingOptions
    @OptionGroup var accessLog: AccessLogOptions

    func validate() throws {
        if let threads, !(1...256).contains(threads) {
            throw ValidationError("--threads is \(threads); wanted 1 to 256.")
        }
        for (name, value) in [("drain-seconds", drainSeconds), ("shutdown-timeout", shutdownTimeout)] {
            guard (0...3600).contains(value) else {
                throw ValidationError("--\(name) is \(value); wanted 0 to 3600 seconds.")
            }
        }
    }

    func run() throws {
        LargeBlocks.returnToSystem()
        let signals = Signals()
        let log = Logger(label: "nextloop", factory: { StreamLogHandler.standardError(label: $0) })
        // Before anything that may take its time.
        let stops = StopReceiver()
        try signals.onStop { stops.receive($0) }
        let process = try wired(signals, log)
        stops.hand(to: process)
        try process.start(signals)
        ServingProcess.awaitEnd()
    }
}
