import Foundation
import TestSupport
import Testing

/// The built server when the process may open no more files.
@Suite("Without file descriptors") struct DescriptorLimitTests {
    @Test("connections over the limit are turned away and counted, open ones are answered, later ones are served")
    func limit() throws {
        let server = try RunningServer(SampleRegistry.made.get().options + ["--threads", "1"])
        let first = try LoopbackConnection(port: server.port)
        #expect(try first.get("/livez").status == 200)
        let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(server.processIdentifier)/fd").count
        // Room for a few: what the process opens for moments, to read a file, needs some too.
        let room = 8
        let prlimit = Process()
        prlimit.executableURL = URL(filePath: "/usr/bin/prlimit")
        prlimit.arguments = ["--pid", "\(server.processIdentifier)", "--nofile=\(open + room)"]
        try prlimit.run()
        prlimit.waitUntilExit()
        try #require(prlimit.terminationStatus == 0)

        var crowd: [LoopbackConnection] = []
        for _ in 0..<(3 * room) { crowd.append(try LoopbackConnection(port: server.port)) }
        let answered = crowd.count { (try? $0.get("/livez").status) == 200 }
        #expect(answered < crowd.count && answered > 0)
        // The connection that was open did not notice.
        #expect(try first.get("/recommend?user_id=1").status == 200)
        crowd.removeAll()
        var metrics = ""
        for _ in 0..<600 {
            if let answer = try? server.get("/metrics"), answer.status == 200 { metrics = answer.text }
            if !metrics.isEmpty { break }
            Thread.sleep(forTimeInterval: 0.05)
        }
        let rejected = metrics.split(separator: "\n").first {
            $0.hasPrefix("nextloop_connections_rejected_total{reason=\"file_descriptor_limit\"}")
        }
        #expect(rejected.map { !$0.hasSuffix(" 0") } == true, "\(String(describing: rejected))")
    }
}
