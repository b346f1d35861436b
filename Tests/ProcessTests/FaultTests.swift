import Foundation
import TestSupport
import Testing

/// The built server under failing system calls: each call on the serving path fails at its n-th time, for every n that a
/// scripted exchange makes. Whatever fails, the server answers rightly or closes, does not crash, spin or wedge, and
/// answers the next client.
@Suite("Failing system calls", .serialized) struct FaultTests {
    private let made: SampleRegistry.Made

    init() throws { made = try SampleRegistry.made.get() }

    enum Wire: CaseIterable {
        case clear, tls

        var clientOptions: TLSClientSession.Options? { self == .clear ? nil : TLSClientSession.Options() }
    }

    private func faultyServer(threads: Int = 1, _ wire: Wire = .clear, drain: Int = 0) throws -> FaultyServer {
        var arguments =
            made.options + ["--threads", "\(threads)", "--linger-timeout", "0.05", "--drain-seconds", "\(drain)"]
        if wire == .tls {
            let pair = try TestCertificates.made.get().server
            arguments += ["--tls-certificate", pair.certificate, "--tls-key", pair.key]
        }
        return try FaultyServer(arguments)
    }

    // MARK: The exchange

    private static func get(_ target: String, _ headers: String = "") -> String {
        "GET \(target) HTTP/1.1\r\nHost: localhost\r\n\(headers)\r\n"
    }

    private static func post(_ target: String, _ type: String, _ body: String) -> String {
        "POST \(target) HTTP/1.1\r\nHost: localhost\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private var object: String { "{\"user_id\":\"\(made.guest)\",\"k\":3}" }

    /// What is sent in one piece, with the number of answers to it.
    private var exchange: [(bytes: String, answers: Int)] {
        let chunks = "\(String(object.utf8.count, radix: 16))\r\n\(object)\r\n0\r\n\r\n"
        let chunked =
            "POST /recommend HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        return [
            (Self.get("/livez"), 1), (Self.post("/recommend", "application/json", object), 1),
            (chunked, 0), (chunks, 1), (Self.get("/livez") + Self.get("/recommend?user_id=1&k=2"), 2),
            (
                Self.post(
                    "/recommend/bulk", "application/x-ndjson", Array(repeating: object + "\n", count: 150).joined()), 1
            ),
            (Self.get("/livez", "Connection: close\r\n"), 1),
        ]
    }

    /// Goes through the exchange. Returns the number of right answers, of seven, before the server closed.
    private func talk(_ server: FaultyServer, _ wire: Wire = .clear) throws -> Int {
        var answered = 0
        do {
            let connection = try LoopbackConnection(port: server.server.port, tls: wire.clientOptions)
            for (bytes, answers) in exchange {
                try connection.send(bytes)
                for _ in 0..<answers {
                    let answer = try connection.receive()
                    // Turned away for want of something, or answered; nothing else.
                    try #require(answer.status == 200, "\(answer.status) \(answer.text)")
                    if answer.headers["content-type"] == "application/x-ndjson" {
                        try #require(answer.body.split(separator: 10).count == 150)
                    }
                    answered += 1
                }
            }
            try #require(try connection.isClosedByPeer())
        } catch let failure as LoopbackConnection.Failure {
            // Closed or reset; a server that hangs shows as a receive that was given up.
            if case .receive(let code) = failure, code == EAGAIN {
                Issue.record("the server hangs after \(answered) answers")
            }
            if case .notHTTP(let text) = failure { Issue.record("not HTTP: \(text)") }
        }
        return answered
    }

    /// The server answers a new client, and has nothing to do when nobody asks.
    private func expectWell(_ server: FaultyServer, _ wire: Wire, _ comment: Comment) throws {
        try server.mend()
        #expect(try talk(server, wire) == 7, comment)
        var idle = false
        for _ in 0..<20 where !idle {
            let before = server.cpuTicks
            usleep(100_000)
            idle = server.cpuTicks - before <= 2
        }
        #expect(idle, "the server spins after \(comment)")
        #expect(server.server.exitCode(within: 0) == nil, "the server ended: \(server.server.errors)")
    }

    // MARK: Every n

