import ArgumentParser
import FactorModel
import FoundationEssentials
import Glibc
import HTTPServer
import Logging
import ModelRegistry
import RecommendService

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Answers GET /recommend and Prometheus' /metrics over HTTP.",
        discussion: """
            Versions are followed, verified and held against gates while the one before serves on; GET /models tells what \
            became of each. SIGHUP: look at the registry now, also at what was refused.
            SIGTERM or SIGINT: /readyz turns 503 at once, requests are answered for --drain-seconds more, then what \
            is in flight is finished, within --shutdown-timeout, and the process exits 0. A second signal ends it at once \
            (143 or 130 in a shell). SIGHUP also reads the TLS certificates again, opens the access log again and ends nothing. Sockets of \
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

    /// Raises the soft limit of open files to the hard one; connections are refused in order when even that is reached, but
    /// the process itself needs a few.
    private func raiseFileLimit(loops: Int) throws {
        let needed = UInt(32 + 8 * loops)
        var limit = rlimit()
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        // SAFETY: both calls read or write the struct that they are given.
        guard unsafe getrlimit(files, &limit) == 0 else { return }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            unsafe _ = setrlimit(files, &limit)
            unsafe _ = getrlimit(files, &limit)
        }
        guard limit.rlim_cur >= needed else {
            throw CommandFailure(
                .io, "only \(limit.rlim_cur) files may be open; wanted at least \(needed): raise the limit (ulimit -n)")
        }
    }

    func run() throws {
        LargeBlocks.returnToSystem()
        let signals = Signals()
        let log = Logger(label: "nextloop", factory: { StreamLogHandler.standardError(label: $0) })
        let loops = threads ?? AvailableProcessors.count()
        try raiseFileLimit(loops: loops)
        var configuration = ServerConfiguration(
            listeners: try listening.listeners(), loops: loops, limits: limits.limits)
        let tls = try tls.context(log: log)
        if let tls {
            configuration.encrypt(with: tls)
            try signals.onHangup { tls.reload(log: log) }
        }
        configuration.gzip = contentCoding.settings
        configuration.trustedProxies = listening.trustedProxies
        let accessLog = try accessLog.open(loops: loops, log: log)
        if let accessLog { try signals.onHangup { accessLog.reopen(log: log) } }
        let models = ModelStore(try experiments.completed(try follow.declarations()), loops: loops)
        let unavailable = UnavailableItems(follow.opened, models) { log.warning("\($0)") }
        let settings = follow.settings(gates: gates.settings, threads: loops)
        if let problem = settings.records?.problem {
            log.warning("--verification-records: \(problem); every file is read at each start")
        }
        let follower = ModelFollower(
            models, follow.opened, settings: settings,
            prepare: unavailable.prepare
        ) { event in
            log.log(level: event.isError ? .error : event.isWarning ? .warning : .info, "\(event)")
        }
        let service = Service(
            models, follower: follower, unavailable: unavailable, admin: try admin.admin(unavailable, log),
            version: BuildInfo.version, commit: BuildInfo.commit,
            hasAdminListener: configuration.listeners.contains { $0.role == .admin }, tls: tls, accessLog: accessLog)
        let server = HTTPServer(configuration) { loop in
            let service = service.makeLoop(loop)
            return (service, service)
        }
        // Listening comes first: whoever probes while a large model is verified gets a 503 that says so.
        try reporting { () throws(ServerError) in try server.start() }
        let watch = RegistryWatch(
            follow.opened, models: models.plan.models.map(\.name), interval: .seconds(follow.pollSeconds)
        ) { log.info("\($0)") }
        // Marks first: a version never answers without them.
        try unavailable.start()
        try firstLook(follower)
        // A stop that was asked for while the model was loading: never say ready first.
        if !signals.isStopPending { service.readiness.become(.ready) }
        logReadiness(
            models, on: Self.list(server.boundAddresses, configuration, .service), loops: loops, log)
        if service.hasAdminListener {
            log.info("admin on \(Self.list(server.boundAddresses, configuration, .admin))")
        }

        // Behind the readiness: requests are answered meanwhile, exactly as after it, only slower.
        follower.prepareLoaded()
        try POSIXThread.detach(name: "registry-watch") { while watch.wait() { follower.wake() } }
        try follower.start()
        try service.startShadows()

        try signals.onHangup {
            log.info("SIGHUP: looking at the registry")
            follower.lookAgain()
        }

        let signal = signals.waitForStop()
        log.info("signal \(signal): draining for \(drainSeconds) s")
        service.readiness.become(.draining)
        server.beginClosing()
        Self.sleep(seconds: drainSeconds)
        let finished = server.drain(within: .seconds(shutdownTimeout))
        let unmade = unavailable.finishChanges(within: Self.changeSeconds)
        if unmade > 0 {
            log.warning("\(unmade) changes of unavailable items were not made: the disk or a lock took too long")
        }
        accessLog?.end(log: log)
        log.info(
            finished ? "stopped: every request was answered" : "stopped: some connections were cut at the deadline")
    }

    /// For changes of items that operators asked for before the end. All that may wait take a fifth of a second on a disk that works.
    private static let changeSeconds = 5.0

    private static func sleep(seconds: Double) {
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int((seconds - seconds.rounded(.down)) * 1e9))
        var left = timespec()
        // SAFETY: one struct is read; the other is filled with what is left when a signal comes in between.
        while unsafe nanosleep(&time, &left) != 0, errno == EINTR { time = left }
    }

    /// Loads what can be served now. A model that has nothing ends the process, unless it is to wait.
    private func firstLook(_ follower: ModelFollower) throws {
        let failures = follower.look()
        if follow.waitForModel { return }
        for model in follower.store.plan.models where model.live == nil {
            switch failures[model.name] {
            case .registry(let error): throw CommandFailure(error.exitCode, "\(error)")
            case let failure: throw CommandFailure(.badData, "\(model.name): \(failure?.description ?? "no version")")
            }
        }
    }

    private func logReadiness(_ models: ModelStore, on addresses: String, loops: Int, _ log: Logger) {
        let plan = models.plan
        let missing = plan.models.filter { $0.live == nil }.map(\.name)
        guard missing.isEmpty else {
            return log.warning(
                "listening on \(addresses), not ready: waiting for a version of \(missing.joined(separator: ", "))"
            )
        }
        for model in plan.models.reversed() {
            guard let live = model.live else { continue }
            log.info(
                "\(model.name == plan.standard.name ? "ready on \(addresses)" : "also serving")",
                metadata: [
                    "model": "\(live.name)", "version": "\(live.version)", "users": "\(live.snapshot.userCount)",
                    "items": "\(live.snapshot.itemCount)", "threads": "\(loops)",
                ])
        }
    }

    /// The addresses of one role, as URLs where they have one.
    private static func list(
        _ addresses: [ListenAddress], _ configuration: ServerConfiguration, _ role: ListenerRole
    ) -> String {
        zip(addresses, configuration.listeners).filter { $1.role == role }.map { address, listener in
            if case .tcp = address { "\(listener.tls == nil ? "http" : "https")://\(address)" } else { "\(address)" }
        }.joined(separator: ", ")
    }
}
