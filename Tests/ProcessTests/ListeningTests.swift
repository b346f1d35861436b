import Foundation
import TestSupport
import Testing

/// Where the built server listens, and what signals do to it.
@Suite("Listening and signals") struct ListeningTests {
    private let made: SampleRegistry.Made

    init() throws { made = try SampleRegistry.made.get() }

    /// The port after `mark` in what the server said.
    private func port(after mark: String, _ server: RunningServer) throws -> Int {
        for _ in 0..<500 {
            if let range = server.errors.range(of: mark + "http://127.0.0.1:") {
                let digits = server.errors[range.upperBound...].prefix { $0.isNumber }
                if let port = Int(digits) { return port }
            }
            usleep(10_000)
        }
        throw CocoaError(.fileReadUnknown, userInfo: ["said": server.errors])
    }

    @Test("an admin port serves what operators ask and nothing else, and the service port nothing of theirs")
    func adminPort() throws {
        let server = try RunningServer(made.options + ["--admin-port", "0"])
        let admin = try port(after: "admin on ", server)
        for path in ["/livez", "/readyz", "/metrics"] {
            #expect(try LoopbackConnection(port: admin).get(path).status == 200, "\(path)")
            #expect(try server.get(path).status == 200, "\(path)")
        }
        for path in ["/recommend?user_id=1", "/popular", "/docs", "/openapi.json"] {
            #expect(try LoopbackConnection(port: admin).get(path).status == 404, "\(path)")
            #expect(try server.get(path).status == 200, "\(path)")
        }
        #expect(try server.get("/admin/reload").status == 404)
    }

