import Foundation
import Glibc
import HTTPMessages
import HTTPServer
import TestSupport
import Testing

@Suite("Listeners") struct ListenerTests {
    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    private func who(_ client: TestClient) throws -> String {
        try client.send(get("/who"))
        return try client.response().body
    }

    @Test("several addresses are listened on, each with its role", arguments: [1, 2])
    func roles(loops: Int) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("socket")
        let server = try TestServer(
            ServerConfiguration(
                listeners: [
                    ListenerConfiguration(.tcp(host: "127.0.0.1", port: 0)),
                    ListenerConfiguration(.tcp(host: "::1", port: 0), role: .admin),
                    ListenerConfiguration(.unix(path: path)),
                ], loops: loops))
        let ports = server.server.boundAddresses.compactMap { address in
            if case .tcp(_, let port) = address { port } else { nil }
        }
        try #require(ports.count == 2)
        #expect(ports[0] == server.port)
        #expect(server.server.boundAddresses.last == .unix(path: path))
        #expect(try who(TestClient(port: ports[0])) == "service 127.0.0.1")
        #expect(try who(TestClient(port6: ports[1])) == "admin ::1")
        let clients = try (0..<20).map { _ in try TestClient(path: path) }
        for client in clients { #expect(try who(client) == "service unix") }
        #expect(server.server.drain(within: .seconds(5)))
        #expect(!exists(path), "the file of the socket is gone")
    }

    @Test("IPv4 and IPv6 have a listener each on one port")
    func bothFamilies() throws {
        // The port of the first is free for the other as a rule; else another attempt finds one.
        for attempt in 1...10 {
            let probe = try TestServer()
            let port = probe.port
            probe.server.drain(within: .zero)
            do {
                let server = HTTPServer(
                    ServerConfiguration(
                        listeners: ["0.0.0.0", "::"].map { ListenerConfiguration(.tcp(host: $0, port: port)) }, loops: 2
                    )
                ) { loop in (TestHandler(), TestObserver(Observations(), loop: loop)) }
                try server.start()
                #expect(try who(TestClient(port: port)) == "service 127.0.0.1")
                #expect(try who(TestClient(port6: port)) == "service ::1")
                return
            } catch {
                if attempt == 10 { throw error }
            }
        }
    }

    // MARK: Unix sockets

    private func start(_ path: String, mode: UInt32 = 0o660) throws(ServerError) -> HTTPServer {
        let observations = Observations()
        let server = HTTPServer(
            ServerConfiguration(listeners: [ListenerConfiguration(.unix(path: path), fileMode: mode)])
        ) { loop in (TestHandler(), TestObserver(observations, loop: loop)) }
        try server.start()
        return server
    }

    @Test("the file of a socket has its mode", arguments: [0o600, 0o660, 0o777] as [UInt32])
    func mode(mode: UInt32) throws {
        let directory = try TemporaryDirectory()
        let server = try start(directory.file("socket"), mode: mode)
        let attributes = try FileManager.default.attributesOfItem(atPath: directory.file("socket"))
        #expect(attributes[.posixPermissions] as? Int == Int(mode))
        #expect(server.drain(within: .seconds(1)))
    }

