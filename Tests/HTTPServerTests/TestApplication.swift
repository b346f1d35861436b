import Glibc
import HTTPMessages
import HTTPServer
import Synchronization

/// What the observers of a server saw, from all loops.
final class Observations: Sendable {
    struct Request: Equatable {
        var route: Int
        var method: HTTPMethod
        var status: Int
        var requestBytes: Int
        var responseBytes: Int
    }

    struct Counts {
        var began = 0
        var requests: [Request] = []
        var opened = 0
        var closed = 0
        var ends: [ConnectionEnd] = []
        var activity: [Bool] = []
        var rejected: [RejectionReason] = []
        var handshakes: [TLSHandshakeResult] = []
        /// How many handshakes had ended when each request was answered.
        var handshakesAtAnswers: [Int] = []
        /// Requests answered by each loop.
        var byLoop: [Int: Int] = [:]
        var openedByLoop: [Int: Int] = [:]
    }

    private let counts = Mutex(Counts())

    var all: Counts { counts.withLock { $0 } }
    func record(_ change: (inout Counts) -> Void) { counts.withLock { change(&$0) } }

    /// Waits, at most five seconds, until `condition` holds.
    func wait(until condition: (Counts) -> Bool) -> Bool {
        for _ in 0..<5000 {
            if condition(all) { return true }
            usleep(1000)
        }
        return false
    }
}

/// Routes: `/echo` the body, `/large` a megabyte, `/slow` after 150 ms, `/who` the role and the client, anything else its path.
/// Essential: `/essential`.
final class TestHandler: RequestHandler {
    func respond(
        to head: borrowing RequestHead, bytes: Span<UInt8>, body: Span<UInt8>, context: RequestContext,
        into response: inout Response
    ) -> Int {
        let path = String(decoding: head.path.map { bytes[$0] }, as: UTF8.self)
        response.begin(status: 200, contentType: "text/plain")
        switch path {
        case "/echo":
            response.append(body)
            return 1
        case "/large":
            for _ in 0..<16_384 {
                response.append("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" as String)
            }
            return 2
        case "/slow":
            usleep(150_000)
            response.append("slow" as String)
            return 3
        case "/who":
            response.append("\(context.role) \(context.client)")
            return 4
        default:
            response.append(path)
            return 0
        }
    }

    func isEssential(_ head: borrowing RequestHead, bytes: Span<UInt8>) -> Bool {
        String(decoding: head.path.map { bytes[$0] }, as: UTF8.self) == "/essential"
    }

    func refuse(
        _ refusal: Refusal, head: RequestHead?, bytes: Span<UInt8>, context: RequestContext,
        into response: inout Response
    ) -> Int {
        response.begin(status: refusal.status, contentType: "text/plain")
        if let seconds = refusal.retryAfterSeconds { response.header("Retry-After", seconds) }
        response.append(refusal.detail)
        return refusalRoute
    }
}

final class TestObserver: ServerObserver {
    private let observations: Observations
    private let loop: Int

    init(_ observations: Observations, loop: Int) {
        self.observations = observations
        self.loop = loop
    }

    func requestBegan() { observations.record { $0.began += 1 } }

    func requestEnded(
        route: Int, method: HTTPMethod, status: Int, requestBytes: Int, responseBytes: Int, nanoseconds: UInt64
    ) {
        let request = Observations.Request(
            route: route, method: method, status: status, requestBytes: requestBytes, responseBytes: responseBytes)
        observations.record {
            $0.requests.append(request)
            $0.handshakesAtAnswers.append($0.handshakes.count)
            $0.byLoop[loop, default: 0] += 1
        }
    }

    func connectionOpened() {
        observations.record {
            $0.opened += 1
            $0.openedByLoop[loop, default: 0] += 1
        }
    }
    func connectionClosed(_ end: ConnectionEnd) {
        observations.record {
            $0.closed += 1
            $0.ends.append(end)
        }
    }
    func connectionActivityChanged(isActive: Bool) { observations.record { $0.activity.append(isActive) } }
    func connectionRejected(_ reason: RejectionReason) { observations.record { $0.rejected.append(reason) } }
    func tlsHandshakeEnded(_ result: TLSHandshakeResult) { observations.record { $0.handshakes.append(result) } }
}

/// A started server on a port of its own, ended with the value.
final class TestServer: Sendable {
    let server: HTTPServer
    let observations = Observations()
    var port: Int { server.port }

    /// - Parameter tls: nil for what ``Transport/current`` says.
    convenience init(loops: Int = 1, tls: TLSContext? = nil, _ change: (inout Limits) -> Void = { _ in }) throws {
        var configuration = ServerConfiguration(port: 0, loops: loops)
        change(&configuration.limits)
        configuration.listeners[0].tls = try tls ?? Transport.current.serverContext()
        try self.init(configuration)
    }

    init(_ configuration: ServerConfiguration) throws {
        let observations = observations
        server = HTTPServer(configuration) { loop in (TestHandler(), TestObserver(observations, loop: loop)) }
        try server.start()
    }

    deinit { server.drain(within: .zero) }

    func client() throws -> TestClient { try TestClient(port: port) }
}

func get(_ path: String, _ headers: String = "") -> String { "GET \(path) HTTP/1.1\r\nHost: h\r\n\(headers)\r\n" }
