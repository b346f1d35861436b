import CLinux
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
        var bound: [ListenAddress] = []
        var shared: ServerShared?
        var threads: [POSIXThread] = []
        var files: [SocketFile] = []
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

    /// The port of the first TCP listener; the configured one before ``start()``, 0 without any.
    package var port: Int {
        let addresses = state.withLock { $0.bound } + configuration.listeners.map(\.address)
        for case .tcp(_, let port) in addresses { return port }
        return 0
    }

    /// Where the server listens, in the order of the configuration, with the ports that the kernel chose; empty before ``start()``.
    package var boundAddresses: [ListenAddress] { state.withLock { $0.bound } }

    /// Binds, listens and starts the loops. Once it returns, ``port`` is known and clients can connect.
    package func start() throws(ServerError) {
        try state.withLock { state throws(ServerError) in
            if state.shared != nil { throw .alreadyStarted }
            try check()
            do throws(ServerError) {
                try start(&state)
            } catch {
                // Loops that did start have nothing to answer.
                for file in state.files { file.remove() }
                state.shared?.advance(to: .draining, drainDeadline: MonotonicTime(nanoseconds: 0))
                for thread in state.threads { thread.join() }
                state = State()
                throw error
            }
        }
    }

    /// From now on the last answer of each connection says `Connection: close`, so that clients go elsewhere by themselves.
    /// Nothing else changes: connections are accepted and requests answered as before.
    package func beginClosing() { state.withLock { $0.shared }?.advance(to: .closing) }

    /// Stops accepting. What is connected stays connected, with `Connection: close` in its next answer, and who is about to be
    /// connected gets in.
    package func closeListeners() {
        let (shared, files) = state.withLock { ($0.shared, $0.files) }
        // Whoever has not found the file by now finds no server; whoever has is in the queue, which is emptied.
        for file in files { file.remove() }
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
            let (shared, threads, files) = state.withLock { ($0.shared, $0.threads, $0.files) }
            guard let shared else { return true }
            for file in files { file.remove() }
            shared.advance(to: .draining, drainDeadline: Clock.now() + time.clampedNanoseconds)
            for thread in threads { thread.join() }
            let wasInTime = !shared.wasCut.load(ordering: .relaxed)
            drained = wasInTime
            return wasInTime
        }
    }

    // MARK: Starting

    private func check() throws(ServerError) {
        guard (1...64).contains(configuration.listeners.count) else {
            throw .invalidListenerCount(configuration.listeners.count)
        }
        for listener in configuration.listeners {
            guard case .tcp(let host, let port) = listener.address else { continue }
            guard BoundSocket.addressFamily(Self.literal(host)) != nil else { throw .invalidHost(host) }
            guard (0...65_535).contains(port) else { throw .invalidPort(port) }
        }
        guard (1...256).contains(configuration.loops) else { throw .invalidLoopCount(configuration.loops) }
        do throws(InvalidLimit) {
            try configuration.limits.check()
            try configuration.gzip.check()
        } catch {
            throw .invalidLimit(name: error.name, got: error.got, wanted: error.wanted)
        }
    }

    private static func literal(_ host: String) -> String {
        if host == "localhost" { return "127.0.0.1" }
        return host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }

    private func start(_ state: inout State) throws(ServerError) {
        // One list for each loop. All sockets listen before the first loop starts: an address that cannot be had is found
        // out before anybody is answered.
        var listeners = [[Listener]](repeating: [], count: configuration.loops)
        for configuration in configuration.listeners {
            do throws(SystemError) {
                let opened = try open(configuration, &state)
                for loop in opened.indices { listeners[loop].append(opened[loop]) }
            } catch {
                throw Self.serverError(error, configuration.address)
            }
        }
        do throws(SystemError) {
            let shared = try ServerShared(configuration)
            state.shared = shared
            for number in 0..<configuration.loops {
                let poll = try EventPoll()
                try poll.add(shared.loops[number].wakeup.descriptor.raw, .read, EventLoop.wakeupRegistration)
                for (index, listener) in listeners[number].enumerated() {
                    try poll.watch(listener, EventLoop.listenerRegistration(index))
                }
                try startLoop(number, LoopParts(listeners: listeners[number], poll: poll), shared, &state)
            }
        } catch {
            throw .system(call: "\(error.call)", code: error.code)
        }
    }

    /// Opens what one address needs: a listener for each loop.
    private func open(
        _ listener: ListenerConfiguration, _ state: inout State
    ) throws(SystemError) -> [Listener] {
        switch listener.address {
        case .tcp(let host, let port): return try openTCP(listener, host, port, &state)
        case .unix(let path):
            var file = clinux_file()
            let socket = try BoundSocket(
                listeningAt: path, mode: listener.fileMode, backlog: configuration.limits.acceptBacklog, file: &file)
            state.files.append(SocketFile(path: path, file: file))
            state.bound.append(listener.address)
            return try share(socket, .unix, listener)
        case .inherited(let descriptor):
            state.bound.append(listener.address)
            return try share(BoundSocket(inherited: descriptor), .inherited, listener)
        }
    }

    private func openTCP(
        _ listener: ListenerConfiguration, _ host: String, _ port: Int, _ state: inout State
    ) throws(SystemError) -> [Listener] {
        let literal = Self.literal(host)
        // An IPv6 wildcard takes IPv4 too, unless IPv4 has a listener of its own on the port.
        let onlyIPv6 = configuration.listeners.contains { other in
            if case .tcp(let host, port) = other.address { !host.contains(":") } else { false }
        }
        let sharesPort = configuration.loops > 1
        if sharesPort, port != 0 {
            // SO_REUSEPORT would let us share the port with another process of the same user without a word. A socket
            // without it cannot be bound while anybody listens.
            _ = try BoundSocket(host: literal, port: port, sharesPort: false, onlyIPv6: onlyIPv6)
        }
        var chosen = port
        var listeners: [Listener] = []
        for _ in 0..<configuration.loops {
            let socket = try BoundSocket(host: literal, port: chosen, sharesPort: sharesPort, onlyIPv6: onlyIPv6)
            try socket.listen(backlog: configuration.limits.acceptBacklog)
            chosen = try socket.localPort()
            listeners.append(Listener(socket.release(), .own, listener))
        }
        state.bound.append(.tcp(host: host, port: chosen))
        return listeners
    }

    /// Gives each loop a descriptor of one socket.
    private func share(
        _ socket: borrowing BoundSocket, _ kind: Listener.Kind, _ configuration: ListenerConfiguration
    ) throws(SystemError) -> [Listener] {
        var listeners: [Listener] = []
        for _ in 0..<self.configuration.loops {
            listeners.append(Listener(try socket.duplicate(), kind, configuration))
        }
        return listeners
    }

    private func startLoop(
        _ number: Int, _ parts: consuming LoopParts, _ shared: ServerShared, _ state: inout State
    ) throws(SystemError) {
        let handedOver = HandOver(parts)
        let makeLoop = makeLoop
        state.threads.append(
            try POSIXThread(name: "http-loop-\(number)") {
                guard let parts = handedOver.take() else { return }
                let (handler, observer) = makeLoop(number)
                var loop = EventLoop(
                    number: number, shared: shared, parts: parts, handler: handler, observer: observer)
                loop.run()
            })
    }

    private static func serverError(_ error: SystemError, _ address: ListenAddress) -> ServerError {
        switch (address, error.code) {
        case (.tcp(let host, let port), EADDRINUSE): .addressInUse(host: host, port: port)
        case (.tcp(let host, _), EADDRNOTAVAIL), (.tcp(let host, _), EAFNOSUPPORT): .addressNotAvailable(host: host)
        case (.tcp(_, let port), EACCES): .portNotPermitted(port: port)
        case (.unix(let path), EADDRINUSE): .socketPath(path, problem: .inUse)
        case (.unix(let path), EEXIST): .socketPath(path, problem: .noSocket)
        case (.unix(let path), ENOENT), (.unix(let path), ENOTDIR): .socketPath(path, problem: .noDirectory)
        case (.unix(let path), EACCES), (.unix(let path), EPERM), (.unix(let path), EROFS):
            .socketPath(path, problem: .notPermitted)
        case (.unix(let path), ENAMETOOLONG): .socketPath(path, problem: .tooLong)
        case (.inherited(let raw), EBADF), (.inherited(let raw), ENOTSOCK), (.inherited(let raw), EINVAL):
            .notListening(descriptor: raw)
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