    private func bindUnix(_ socket: Int32, to path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // SAFETY: the copy is bounded by the field, and the struct's true size is given.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            for (index, byte) in path.utf8.enumerated() where index < field.count - 1 { unsafe field[index] = byte }
        }
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
    }

    @Test("a file that a dead process left is replaced, one that somebody answers on is not")
    func stale() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("socket")
        let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        try bindUnix(dead, to: path)
        close(dead)
        #expect(exists(path))
        let server = try start(path)
        #expect(throws: ServerError.socketPath(path, problem: .inUse)) { _ = try start(path) }
        #expect(try who(TestClient(path: path)) == "service unix", "the first was not disturbed")
        #expect(server.drain(within: .seconds(1)))
    }

    @Test("of two that want one path at the same time one gets it, and answers there")
    func race() throws {
        let directory = try TemporaryDirectory()
        for round in 0..<20 {
            let path = directory.file("socket\(round)")
            let dead = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            try bindUnix(dead, to: path)
            close(dead)
            let contenders = (0..<4).map { _ in
                BackgroundThread { () -> HTTPServer? in
                    do throws(ServerError) { return try self.start(path) } catch {
                        #expect(error == .socketPath(path, problem: .inUse))
                        return nil
                    }
                }
            }
            let servers = try contenders.compactMap { try $0.value() }
            #expect(servers.count == 1, "round \(round)")
            #expect(try who(TestClient(path: path)) == "service unix")
            for server in servers { #expect(server.drain(within: .seconds(1))) }
            #expect(!exists(path))
        }
    }

    @Test("a directory that somebody else has locked is waited for")
    func lockedDirectory() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("socket")
        // SAFETY: the bridged C string lives for the call and is only read.
        let lock = unsafe open(directory.path, O_RDONLY)
        #expect(flock(lock, LOCK_EX) == 0)
        let starting = BackgroundThread { try self.start(path) }
        usleep(100_000)
        #expect(!exists(path))
        close(lock)
        let server = try starting.value()
        #expect(try who(TestClient(path: path)) == "service unix")
        #expect(server.drain(within: .seconds(1)))
    }

    @Test("who locks the directory for good keeps nobody from starting, nor from leaving in order")
    func lockedForGood() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("socket")
        // SAFETY: the bridged C string lives for the call and is only read.
        let lock = unsafe open(directory.path, O_RDONLY)
        defer { close(lock) }
        #expect(flock(lock, LOCK_EX) == 0)
        let server = try start(path)
        #expect(try who(TestClient(path: path)) == "service unix")
        #expect(throws: ServerError.socketPath(path, problem: .inUse)) { _ = try start(path) }
        #expect(server.drain(within: .seconds(1)))
        #expect(!exists(path))
    }

    @Test("a file that is no socket, a missing directory and a path that is too long are told apart")
    func badPaths() throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("file")
        #expect(FileManager.default.createFile(atPath: file, contents: nil))
        #expect(throws: ServerError.socketPath(file, problem: .noSocket)) { _ = try start(file) }
        #expect(exists(file), "it is still there")
        let nowhere = directory.file("a/b")
        #expect(throws: ServerError.socketPath(nowhere, problem: .noDirectory)) { _ = try start(nowhere) }
        let long = "/tmp/" + String(repeating: "x", count: 103)
        #expect(throws: ServerError.socketPath(long, problem: .tooLong)) { _ = try start(long) }
    }

    @Test("a path that another process has taken over is left alone")
    func takenOver() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("socket")
        let old = try start(path)
        try FileManager.default.removeItem(atPath: path)
        let new = try start(path)
        #expect(old.drain(within: .seconds(1)))
        #expect(try who(TestClient(path: path)) == "service unix")
        #expect(new.drain(within: .seconds(1)))
    }

    // MARK: Inherited sockets

    @Test("a socket that was handed down is accepted from, and its queue left to the next process")
    func inherited() throws {
        let (descriptor, port) = try listeningSocket()
        let handed = dup(descriptor)
        let server = try TestServer(
            ServerConfiguration(listeners: [ListenerConfiguration(.inherited(descriptor: handed))], loops: 2))
        #expect(try who(TestClient(port: port)) == "service 127.0.0.1")
        #expect(server.server.drain(within: .seconds(5)))
        // Nobody accepts now, but the socket is open: who comes waits for the next server.
        let waiting = try TestClient(port: port)
        try waiting.send(get("/who"))
        let next = try TestServer(
            ServerConfiguration(listeners: [ListenerConfiguration(.inherited(descriptor: descriptor), role: .admin)]))
        #expect(try waiting.response().body == "admin 127.0.0.1")
        #expect(next.server.drain(within: .seconds(5)))
    }

    @Test("what is no listening socket is refused")
    func notListening() throws {
        let idle = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let null = dup(0)
        for descriptor in [idle, null, 1_000_000] {
            #expect(throws: ServerError.notListening(descriptor: descriptor)) {
                _ = try TestServer(
                    ServerConfiguration(listeners: [ListenerConfiguration(.inherited(descriptor: descriptor))]))
            }
        }
        close(idle)
        close(null)
    }

    private func listeningSocket() throws -> (Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: the struct lives for the calls, and its true size is given.
        let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(descriptor, pointer, size) == 0 && listen(descriptor, 100) == 0
                    && getsockname(descriptor, pointer, &size) == 0
            }
        }
        try #require(result)
        return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
    }

    // MARK: Bounds

    @Test("one address to 64 may be listened on")
    func count() throws {
        for count in [0, 65] {
            #expect(throws: ServerError.invalidListenerCount(count)) {
                _ = try TestServer(
                    ServerConfiguration(
                        listeners: Array(repeating: ListenerConfiguration(.tcp(host: "::1", port: 0)), count: count)))
            }
        }
        let server = try TestServer(
            ServerConfiguration(
                listeners: Array(repeating: ListenerConfiguration(.tcp(host: "::1", port: 0)), count: 64)))
        #expect(server.server.boundAddresses.count == 64)
    }

    @Test("admin connections have a limit of their own, and get in when the service is full")
    func adminLimit() throws {
        var configuration = ServerConfiguration(
            listeners: [
                ListenerConfiguration(.tcp(host: "127.0.0.1", port: 0)),
                ListenerConfiguration(.tcp(host: "::1", port: 0), role: .admin),
            ])
        configuration.limits.connectionsMax = 1
        configuration.limits.adminConnectionsMax = 2
        let server = try TestServer(configuration)
        guard case .tcp(_, let adminPort) = server.server.boundAddresses[1] else { return }
        let service = try server.client()
        #expect(try who(service) == "service 127.0.0.1")
        let excess = try server.client()
        try excess.send(get("/1"))
        #expect(try excess.response().status == 503)
        let admins = try (0..<2).map { _ in try TestClient(port6: adminPort) }
        for admin in admins { #expect(try who(admin) == "admin ::1") }
        let third = try TestClient(port6: adminPort)
        try third.send(get("/1"))
        #expect(try third.response().status == 503)
    }
}
