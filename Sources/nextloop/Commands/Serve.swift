import ArgumentParser
import FactorModel
import Foundation
import HTTPServer
import Logging
import ModelRegistry
import RecommendService

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Answers GET /recommend and Prometheus' /metrics over HTTP.",
        discussion: """
            SIGTERM or SIGINT: /readyz turns 503 at once, requests are answered for --drain-seconds more, then what \
            is in flight is finished, within --shutdown-timeout, and the process exits 0. A second signal ends it at once \
            (143 or 130 in a shell). SIGHUP reads the TLS certificates again, opens the access log again and ends nothing. Sockets of systemd (LISTEN_FDS) are listened on.
            """)

    @OptionGroup var registry: RegistryOptions
    @OptionGroup var version: VersionOptions

    @OptionGroup var listening: ListenOptions

    @Option(help: "Event loops, one thread each, 1 to 256. Default: the cores of this machine.")
    var threads: Int?

    @Option(help: "Seconds to go on serving after SIGTERM while /readyz says 503, 0 to 3600.")
    var drainSeconds = 5.0

    @Option(help: "Seconds to wait, after the drain, for requests in flight, 0 to 3600.")
    var shutdownTimeout = 10.0

    @OptionGroup var limits: LimitOptions
    @OptionGroup var tls: TLSOptions
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
        let signals = Signals()
        let log = Logger(label: "nextloop", factory: { StreamLogHandler.standardError(label: $0) })
        let loops = threads ?? ProcessInfo.processInfo.activeProcessorCount
        try raiseFileLimit(loops: loops)
        var configuration = ServerConfiguration(
            listeners: try listening.listeners(), loops: loops, limits: limits.limits)
        let tls = try tls.context(log: log)
        if let tls {
            configuration.encrypt(with: tls)
            signals.onHangup { tls.reload(log: log) }
        }
        configuration.trustedProxies = listening.trustedProxies
        let accessLog = try accessLog.open(loops: loops, log: log)
        if let accessLog { signals.onHangup { accessLog.reopen(log: log) } }
        let service = Service(
            loops: loops, version: BuildInfo.version, commit: BuildInfo.commit,
            hasAdminListener: configuration.listeners.contains { $0.role == .admin }, tls: tls, accessLog: accessLog)
        let server = HTTPServer(configuration) { loop in
            let service = service.makeLoop(loop)
            return (service, service)
        }
        // Listening comes first: whoever probes while a large model is verified gets a 503 that says so.
        try reporting { () throws(ServerError) in try server.start() }
        let model = try load(loops: loops)
        service.slot.publish(model)
        // A stop that was asked for while the model was loading: never say ready first.
        if !signals.isStopPending { service.readiness.become(.ready) }
        log.info(
            "ready on \(Self.list(server.boundAddresses, configuration, .service))",
            metadata: [
                "model": "\(model.name)", "version": "\(model.version)", "users": "\(model.snapshot.userCount)",
                "items": "\(model.snapshot.itemCount)", "threads": "\(loops)",
            ])
        if service.hasAdminListener {
            log.info("admin on \(Self.list(server.boundAddresses, configuration, .admin))")
        }

        // Behind the readiness: requests are answered meanwhile, exactly as after it, only slower.
        model.snapshot.prepare()

        let signal = signals.waitForStop()
        log.info("signal \(signal): draining for \(drainSeconds) s")
        service.readiness.become(.draining)
        Thread.sleep(forTimeInterval: drainSeconds)
        let finished = server.drain(within: .seconds(shutdownTimeout))
        accessLog?.end(log: log)
        log.info(
            finished ? "stopped: every request was answered" : "stopped: some connections were cut at the deadline")
    }

    private func load(loops: Int) throws -> ServedModel {
        let began = ContinuousClock.now
        return try reporting { () throws(RegistryError) in
            let number = try registry.opened.resolve(registry.model, version.selection)
            let opened = try registry.opened.open(registry.model, version: number, threads: loops)
            return ServedModel(
                name: registry.model, version: number, alias: version.aliasName, snapshot: opened.snapshot,
                manifest: opened.manifestBytes, createdAt: opened.manifest.createdAt.timeIntervalSince1970,
                loadedAt: Date().timeIntervalSince1970, loadSeconds: (ContinuousClock.now - began) / .seconds(1),
                loops: loops)
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
