import Foundation
import TestSupport
import Testing

/// `serve --access-log`, through the built binary.
@Suite("Access log of the built binary") struct AccessLogTests {
    private let made: SampleRegistry.Made
    private let directory: TemporaryDirectory
    private var path: String { directory.file("access.log") }

    init() throws {
        made = try SampleRegistry.made.get()
        directory = try TemporaryDirectory()
    }

    private func serve(_ arguments: [String], threads: Int = 1) throws -> RunningServer {
        try RunningServer(made.options + ["--threads", "\(threads)", "--drain-seconds", "0"] + arguments)
    }

    private func lines(at path: String) throws -> [[String: Any]] {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.isEmpty || text.hasSuffix("\n"))
        return try text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any], "\($0)")
        }
    }

    private func stop(_ server: RunningServer) -> Int32? {
        server.send(SIGTERM)
        return server.exitCode(within: 20)
    }

    private func metric(_ name: String, _ text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    @Test("a reader that never reads costs lines: 10,000 requests are answered, and the process ends in time")
    func stalledReader() throws {
        // SAFETY: the path is lent as a NUL-terminated string for the calls.
        let fifo = unsafe mkfifo(path, 0o600)
        try #require(fifo == 0)
        let reader = unsafe open(path, O_RDONLY | O_NONBLOCK)
        try #require(reader >= 0)
        defer { close(reader) }
        let server = try serve(["--access-log", path, "--access-log-buffer", "65536"])
        let client = try LoopbackConnection(port: server.port)
        let request = "GET /recommend?user_id=\(made.guest)&k=1 HTTP/1.1\r\nHost: h\r\n\r\n"
        for _ in 0..<500 {
            try client.send(String(repeating: request, count: 20))
            for _ in 0..<20 { #expect(try client.receive().status == 200) }
        }
        let metrics = try client.get("/metrics").text
        let logged = try #require(metric("nextloop_access_log_lines_total", metrics))
        let dropped = try #require(metric("nextloop_access_log_dropped_total", metrics))
        #expect(logged + dropped == 10_000 && dropped > 5000, "\(logged) logged, \(dropped) dropped")
        #expect(stop(server) == 0)
        #expect(server.errors.contains("could not be written in"))
        #expect(server.errors.contains("lines of the access log were dropped"))
    }

    @Test("rotation by SIGHUP under load loses and doubles no line")
    func rotation() throws {
        let server = try serve(["--access-log", path], threads: 2)
        let workers = 3
        let turns = 20
        // Each client numbers its requests; the log has to have every one of them once.
        let group = DispatchGroup()
        let stopAfter = 1500
        let answered = Answered()
        for worker in 0..<workers {
            let port = server.port
            DispatchQueue.global().async(group: group) {
                guard let client = try? LoopbackConnection(port: port) else { return }
                for number in 0..<stopAfter {
                    let id = "\(worker)-\(number)"
                    guard let answer = try? client.get("/livez", headers: ["X-Request-ID": id]), answer.status == 200,
                        answer.headers["x-request-id"] == id
                    else { return }
                    answered.add(id)
                }
            }
        }
        for turn in 0..<turns {
            try FileManager.default.moveItem(atPath: path, toPath: "\(path).\(turn)")
            server.send(SIGHUP)
            for _ in 0..<1000 where !FileManager.default.fileExists(atPath: path) { usleep(10_000) }
            try #require(FileManager.default.fileExists(atPath: path), "turn \(turn): \(server.errors)")
        }
        try #require(group.wait(timeout: .now() + 120) == .success)
        #expect(stop(server) == 0)
        let files = (0..<turns).map { "\(path).\($0)" } + [path]
        let logged = try files.flatMap { try lines(at: $0) }.compactMap { $0["request_id"] as? String }
            .filter { $0.contains("-") }
        #expect(answered.ids.count == workers * stopAfter)
        #expect(logged.count == Set(logged).count)
        #expect(Set(logged) == Set(answered.ids))
    }

    @Test("what the server refuses is logged with the id that its answer has")
    func refused() throws {
        let server = try serve(
            ["--access-log", path, "--access-log-client", "--header-timeout", "0.2", "--max-body-bytes", "10"])
        let requests = [
            ("GET / HTTP/1.1\r\n\r\n", 400, "malformed_missing_host"),
            ("GET /\(String(repeating: "a", count: 9000)) HTTP/1.1\r\n\r\n", 414, "request_line_too_long"),
            ("GET / HTTP/1.1\r\nA: \(String(repeating: "a", count: 20_000))\r\n\r\n", 431, "headers_too_large"),
            ("POST /recommend HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n", 413, "body_too_large"),
            ("GET / HTTP/2.0\r\n\r\n", 505, "unsupported_version"),
            ("GET /half", 408, "head_timeout"),
            ("GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404, "unknown_path"),
            ("PUT /livez HTTP/1.1\r\nHost: h\r\n\r\n", 405, "method_not_allowed"),
        ]
        var ids: [String] = []
        for (request, status, _) in requests {
            let client = try LoopbackConnection(port: server.port)
            try client.send(request)
            let answer = try client.receive()
            #expect(answer.status == status)
            let id = try #require(answer.headers["x-request-id"])
            #expect(answer.text.contains("\"request_id\":\"\(id)\""))
            ids.append(id)
        }
        let metrics = try server.get("/metrics").text
        for (_, _, reason) in requests {
            #expect(metrics.contains("nextloop_requests_refused_total{reason=\"\(reason)\"} 1\n"), "\(reason)")
        }
        #expect(stop(server) == 0)
        let logged = try lines(at: path).filter { $0["reason"] != nil }
        #expect(logged.map { $0["request_id"] as? String } == ids)
        #expect(logged.map { $0["reason"] as? String } == requests.map { $0.2 })
        #expect(logged.map { $0["status"] as? Int } == requests.map { $0.1 })
        #expect(logged.allSatisfy { $0["client"] as? String == "127.0.0.1" })
    }

    @Test("text on standard output, only what was slow or failed")
    func standardOutput() throws {
        let server = try RunningServer(
            made.options + [
                "--threads", "1", "--drain-seconds", "0", "--access-log", "-", "--access-log-format", "text",
                "--access-log-slower-than", "3600000",
            ], output: path)
        _ = try server.get("/livez")
        let answer = try server.get("/nowhere", headers: ["X-Request-ID": "lost"])
        #expect(answer.status == 404)
        #expect(stop(server) == 0)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let line = /(\S+) GET none 404 \d+us in=\d+ out=\d+ id=lost tls=no reason=unknown_path\n/
        let time = try #require(text.wholeMatch(of: line), "\(text)").1
        #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
    }

    @Test("a log that cannot be opened, or options without one, end the start")
    func errors() throws {
        let unopened = try BuiltBinary.run(["serve", "--port", "0"] + made.options + ["--access-log", "/nowhere/log"])
        #expect(unopened.exitCode == 74)
        #expect(unopened.errors.contains("the access log, /nowhere/log, cannot be written: No such file or directory"))
        for options in [
            ["--access-log-client"], ["--access-log-format", "text"],
            ["--access-log", path, "--access-log-format", "xml"],
            ["--access-log", path, "--access-log-buffer", "65535"],
            ["--access-log", path, "--access-log-buffer", "1073741825"],
            ["--access-log", path, "--access-log-slower-than", "-1"], ["--access-log", ""],
        ] {
            let result = try BuiltBinary.run(["serve", "--port", "0"] + made.options + options)
            #expect(result.exitCode == 64, "\(options): \(result.errors)")
        }
    }
}

/// Ids of requests that were answered, from several threads.
private final class Answered: @unchecked Sendable {  // Sendable: the lock guards the list.
    private let lock = NSLock()
    private var list: [String] = []
    var ids: [String] { lock.withLock { list } }
    func add(_ id: String) { lock.withLock { list.append(id) } }
}
