import Foundation
import Glibc
import TestSupport
import Testing

/// The operator's paths, experiments and the shadow, through the built binary: what two processes of one registry say to each other.
@Suite("Operators and experiments", .serialized) struct OperatorTests {
    let made: SampleRegistry.Made
    let directory: TemporaryDirectory
    private let token = "0123456789abcdefghij"

    init() throws {
        made = try SampleRegistry.made.get()
        directory = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: made.registry, toPath: directory.file("models"))
        _ = try directory.write(Data("\(token)\n".utf8), as: "token")
    }

    private var options: [String] {
        [
            "--registry", directory.file("models"), "--model", "room-service", "--threads", "2", "--admin-token-file",
            directory.file("token"),
        ]
    }

    private func admin(_ method: String, _ target: String, _ server: RunningServer) throws -> HTTPAnswer {
        let connection = try LoopbackConnection(port: server.port)
        try connection.send(
            "\(method) \(target) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\nContent-Length: 0\r\n\r\n")
        return try connection.receive()
    }

    private func firstItem(_ server: RunningServer) throws -> String {
        let answer = try server.get("/recommend?user_id=\(made.guest)&k=1")
        let json = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        let items = try #require(json?["items"] as? [[String: Any]])
        return try #require(items.first?["item_id"] as? String)
    }

    /// Waits, at most thirty seconds, for something to be true.
    private func eventually(_ what: String, _ isTrue: () throws -> Bool) throws {
        for _ in 0..<600 {
            if try isTrue() { return }
            Thread.sleep(forTimeInterval: 0.05)
        }
        Issue.record("never: \(what)")
    }

    @Test("an item taken from sale on one process is gone on both, and after a restart") func killSwitch() throws {
        let blue = try RunningServer(options)
        let green = try RunningServer(options)
        let item = try firstItem(blue)
        #expect(try admin("PUT", "/admin/items/\(item)/unavailable", blue).status == 200)
        // On every loop of this process by the time it answered: connections are spread over both.
        for _ in 0..<8 { #expect(try firstItem(blue) != item) }
        try eventually("the other process leaves it out") { try firstItem(green) != item }
        let restarted = try RunningServer(options)
        #expect(try firstItem(restarted) != item)
        #expect(try admin("DELETE", "/admin/items/\(item)/unavailable", green).status == 200)
        try eventually("it is back everywhere") { try firstItem(blue) == item && firstItem(restarted) == item }
    }

    @Test("a mark with an end is over by itself") func end() throws {
        let server = try RunningServer(options)
        let item = try firstItem(server)
        let end = Date(timeIntervalSinceNow: 3).formatted(.iso8601)
        #expect(try admin("PUT", "/admin/items/\(item)/unavailable?until=\(end)", server).status == 200)
        #expect(try firstItem(server) != item)
        try eventually("it is back") { try firstItem(server) == item }
    }

    @Test(
        "a change that waits too long behind others' gets a 503 that says so, with its own id, and the connection goes on"
    )
    func lateChange() throws {
        let server = try RunningServer(options + ["--write-timeout", "0.1"])
        let item = try firstItem(server)
        // Each change waits a tenth of a second for it, one after the other.
        let path = directory.file("models/room-service/.unavailable.lock")
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        let lock = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
        try #require(lock >= 0)
        #expect(flock(lock, LOCK_EX | LOCK_NB) == 0)
        let connections = try (0..<8).map { number in
            let connection = try LoopbackConnection(port: server.port)
            try connection.send(
                "PUT /admin/items/\(item)/unavailable HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n"
                    + "Content-Length: 0\r\nX-Request-ID: change-\(number)\r\n\r\n")
            return connection
        }
        var late = 0
        for (number, connection) in connections.enumerated() {
            let answer = try connection.receive()
            #expect(answer.status == 503)
            #expect(answer.headers["content-type"] == "application/problem+json")
            #expect(answer.headers["x-request-id"] == "change-\(number)")
            guard answer.text.contains("may be done yet") else { continue }
            late += 1
            #expect(answer.headers["retry-after"] == "1")
            #expect(try connection.get("/livez").status == 200)
        }
        #expect(late > 0, "those behind the first wait for longer than they may")
        close(lock)
        let metrics = try server.get("/metrics").text
        #expect(metrics.contains("nextloop_requests_refused_total{reason=\"answer_not_ready\"} \(late)\n"))
        try eventually("it is taken from sale") {
            try admin("PUT", "/admin/items/\(item)/unavailable", server).status == 200
        }
        #expect(try firstItem(server) != item)
    }

    @Test("the log names every refused attempt and change, and no token") func log() throws {
        let server = try RunningServer(options)
        #expect(try server.get("/admin/items/unavailable").status == 401)
        let wrong = "not-the-token-of-anybody"
        #expect(
            try server.get("/admin/items/unavailable", headers: ["Authorization": "Bearer \(wrong)"]).status == 401)
        #expect(try admin("POST", "/admin/drain", server).status == 200)
        #expect(try server.get("/readyz").status == 503)
        #expect(try admin("POST", "/admin/undrain", server).status == 200)
        #expect(try server.get("/readyz").status == 200)
        try eventually("the log is written") { server.errors.contains("undrained") }
        #expect(
            server.errors.contains("was refused: missing_token") && server.errors.contains("was refused: wrong_token"))
        #expect(!server.errors.contains(token) && !server.errors.contains(wrong))
    }

    @Test(
        "stopped while changes wait for the registry and their clients are cut off, it makes and logs them before it ends"
    )
    func stoppedWhileChanging() throws {
        let server = try RunningServer(options + ["--drain-seconds", "0", "--shutdown-timeout", "0"])
        let item = try firstItem(server)
        // Another process holds the marks; each change waits a tenth of a second for them, one after the other.
        let path = directory.file("models/room-service/.unavailable.lock")
        let lock = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        try #require(lock >= 0)
        var isHeld = true
        defer { if isHeld { close(lock) } }
        try #require(flock(lock, LOCK_EX) == 0)
        let operators = try (0..<40).map { _ in
            let connection = try LoopbackConnection(port: server.port)
            try connection.send(
                """
                PUT /admin/items/\(item)/unavailable HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(token)\r\n\
                Content-Length: 0\r\n\r\n
                """)
            return connection
        }
        for _ in 0..<4 { #expect(try server.get("/livez").status == 200) }
        server.send(SIGTERM)
        try eventually("it drains") { server.errors.contains("draining") }
        close(lock)
        isHeld = false
        #expect(server.exitCode(within: 30) == 0)
        #expect(server.errors.contains("item \(item) is unavailable everywhere"))
        #expect(!server.errors.contains("were not made"))
        let marks = try Data(contentsOf: URL(filePath: directory.file("models/room-service/unavailable.json")))
        #expect(String(decoding: marks, as: UTF8.self).contains("\"\(item)\""))
        withExtendedLifetime(operators) {}
    }

    @Test(
        "a token file that holds none is refused at the start", arguments: ["", "short", "with a space in the token"])
    func tokenFile(_ text: String) throws {
        _ = try directory.write(Data(text.utf8), as: "token")
        let run = try BuiltBinary.run(["serve", "--port", "0"] + options)
        #expect(run.exitCode == 66)
        #expect(run.errors.contains("openssl rand -base64 24"))
    }

    @Test("two processes put a guest into the same arm, and each arm is answered by its version") func experiment()
        throws
    {
        let train = try BuiltBinary.run(
            [
                "train", "--orders", made.orders, "--factors", "16", "--iterations", "5", "--seed", "43", "--registry",
                directory.file("models"), "--model", "room-service", "--promote", "staging",
            ])
        try #require(train.exitCode == 0, "\(train.errors)")
        let experiment = [
            "--experiment", "seeds,candidate=50@alias=staging,control=50", "--shadow", "alias=staging,100",
        ]
        let blue = try RunningServer(options + experiment)
        let green = try RunningServer(options + experiment)
        // The alias of an arm is loaded behind the first readiness.
        try eventually("the candidate is ready") {
            try [blue, green].allSatisfy {
                try $0.get("/models/room-service").text.components(separatedBy: "\"ready\"").count == 3
            }
        }
        var arms: Set<String> = []
        for number in 0..<32 {
            let answers = try [blue, green].map { try $0.get("/recommend?user_id=guest-\(number)") }
            #expect(answers[0].headers["x-experiment"] == answers[1].headers["x-experiment"])
            let arm = try #require(answers[0].headers["x-experiment"])
            arms.insert(arm)
            for answer in answers {
                #expect(answer.headers["x-model-version"] == (arm == "seeds=candidate" ? "2" : "1"))
            }
        }
        #expect(arms == ["seeds=candidate", "seeds=control"])
        try eventually("the shadow has compared") {
            try blue.get("/metrics").text.contains(
                "nextloop_shadow_requests_total{model=\"room-service\",version=\"2\"}")
        }
    }

    @Test(
        "a misspelt experiment or shadow is refused at the start",
        arguments: [
            ["--experiment", "x"], ["--experiment", "x,a=10@alias=staging"], ["--experiment", "x,a=60@version=1,b=60"],
            ["--experiment", "x,a=ten@version=1,b=1"], ["--experiment", "x,a=1@newest=1,b=1"],
            ["--experiment", "spa/x,a=1@version=1,b=1"], ["--shadow", "staging,5"], ["--shadow", "alias=staging,101"],
            ["--shadow", "alias=staging"], ["--shadow", "spa/alias=staging,1"],
        ])
    func usage(_ extra: [String]) throws {
        let run = try BuiltBinary.run(["serve", "--port", "0"] + options + extra)
        #expect(run.exitCode == 64)
        #expect(run.errors.contains(extra[0]))
    }

    @Test("probe asks a Unix socket, as a health check of a server with certificates does") func probe() throws {
        let socket = directory.file("health")
        let server = try RunningServer(options + ["--admin-listen", "unix:\(socket)"])
        #expect(try server.get("/livez").status == 200)
        #expect(try BuiltBinary.run(["probe", "--unix", socket]).exitCode == 0)
        #expect(try BuiltBinary.run(["probe", "--port", String(server.port)]).exitCode == 0)
        let nobody = try BuiltBinary.run(["probe", "--unix", directory.file("nobody")])
        #expect(nobody.exitCode == 1)
        #expect(nobody.errors.contains(directory.file("nobody")))
        #expect(try BuiltBinary.run(["probe", "--unix", String(repeating: "x", count: 108)]).exitCode == 64)
    }
}
