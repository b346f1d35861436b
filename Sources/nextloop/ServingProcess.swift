import FactorModel
import FoundationEssentials
import Glibc
import HTTPServer
import Logging
import ModelRegistry
import RecommendService
import Synchronization

/// The parts of a process that serves, how they start and how they stop. What they are made of: ``Serve/wired(_:_:)``.
struct ServingProcess: Sendable {
    let log: Logger
    let loops: Int
    let listeners: [ListenerConfiguration]
    let registry: Registry
    let models: ModelStore
    let follower: ModelFollower
    let unavailable: UnavailableItems
    let service: Service
    let server: HTTPServer
    let accessLog: AccessLog?
    let settings: Settings

    struct Settings: Sendable {
        /// Stay up without a version that can be served.
        let waitsForModel: Bool
        let pollSeconds: Double
        let drainSeconds: Double
        let shutdownTimeout: Double
    }

    // MARK: Start

    /// Listens, loads what can be served now, says ready, and follows the registry from then on.
    ///
    /// - Parameter signals: SIGHUP looks at the registry.
    /// - Throws: when nothing can be listened on, or a model has no version that can be served, unless it is to wait. By then what was
    ///   answered meanwhile is in the access log. Does not return when a stop came first: that ends the process.
    func start(_ signals: Signals) throws {
        do {
            try begin(signals)
        } catch {
            if service.readiness.beginDraining() == .draining { Self.awaitEnd() }
            server.drain(within: .zero)
            keepWhatWaits()
            throw error
        }
    }

    private func begin(_ signals: Signals) throws {
        // Listening comes first: whoever probes while a large model is verified gets a 503 that says so.
        try reporting { () throws(ServerError) in try server.start() }
        let watch = RegistryWatch(
            registry, models: models.plan.models.map(\.name), interval: .seconds(settings.pollSeconds),
            note: { log.info("\($0)") }, unchanged: { models.noteUnchanged(at: Date().timeIntervalSince1970) })
        // Marks first: a version never answers without them.
        try unavailable.start()
        try firstLook()
        // A thread that cannot be had is said before the readiness, not after.
        try follow(watch)
        try signals.onHangup {
            log.info("SIGHUP: looking at the registry")
            follower.lookAgain()
        }
        // A stop came first: never say ready after it.
        guard service.readiness.becomeReady() else { return }
        logReadiness()
        // Behind the readiness: requests are answered meanwhile, exactly as after it, only slower.
        follower.prepareLoaded()
    }

    private func follow(_ watch: RegistryWatch) throws {
        try POSIXThread.detach(name: "registry-watch") { while watch.wait() { follower.wake() } }
        try follower.start()
        try service.startShadows()
    }

    /// Loads what can be served now. A model that has nothing ends the process, unless it is to wait.
    private func firstLook() throws {
        let failures = follower.look()
        if settings.waitsForModel { return }
        for model in models.plan.models where model.live == nil {
            switch failures[model.name] {
            case .registry(let error): throw CommandFailure(error.exitCode, "\(error)")
            case let failure: throw CommandFailure(.badData, "\(model.name): \(failure?.description ?? "no version")")
            }
        }
    }

    // MARK: Stop

    /// Ends the process as an operator asked for, on whatever thread that came to: drains, finishes what is in flight, writes down what must
    /// not be lost, and exits with 0. A process that never said ready has nobody to drain for, and ends at once.
    ///
    /// Returns only when ``start(_:)`` has failed and is ending the process.
    func stop(_ signal: Int32) {
        let before = service.readiness.beginDraining()
        if before == .draining { return }
        let wasReady = before == .ready
        log.info(
            wasReady
                ? "signal \(signal): draining for \(settings.drainSeconds) s"
                : "signal \(signal) before the process was ready: ending")
        if wasReady {
            server.beginClosing()
            sleep(seconds: settings.drainSeconds)
        }
        let answered = server.drain(
            within: .seconds(wasReady ? settings.shutdownTimeout : min(Self.unreadySeconds, settings.shutdownTimeout)))
        keepWhatWaits()
        log.info(
            answered ? "stopped: every request was answered" : "stopped: some connections were cut at the deadline")
        // Not `exit`: its handlers take apart what a thread that loads still uses.
        _exit(0)
    }

    /// Changes and log lines of answers that were given.
    private func keepWhatWaits() {
        let unmade = unavailable.finishChanges(within: Self.changeSeconds)
        if unmade > 0 {
            log.warning("\(unmade) changes of unavailable items were not made: the disk or a lock took too long")
        }
        accessLog?.end(log: log)
    }

    /// For the thread that has nothing more to do: another one ends the process.
    static func awaitEnd() -> Never {
        while true { pause() }
    }

    /// For requests in flight when the process never said ready: probes, which are answered in no time.
    private static let unreadySeconds = 1.0

    /// For changes of items that operators asked for before the end. All that may wait take a fifth of a second on a disk that works.
    private static let changeSeconds = 5.0

    private func sleep(seconds: Double) {
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int((seconds - seconds.rounded(.down)) * 1e9))
        var left = timespec()
        // SAFETY: one struct is read; the other is filled with what is left when a signal comes in between.
        while unsafe nanosleep(&time, &left) != 0, errno == EINTR { time = left }
    }

    // MARK: What the log says of it

    private func logReadiness() {
        let plan = models.plan
        let addresses = list(.service)
        let missing = plan.models.filter { $0.live == nil }.map(\.name)
        if missing.isEmpty {
            for model in plan.models.reversed() {
                guard let live = model.live else { continue }
                log.info(
                    "\(model.name == plan.standard.name ? "ready on \(addresses)" : "also serving")",
                    metadata: [
                        "model": "\(live.name)", "version": "\(live.version)", "users": "\(live.snapshot.userCount)",
                        "items": "\(live.snapshot.itemCount)", "threads": "\(loops)",
                    ])
            }
        } else {
            log.warning(
                "listening on \(addresses), not ready: waiting for a version of \(missing.joined(separator: ", "))")
        }
        if service.hasAdminListener { log.info("admin on \(list(.admin))") }
    }

    /// The addresses of one role, as URLs where they have one.
    private func list(_ role: ListenerRole) -> String {
        zip(server.boundAddresses, listeners).filter { $1.role == role }.map { address, listener in
            if case .tcp = address { "\(listener.tls == nil ? "http" : "https")://\(address)" } else { "\(address)" }
        }.joined(separator: ", ")
    }
}

/// Who is told of a stop from the very beginning: before its parts are put together there is nothing of a process to end but itself.
final class StopReceiver: Sendable {
    private let process = Mutex<ServingProcess?>(nil)

    func hand(to process: ServingProcess) { self.process.withLock { $0 = process } }

    func receive(_ signal: Int32) {
        guard let process = process.withLock({ $0 }) else { _exit(0) }
        process.stop(signal)
    }
}
