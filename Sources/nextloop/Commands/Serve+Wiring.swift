import FactorModel
import Glibc
import HTTPServer
import Logging
import ModelRegistry
import RecommendService

extension Serve {
    /// Puts the parts of the process together, from the outside in. Files are opened; nothing listens or loads yet.
    ///
    /// - Parameter signals: SIGHUP reads and opens files again.
    func wired(_ signals: Signals, _ log: Logger) throws -> ServingProcess {
        let loops = threads ?? AvailableProcessors.count()
        try raiseFileLimit(loops: loops)
        var configuration = ServerConfiguration(
            listeners: try listening.listeners(), loops: loops, limits: limits.limits)
        configuration.gzip = contentCoding.settings
        configuration.trustedProxies = listening.trustedProxies
        let tls = try tls.context(log: log)
        if let tls {
            configuration.encrypt(with: tls)
            try signals.onHangup { tls.reload(log: log) }
        }
        let accessLog = try accessLog.open(loops: loops, log: log)
        if let accessLog { try signals.onHangup { accessLog.reopen(log: log) } }
        let models = ModelStore(try experiments.completed(try follow.declarations()), loops: loops)
        let unavailable = UnavailableItems(follow.opened, models) { log.warning("\($0)") }
        let follower = try follower(models, unavailable, loops: loops, log)
        let service = Service(
            models, follower: follower, unavailable: unavailable, admin: try admin.admin(unavailable, log),
            version: BuildInfo.version, commit: BuildInfo.commit,
            hasAdminListener: configuration.listeners.contains { $0.role == .admin }, tls: tls, accessLog: accessLog)
        let server = HTTPServer(configuration) { loop in
            let service = service.makeLoop(loop)
            return (service, service)
        }
        return ServingProcess(
            log: log, loops: loops, listeners: configuration.listeners, registry: follow.opened, models: models,
            follower: follower, unavailable: unavailable, service: service, server: server, accessLog: accessLog,
            settings: ServingProcess.Settings(
                waitsForModel: follow.waitForModel, pollSeconds: follow.pollSeconds, drainSeconds: drainSeconds,
                shutdownTimeout: shutdownTimeout))
    }

    private func follower(
        _ models: ModelStore, _ unavailable: UnavailableItems, loops: Int, _ log: Logger
    ) throws -> ModelFollower {
        let settings = follow.settings(gates: gates.settings, threads: loops)
        if let problem = settings.records?.problem {
            log.warning("--verification-records: \(problem); every file is read at each start")
        }
        return try ModelFollower(models, follow.opened, settings: settings, prepare: unavailable.prepare) { event in
            log.log(level: event.isError ? .error : event.isWarning ? .warning : .info, "\(event)")
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
}
