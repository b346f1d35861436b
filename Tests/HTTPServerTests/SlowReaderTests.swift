import Glibc
import HTTPMessages
import HTTPServer
import TestSupport
import Testing

/// Answers of more than the kernel holds, and clients that take them slowly. The kernel reports room in a full socket only when
/// some of it is free: a third of megabytes over TCP, three quarters of 208 KiB on a Unix socket.
@Suite("Slow readers") struct SlowReaderTests {
    enum Way: CaseIterable {
        case tcp, tls, unix

        /// At which the kernel has no room to report for twice ``SlowReaderTests/stallTime``, but sees every second what was
        /// taken: over TCP up to 95 KB that the client's kernel makes room for at once, on a Unix socket a block of 36 KiB.
        var bytesPerSecond: Int { self == .unix ? 40_000 : 250_000 }
    }

    private static let stallTime = Duration.seconds(2)
    private static let answers = 8
    private static let answerBytes = 1_048_576

    /// A server, and a client of it that asked for eight megabytes and then for the end.
    private final class Running {
        let server: TestServer
        let client: TestClient
        private let directory: TemporaryDirectory
        private(set) var receivedBytes = 0

        init(_ way: Way, _ change: (inout Limits) -> Void) throws {
            directory = try TemporaryDirectory()
            var configuration = ServerConfiguration(port: 0, loops: 1)
            if way == .unix {
                configuration.listeners[0].address = .unix(path: directory.file("socket"))
            }
            configuration.listeners[0].tls = way == .tls ? try tlsContext() : nil
            configuration.limits.writeStallTime = SlowReaderTests.stallTime
            configuration.limits.outputBytesMax = 64 * 1024
            change(&configuration.limits)
            server = try TestServer(configuration)
            switch way {
            case .unix: client = try TestClient(path: directory.file("socket"))
            case .tcp, .tls:
                client = try TestClient(port: server.port, tls: way == .tls ? TLSClientSession.Options() : nil)
            }
            let large = String(repeating: get("/large"), count: SlowReaderTests.answers)
            try client.send(large + get("/last", "Connection: close\r\n"))
        }

        /// Takes no more than `bytesPerSecond`, a little at a time, for `time` or until the end of the connection.
        func read(_ bytesPerSecond: Int, for time: Duration) throws {
            let clock = ContinuousClock()
            let began = clock.now
            let before = receivedBytes
            while clock.now - began < time {
                let count = try client.receive(bytesMax: 8192).count
                if count == 0 { return }
                receivedBytes += count
                let due = Duration.seconds(receivedBytes - before) / bytesPerSecond
                sleep(due - (clock.now - began))
            }
        }

        /// Takes everything up to the end.
        func readAll() throws {
            while true {
                let count = try client.receive().count
                if count == 0 { return }
                receivedBytes += count
            }
        }
    }

    @Test(
        "a steady one gets everything, though the kernel has no room to report for longer than the stall time",
        arguments: Way.allCases)
    func steady(way: Way) throws {
        let running = try Running(way) { $0.answerBytesPerSecondMin = 1024 }
        try running.read(way.bytesPerSecond, for: Self.stallTime * 2)
        #expect(running.server.observations.all.closed == 0)
        try running.readAll()
        #expect(running.receivedBytes > Self.answers * Self.answerBytes)
        #expect(running.server.observations.wait { $0.ends == [.answered] })
    }

    @Test("one that stops is cut, whatever it took before", arguments: Way.allCases)
    func stops(way: Way) throws {
        let running = try Running(way) { $0.writeStallTime = .milliseconds(500) }
        try running.read(1_000_000, for: .milliseconds(300))
        #expect(running.server.observations.wait { $0.ends == [.writeTimeout] })
        #expect(running.receivedBytes < Self.answers * Self.answerBytes)
    }

    @Test("one below the rate that is asked for is cut while it takes on", arguments: Way.allCases)
    func trickles(way: Way) throws {
        let running = try Running(way) {
            $0.writeStallTime = .seconds(1)
            $0.answerBytesPerSecondMin = way.bytesPerSecond * 20
        }
        // Throws when what was left in the kernel has been reset.
        try? running.read(way.bytesPerSecond, for: Self.stallTime * 2)
        #expect(running.server.observations.wait { $0.ends == [.writeTimeout] })
        #expect(running.receivedBytes < Self.answers * Self.answerBytes)
    }
}

/// Sleeps, if there is time left.
private func sleep(_ time: Duration) {
    let (seconds, attoseconds) = time.components
    if time > .zero { usleep(UInt32(clamping: seconds * 1_000_000 + attoseconds / 1_000_000_000_000)) }
}