    @Test("several addresses and Unix sockets are listened on, from options and from the environment")
    func addresses() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("socket")
        let server = try RunningServer(
            made.options + ["--socket-mode", "600"],
            environment: ["NEXTLOOP_ADMIN_LISTEN": "127.0.0.1:0,unix:\(path)"])
        #expect(try LoopbackConnection(port: port(after: "admin on ", server)).get("/livez").status == 200)
        #expect(server.errors.contains("unix:\(path)"))
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.type] as? FileAttributeType == .typeSocket)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        server.send(SIGINT)
        server.send(SIGINT)
        _ = server.exitCode(within: 20)
    }

    @Test("sockets of systemd are listened on, by their names, and only by the process they are for")
    func systemd() throws {
        let script = """
            import os, socket, sys
            sockets = [socket.socket() for _ in range(2)]
            for s in sockets:
                s.bind(("127.0.0.1", 0)); s.listen(16)
            os.dup2(sockets[0].fileno(), 13); os.dup2(sockets[1].fileno(), 14)
            os.dup2(13, 3); os.dup2(14, 4); os.set_inheritable(3, True); os.set_inheritable(4, True)
            os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="web:admin")
            os.execv(sys.argv[1], sys.argv[1:])
            """
        let process = Process()
        let directory = try TemporaryDirectory()
        let errors = directory.file("err")
        try Data().write(to: URL(filePath: errors))
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script, BuiltBinary.path, "serve", "--drain-seconds", "0"] + made.options
        process.standardError = try FileHandle(forWritingTo: URL(filePath: errors))
        try process.run()
        defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
        var text = ""
        for _ in 0..<1000 where !text.contains("admin on") {
            usleep(10_000)
            text = try String(contentsOfFile: errors, encoding: .utf8)
        }
        #expect(text.contains("ready on descriptor 3") && text.contains("admin on descriptor 4"), "\(text)")
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0 && process.terminationReason == .exit)
        let other = try BuiltBinary.run(
            ["serve", "--port", "70000"] + made.options, environment: ["LISTEN_PID": "1", "LISTEN_FDS": "2"])
        #expect(other.exitCode == 64)
    }

    @Test(
        "wrong addresses are told apart",
        arguments: [
            ["--listen", "8080"], ["--listen", "127.0.0.1:0", "--port", "0"], ["--admin-listen", "unix:"],
            ["--admin-port", "1", "--admin-listen", "127.0.0.1:1"], ["--admin-port", "65536"],
            ["--socket-mode", "778"],
            ["--socket-mode", "1777"], ["--trusted-proxy", "10.0.0.1/8"], ["--proxy-protocol"],
            ["--max-connections-per-client", "0"], ["--max-connections-per-client", "1000001"],
            ["--queue-time-max", "0"],
            ["--queue-time-max", "3601"], ["--min-answer-rate", "-1"], ["--max-admin-connections", "10001"],
            ["--max-output-bytes", "1023"], ["--retry-after", "86401"], ["--accept-backlog", "65536"],
            ["--max-pipelined-requests", "0"], ["--linger-timeout", "3601"], ["--drain-idle-timeout", "-1"],
            ["--max-refused-connections", "-1"],
        ])
    func wrong(options: [String]) throws {
        let arguments = options.map { $0.hasPrefix("-") && !$0.hasPrefix("--") ? "=" + $0 : $0 }
        var joined: [String] = []
        for argument in arguments {
            if argument.hasPrefix("=") { joined[joined.count - 1] += argument } else { joined.append(argument) }
        }
        let result = try BuiltBinary.run(["serve"] + made.options + joined, seconds: 20)
        #expect(result.exitCode == 64, "\(result.errors)")
        #expect(result.errors.contains("wanted") || result.errors.contains("needs"), "\(result.errors)")
    }

    @Test("SIGHUP ends nothing, before and while draining; a second stop signal ends the process by that signal")
    func signals() throws {
        let server = try RunningServer(made.options + ["--drain-seconds", "60"])
        for _ in 0..<3 { server.send(SIGHUP) }
        #expect(try server.get("/readyz").status == 200)
        server.send(SIGTERM)
        var status = 200
        for _ in 0..<200 where status == 200 {
            status = try server.get("/readyz").status
            usleep(10_000)
        }
        #expect(status == 503)
        server.send(SIGHUP)
        #expect(try server.get("/livez").status == 200, "it goes on serving")
        #expect(server.exitCode(within: 0.2) == nil)
        server.send(SIGTERM)
        #expect(server.exitCode(within: 10) == -SIGTERM)
    }

    @Test("many idle connections and slow heads keep nobody from being answered, and cost a few hundred bytes each")
    func idle() throws {
        var limit = rlimit()
        // SAFETY: the call fills the struct that it is given.
        #expect(unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        let count = min(8000, Int(clamping: limit.rlim_cur) / 2)
        try #require(count >= 100, "only \(limit.rlim_cur) files may be open")
        let server = try FaultyServer(
            made.options + ["--threads", "1", "--max-connections", "20000", "--header-timeout", "30"])
        // What the first connections cost is buffers and tables that others share.
        var idle = try (0..<(count / 10)).map { _ in try LoopbackConnection(port: server.server.port) }
        for connection in idle { #expect(try connection.get("/livez").status == 200) }
        let before = server.residentBytes
        for _ in 0..<(count - count / 10) {
            let connection = try LoopbackConnection(port: server.server.port)
            #expect(try connection.get("/livez").status == 200)
            idle.append(connection)
        }
        let each = (server.residentBytes - before) / (count - count / 10)
        #expect(each <= 1024, "\(each) bytes for each idle connection")
        // A tenth of them begin a request and never end it, a byte at a time.
        let head = Array("GET /recommend?user_id=1 HTTP/1.1\r\nHost: a\r\nX: ".utf8)
        var answered = 0
        for round in 0..<head.count {
            for connection in idle.prefix(count / 10) { try connection.send([head[round]]) }
            if try server.server.get("/recommend?user_id=\(made.guest)").status == 200 { answered += 1 }
        }
        #expect(answered == head.count)
        #expect(try idle.last?.get("/livez").status == 200, "who was idle is served still")
    }
}
