import Dispatch
import Glibc
import HTTPMessages
import HTTPServer
import Testing

@Suite("Server start") struct ServerStartTests {
    private func start(_ configuration: ServerConfiguration) throws(ServerError) -> HTTPServer {
        let observations = Observations()
        let server = HTTPServer(configuration) { loop in (TestHandler(), TestObserver(observations, loop: loop)) }
        try server.start()
        return server
    }

    @Test("listens on addresses of both kinds and on localhost", arguments: ["127.0.0.1", "localhost", "::1", "[::1]"])
    func hosts(host: String) throws {
        let server = try start(ServerConfiguration(host: host, port: 0))
        #expect(server.port > 0)
        #expect(server.drain(within: .seconds(1)))
    }

    @Test("wrong configuration is told apart", arguments: ["", "example.org", "1.2.3", "127.0.0.1 ", "[::1", "127.1"])
    func badHosts(host: String) {
        #expect(throws: ServerError.invalidHost(host)) { _ = try start(ServerConfiguration(host: host, port: 0)) }
    }

    @Test("ports and loops have bounds")
    func bounds() {
        for port in [-1, 65_536] {
            #expect(throws: ServerError.invalidPort(port)) { _ = try start(ServerConfiguration(port: port)) }
        }
        for loops in [0, 257] {
            #expect(throws: ServerError.invalidLoopCount(loops)) {
                _ = try start(ServerConfiguration(port: 0, loops: loops))
            }
        }
    }

    @Test("a limit nobody can work with is named")
    func badLimit() {
        var configuration = ServerConfiguration(port: 0)
        configuration.limits.readBytes = 0
        #expect(throws: ServerError.invalidLimit(name: "readBytes", got: "0", wanted: "1024 to 16777216")) {
            _ = try start(configuration)
        }
    }

    @Test("a port that is listened on is not shared", arguments: [1, 2], [1, 2])
    func inUse(first: Int, second: Int) throws {
        let server = try start(ServerConfiguration(port: 0, loops: first))
        let port = server.port
        #expect(throws: ServerError.addressInUse(host: "127.0.0.1", port: port)) {
            _ = try start(ServerConfiguration(port: port, loops: second))
        }
    }

    @Test("a port is free again when a drain has ended", arguments: [1, 2])
    func freeAgain(loops: Int) throws {
        // Tests beside this one take ports as well, and may take this one in between: then try with another.
        for attempt in 1...5 {
            let server = try start(ServerConfiguration(port: 0, loops: loops))
            let client = try TestClient(port: server.port)
            try client.send(get("/1", "Connection: close\r\n"))
            #expect(try client.response().status == 200)
            server.drain(within: .seconds(1))
            do {
                let again = try start(ServerConfiguration(port: server.port, loops: loops))
                #expect(again.port == server.port)
                return
            } catch {
                if attempt == 5 { throw error }
            }
        }
    }

    @Test("an address of no interface is not available")
    func notAvailable() {
        #expect(throws: ServerError.addressNotAvailable(host: "192.0.2.1")) {
            _ = try start(ServerConfiguration(host: "192.0.2.1", port: 0))
        }
    }

    @Test("what the system refuses is told in its own words") func systemWords() {
        #expect(
            "\(ServerError.system(call: "epoll_create", code: EMFILE))"
                == "cannot epoll_create: Too many open files; raise the limit of open files (ulimit -n)")
    }

    @Test("a server starts once, and ends without having started")
    func once() throws {
        let server = try start(ServerConfiguration(port: 0))
        #expect(throws: ServerError.alreadyStarted) { try server.start() }
        let never = HTTPServer(ServerConfiguration(port: 8123)) { _ in fatalError("BUG: never started") }
        #expect(never.drain(within: .zero))
        #expect(never.port == 8123)
    }
}
