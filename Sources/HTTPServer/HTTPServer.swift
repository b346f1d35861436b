import Glibc
import HTTPMessages
import Synchronization

/// An HTTP/1.1 server: event loops with a thread each, over POSIX sockets.
///
/// ```swift
/// let server = HTTPServer(ServerConfiguration(port: 8080, loops: 2)) { loop in (Handler(loop), Metrics(loop)) }
/// try server.start()
/// ...
/// let everyAnswerWasSent = server.drain(within: .seconds(5))
/// ```
package final class HTTPServer: Sendable {
    private let configuration: ServerConfiguration
    private let makeLoop: @Sendable (Int) -> (any RequestHandler, any ServerObserver)
    private let state = Mutex(State())

    private struct State {
        var port: Int?
        var shared: ServerShared?
        var threads: [Thread] = []
    }

    /// How the drain ended, nil before. A lock of its own: it is held until the loops have ended, whose handlers may ask for
    /// the port meanwhile.
    private let drained = Mutex<Bool?>(nil)

    /// - Parameter makeLoop: called once for each loop, on the loop's own thread, with its number from 0.
    package init(
        _ configuration: ServerConfiguration,
        makeLoop: @escaping @Sendable (Int) -> (any RequestHandler, any ServerObserver)
    ) {
        self.configuration = configuration
        self.makeLoop = makeLoop
    }

    deinit { drain(within: .zero) }

    /// The port listened on; the configured one before ``start()``.
    package var port: Int { state.withLock { $0.port } ?? configuration.port }

    /// Binds, listens and starts the loops. Once it returns, ``port`` is known and clients can connect.
    package func start() throws(ServerError) {
        try state.withLock { state throws(ServerError) in
            if state.shared != nil { throw .alreadyStarted }
            let host = try checkedHost()
            guard (0...65_535).contains(configuration.port) else { throw .invalidPort(configuration.port) }
            guard (1...256).contains(configuration.loops) else { throw .invalidLoopCount(configuration.loops) }
            do throws(InvalidLimit) {
                try configuration.limits.check()
                try configuration.gzip.check()
            } catch {
                throw .invalidLimit(name: error.name, got: error.got, wanted: error.wanted)
            }
            do throws(SystemError) {
                try start(&state, host: host)
            } catch {
                // Loops that did start have nothing to answer.
                state.shared?.advance(to: .draining, drainDeadline: MonotonicTime(nanoseconds: 0))
                for thread in state.threads { thread.join() }
                state = State()
                throw serverError(error)
            }
        }
    }

    /// Stops accepting. What is connected stays connected.
    package func closeListeners() {
        let shared = state.withLock { $0.shared }
        shared?.advance(to: .listenersClosed)
    }

    /// Stops accepting, answers what was received with `Connection: close`, and ends all loops.
    ///
    /// A call of a handler is never cut short: the return waits for it, and so a handler must not call this.
    ///
    /// - Parameter time: after it, connections are cut.
    /// - Returns: whether every answer was sent in time. Calling it again returns the same; true before ``start()``.
    @discardableResult
    package func drain(within time: Duration) -> Bool {
        drained.withLock { drained in
            if let drained { return drained }
            let (shared, threads) = state.withLock { ($0.shared, $0.threads) }
            guard let shared else { return true }
            shared.advance(to: .draining, drainDeadline: Clock.now() + time.clampedNanoseconds)
            for thread in threads { thread.join() }
            let wasInTime = !shared.wasCut.load(ordering: .relaxed)
            drained = wasInTime
            return wasInTime
        }
    }

    // MARK: Starting

    private func checkedHost() throws(ServerError) -> String {
        var host = configuration.host == "localhost" ? "127.0.0.1" : configuration.host
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard Listener.addressFamily(host) != nil else { throw .invalidHost(configuration.host) }
        return host
    }

    private func start(_ state: inout State, host: String) throws(SystemError) {
        let sharesPort = configuration.loops > 1
        if sharesPort, configuration.port != 0 {
            // SO_REUSEPORT would let us share the port with another process of the same user without a word. A socket
            // without it cannot be bound while anybody listens.
            _ = try Listener(host: host, port: configuration.port, sharesPort: false)
        }
        let shared = try ServerShared(
            policy: ConnectionPolicy(configuration.limits, gzip: configuration.gzip), loopCount: configuration.loops)
        state.shared = shared
        for number in 0..<configuration.loops {
            let listener = try Listener(host: host, port: state.port ?? configuration.port, sharesPort: sharesPort)
            try listener.listen(backlog: configuration.limits.acceptBacklog)
            state.port = try listener.localPort()
            let poll = try EventPoll()
            try poll.add(listener.descriptor.raw, .read, EventLoop.listenerRegistration)
            try poll.add(shared.loops[number].wakeup.descriptor.raw, .read, EventLoop.wakeupRegistration)
            try startLoop(number, LoopParts(listener: listener, poll: poll), shared, &state)
        }
    }

    private func startLoop(
        _ number: Int, _ parts: consuming LoopParts, _ shared: ServerShared, _ state: inout State
    ) throws(SystemError) {
        let handedOver = HandOver(parts)
        let makeLoop = makeLoop
        state.threads.append(
            try Thread(name: "http-loop-\(number)") {
                guard let parts = handedOver.take() else { return }
                let (handler, observer) = makeLoop(number)
                var loop = EventLoop(
                    number: number, shared: shared, parts: parts, handler: handler, observer: observer)
                loop.run()
            })
    }

    private func serverError(_ error: SystemError) -> ServerError {
        switch error.code {
        case EADDRINUSE: .addressInUse(host: configuration.host, port: configuration.port)
        case EADDRNOTAVAIL, EAFNOSUPPORT: .addressNotAvailable(host: configuration.host)
        case EACCES: .portNotPermitted(port: configuration.port)
        default: .system(call: "\(error.call)", code: error.code)
        }
    }
}

/// Carries what cannot be copied into a thread's closure, which cannot own it.
private final class HandOver: Sendable {
    private let parts: Mutex<LoopParts?>

    init(_ parts: consuming LoopParts) { self.parts = Mutex(consume parts) }

    func take() -> LoopParts? { parts.withLock { $0.take() } }
}
