import Foundation
import TestSupport
import Testing

/// Goal: a stop is acted on whenever it comes, and nothing that was answered before it is lost.
/// Method: one system call of the start takes two minutes (Tests/FaultyCalls), once while the model is loaded and once behind the
/// readiness; what is told meanwhile has to happen long before.
@Suite("A stop while a server starts", .serialized) struct StopTests {
    let made: SampleRegistry.Made
    let directory: TemporaryDirectory

    init() throws {
        made = try SampleRegistry.made.get()
        directory = try TemporaryDirectory()
    }

    /// A server of which one call on one file takes its time. Ended with the value.
    private final class SlowServer {
        let port: Int
        private let process = Process()
        private let directory: TemporaryDirectory

        /// Returns when the call has begun, at most a minute later.
        init(
            _ arguments: [String], slow call: String, on path: String, milliseconds: Int,
            _ directory: TemporaryDirectory
        )
            throws
        {
            self.directory = directory
            port = try Self.freePort()
            process.executableURL = URL(filePath: BuiltBinary.path)
            process.arguments = ["serve", "--port", "\(port)", "--threads", "1"] + arguments
            process.environment = [
                "LD_PRELOAD": FaultyServer.library, "FAULTY_CALLS": call, "FAULTY_ONLY": path, "FAULTY_NTH": "1",
                "FAULTY_HOW": "delay:\(milliseconds)", "FAULTY_TRACE": directory.file("trace"),
            ]
            process.standardInput = FileHandle.nullDevice
            process.standardError = try FileHandle(forWritingTo: URL(filePath: directory.write(Data(), as: "err")))
            try process.run()
            let trace = directory.file("trace")
            for _ in 0..<6000 where process.isRunning && !FileManager.default.fileExists(atPath: trace) {
                usleep(10_000)
            }
            try #require(FileManager.default.fileExists(atPath: trace), "\(errors)")
        }

        deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

        /// A port that nobody listens on; somebody may by the time it is used, which then fails its test.
        private static func freePort() throws -> Int {
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(listener) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            // SAFETY: the struct lives for the calls, and its true size is given.
            let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
                }
            }
            try #require(isBound)
            return Int(in_port_t(bigEndian: address.sin_port))
        }

        var errors: String { (try? String(contentsOfFile: directory.file("err"), encoding: .utf8)) ?? "" }

        func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

        func status(of target: String) throws -> Int { try LoopbackConnection(port: port).get(target).status }

        /// How it ended, negative by a signal; nil when it is still running after thirty seconds.
        func end() -> Int32? {
            for _ in 0..<3000 where process.isRunning { usleep(10_000) }
            if process.isRunning { return nil }
            return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
        }
    }

    private var accessLog: String { directory.file("access.log") }
    private var loggedRoutes: [String] {
        let lines = (try? String(contentsOfFile: accessLog, encoding: .utf8))?.split(separator: "\n") ?? []
        return lines.compactMap { $0.firstMatch(of: /"route":"([^"]*)"/).map { String($0.1) } }
    }

    private func loading(
        _ options: [String]? = nil, registry: String? = nil, milliseconds: Int = 120_000
    ) throws -> SlowServer {
        try SlowServer(
            (options ?? made.options) + ["--access-log", accessLog, "--drain-seconds", "60"], slow: "open",
            on: (registry ?? made.registry) + "/room-service/1/model.safetensors", milliseconds: milliseconds, directory
        )
    }

    @Test(
        "a stop while the model is loaded ends with 0, at once, with the log of what was answered",
        arguments: [SIGTERM, SIGINT])
    func whileLoading(signal: Int32) throws {
        let server = try loading()
        #expect(try server.status(of: "/readyz") == 503)
        #expect(try server.status(of: "/recommend?user_id=1") == 503)
        server.send(SIGHUP)
        server.send(signal)
        #expect(server.end() == 0)
        #expect(server.errors.contains("signal \(signal) before the process was ready: ending"), "\(server.errors)")
        #expect(!server.errors.contains("ready on"), "\(server.errors)")
        #expect(loggedRoutes == ["/readyz", "/recommend"])
    }

    @Test("a stop behind the readiness makes /readyz say 503 at once, and a second one ends the process by that signal")
    func whilePreparing() throws {
        let server = try SlowServer(
            made.options + ["--drain-seconds", "60"], slow: "read",
            on: made.registry + "/room-service/1/codes.safetensors", milliseconds: 120_000, directory)
        #expect(try server.status(of: "/readyz") == 200)
        server.send(SIGTERM)
        var status = 200
        for _ in 0..<2000 where status == 200 {
            status = try server.status(of: "/readyz")
            usleep(10_000)
        }
        #expect(status == 503)
        #expect(try server.status(of: "/recommend?user_id=\(made.guest)") == 200, "it goes on serving")
        server.send(SIGTERM)
        #expect(server.end() == -SIGTERM)
    }

    @Test("a drain behind the readiness ends with 0 while that still lasts") func drainedWhilePreparing() throws {
        let server = try SlowServer(
            made.options + ["--drain-seconds", "0", "--access-log", accessLog], slow: "read",
            on: made.registry + "/room-service/1/codes.safetensors", milliseconds: 120_000, directory)
        #expect(try server.status(of: "/recommend?user_id=\(made.guest)") == 200)
        server.send(SIGTERM)
        #expect(server.end() == 0)
        #expect(server.errors.contains("stopped: every request was answered"), "\(server.errors)")
        #expect(loggedRoutes == ["/recommend"])
    }

    @Test("a start that fails leaves the log of what was answered while it lasted") func failedStart() throws {
        let registry = directory.file("models")
        try FileManager.default.copyItem(atPath: made.registry, toPath: registry)
        let file = URL(filePath: registry + "/room-service/1/model.safetensors")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file)
        // A reader that comes late: more lines wait than a pipe takes (64 KiB).
        // SAFETY: the path is lent as a NUL-terminated string for the calls.
        let fifo = unsafe mkfifo(accessLog, 0o600)
        try #require(fifo == 0)
        let reader = unsafe open(accessLog, O_RDONLY | O_NONBLOCK)
        try #require(reader >= 0)
        let pipe = FileHandle(fileDescriptor: reader, closeOnDealloc: true)
        let server = try loading(
            ["--registry", registry, "--model", "room-service"], registry: registry, milliseconds: 5000)
        let client = try LoopbackConnection(port: server.port)
        let request = "GET /recommend?user_id=1 HTTP/1.1\r\nHost: h\r\n\r\n"
        for _ in 0..<30 {
            try client.send(String(repeating: request, count: 20))
            for _ in 0..<20 { #expect(try client.receive().status == 503) }
        }
        while (try? server.status(of: "/livez")) != nil { usleep(10_000) }
        // Past the end of the loops: the process waits two seconds for the reader, and must not be gone by now.
        usleep(300_000)
        _ = fcntl(reader, F_SETFL, 0)
        let lines = try #require(try pipe.readToEnd()).split(separator: UInt8(ascii: "\n"))
        #expect(lines.count { String(decoding: $0, as: UTF8.self).contains("\"/recommend\"") } == 600)
        #expect(server.end() == 65, "\(server.errors)")
    }
}