    @Test(
        "the n-th call fails, for every n",
        arguments: [
            (
                "accept4",
                ["EINTR", "EAGAIN", "ECONNABORTED", "EPROTO", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EINVAL"]
            ),
            ("recv", ["EINTR", "EAGAIN", "ECONNRESET", "ETIMEDOUT", "ENOBUFS", "ENOMEM", "short:1", "short:50"]),
            ("send", ["EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "ENOBUFS", "ENOMEM", "short:1", "short:100"]),
            ("epoll_wait", ["EINTR", "ENOMEM"]), ("epoll_ctl", ["ENOMEM", "ENOSPC", "EINTR"]),
            ("setsockopt", ["ENOBUFS", "EINVAL"]), ("shutdown", ["ENOTCONN"]), ("close", ["EINTR", "EIO"]),
        ], Wire.allCases)
    func everyCall(calls: (call: String, hows: [String]), wire: Wire) throws {
        let (call, hows) = calls
        let server = try faultyServer(threads: 1, wire)
        try server.count(call)
        #expect(try talk(server, wire) == 7)
        usleep(20_000)
        let count = server.counted.calls
        // An exchange in which everything is sent at once shuts nothing down: the lingering of a refusal does.
        try #require(count > 0 || call == "shutdown", "\(call) is not called")
        for how in hows {
            var number = 1
            // Until the exchange has no n-th call any more.
            while try failNth(call, number, how, server, wire) { number += 1 }
            try #require(number > count / 2, "\(call) \(how): only \(number) calls of \(count) failed")
            try server.mend()
            #expect(try talk(server, wire) == 7, "after \(call) \(how)")
        }
        try expectWell(server, wire, "\(call)")
        server.server.send(SIGTERM)
        #expect(server.server.exitCode(within: 20) == 0, "\(server.server.errors)")
    }

    /// Fails one call of an exchange. Returns whether there was such a call.
    private func failNth(
        _ call: String, _ number: Int, _ how: String, _ server: FaultyServer, _ wire: Wire
    ) throws -> Bool {
        try #require(number < 10_000, "\(call) is called without end")
        try server.fail(call, nth: "\(number)", how: how)
        let answered = try talk(server, wire)
        // The server may still be at the calls that end the connection.
        for _ in 0..<10 where server.counted.faults == 0 { usleep(1000) }
        let faults = server.counted.faults
        if how == "EINTR", call != "epoll_ctl" {
            #expect(answered == 7, "\(call) \(number): EINTR costs nothing")
        }
        if how.hasPrefix("short") { #expect(answered == 7, "\(call) \(number): a short count costs nothing") }
        if answered < 7 { #expect(faults > 0, "\(call) \(number): lost without a fault") }
        return faults > 0
    }

    @Test(
        "with one byte in each call, both ways, everything is answered", arguments: ["recv", "send", "recv,send"],
        Wire.allCases)
    func everyByte(calls: String, wire: Wire) throws {
        let server = try faultyServer(threads: 1, wire)
        try server.fail(calls, nth: "every", how: "short:1")
        #expect(try talk(server, wire) == 7)
        #expect(server.counted.faults > 1000)
        try expectWell(server, wire, "single bytes")
    }

    @Test("loops that hand connections to each other lose none to an interrupted wake-up")
    func wakeups() throws {
        let server = try faultyServer(threads: 2)
        for call in ["write", "read"] {
            for how in ["EINTR", "EAGAIN"] where call == "read" || how == "EINTR" {
                for number in 1...4 {
                    // Not `only=sockets`: an eventfd is none.
                    try server.failAnywhere(call, nth: "\(number)", how: how)
                    #expect(try talk(server) == 7, "\(call) \(how) \(number)")
                }
            }
        }
        try expectWell(server, .clear, "wake-ups")
    }

    // MARK: Starting

    @Test(
        "a call that fails while the server starts ends it with 74 and a reason",
        arguments: ["socket", "bind", "listen", "epoll_create1", "epoll_ctl", "eventfd", "getsockname"])
    func starting(call: String) throws {
        let directory = try TemporaryDirectory()
        let arguments =
            [
                "serve", "--listen", "127.0.0.1:0", "--listen", "unix:\(directory.file("socket"))", "--admin-port", "0",
                "--threads", "2",
            ]
            + made.options
        for number in 1...2 {
            let result = try BuiltBinary.run(
                arguments,
                environment: [
                    "LD_PRELOAD": FaultyServer.library, "FAULTY_CALLS": call, "FAULTY_NTH": "\(number)",
                    "FAULTY_HOW": "ENOBUFS",
                    "FAULTY_COUNT": directory.file("count"),
                ], seconds: 20)
            #expect(result.exitCode == 74, "\(call) \(number): \(result.errors)")
            #expect(result.errors.contains(": No buffer space available"), "\(result.errors)")
            #expect(!FileManager.default.fileExists(atPath: directory.file("socket")), "a socket file was left behind")
        }
    }

    // MARK: Descriptors

    @Test("without descriptors connections are turned away without spinning, and later ones are served")
    func noDescriptors() throws {
        let server = try faultyServer()
        let first = try LoopbackConnection(port: server.server.port)
        #expect(try first.get("/livez").status == 200)
        // The reserve cannot be traded either: every accept fails.
        try server.fail("accept4", nth: "every", how: "EMFILE")
        let waiting = try (0..<20).map { _ in try LoopbackConnection(port: server.server.port) }
        usleep(300_000)
        let before = server.cpuTicks
        usleep(500_000)
        #expect(server.cpuTicks - before <= 10, "the server spins")
        #expect(try first.get("/livez").status == 200, "who is connected does not notice")
        try server.mend()
        for connection in waiting { #expect(try connection.get("/livez").status == 200) }
        try expectWell(server, .clear, "no descriptors")
    }

    @Test("at the real limit of open files the same holds")
    func realLimit() throws {
        let server = try faultyServer()
        let pid = server.server.processIdentifier
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count
        let limited = try BuiltBinary.runProgram(
            "/usr/bin/env", ["prlimit", "--pid", "\(pid)", "--nofile=\(open + 8):\(open + 8)"], seconds: 10)
        try #require(limited.exitCode == 0, "\(limited.errors)")
        var clients: [LoopbackConnection] = []
        var served = 0
        for _ in 0..<40 {
            let client = try LoopbackConnection(port: server.server.port)
            if (try? client.get("/livez").status) == 200 {
                served += 1
                clients.append(client)
            }
        }
        #expect(served > 0 && served < 40, "\(served) served")
        let before = server.cpuTicks
        usleep(500_000)
        #expect(server.cpuTicks - before <= 10, "the server spins")
        clients = []
        usleep(200_000)
        try expectWell(server, .clear, "the limit of open files")
    }

    // MARK: Clients that go away

    @Test("a client that resets after any number of bytes leaves nothing behind")
    func resets() throws {
        let server = try faultyServer()
        let whole = Array(exchange.map(\.bytes).joined().utf8)
        // The bulk request's lines are all alike: two of them will do.
        for count in 0...min(whole.count, 1200) {
            let connection = try LoopbackConnection(port: server.server.port)
            connection.resetAtClose()
            if count > 0 { try connection.send(Array(whole[..<count])) }
        }
        var left = ""
        for _ in 0..<100 {
            let text = try server.server.get("/metrics").text
            left = text.split(separator: "\n").first { $0.hasPrefix("nextloop_connections ") }.map { String($0) } ?? ""
            if left == "nextloop_connections 1.0" { break }
            usleep(50_000)
        }
        #expect(left == "nextloop_connections 1.0", "only the one that asks")
        try expectWell(server, .clear, "resets")
    }

    @Test("a connection that is made while the listener is being closed is not reset")
    func closingWindow() throws {
        // It drains for a second, so that the first are on their way before the end however late this thread is.
        let server = try faultyServer(drain: 1)
        let port = server.server.port
        // Between the last accept and the close of the listener lie 300 ms now, not microseconds.
        try server.fail("close", nth: "every", how: "delay:300")
        server.server.send(SIGTERM)
        // Who connects does not wait for an answer before the next one does.
        var connections: [LoopbackConnection] = []
        var refused = false
        for _ in 0..<400 where !refused {
            do {
                let connection = try LoopbackConnection(port: port)
                try connection.send(Self.get("/livez", "Connection: close\r\n"))
                connections.append(connection)
                usleep(50_000)
            } catch LoopbackConnection.Failure.connect(let code) {
                #expect(code == ECONNREFUSED)
                refused = true
            }
        }
        #expect(refused && !connections.isEmpty)
        for connection in connections { #expect(try connection.receive().status == 200) }
        #expect(server.server.exitCode(within: 30) == 0)
    }
}
