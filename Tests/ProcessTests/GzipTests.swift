import Foundation
import TestSupport
import Testing

/// Content codings as public clients see them: curl inflates the answers, gzip makes the bodies.
@Suite("gzip, through the built binary") struct GzipTests {
    let made: SampleRegistry.Made
    let directory: TemporaryDirectory

    init() throws {
        made = try SampleRegistry.made.get()
        directory = try TemporaryDirectory()
    }

    private struct Answer {
        let head: String
        let body: String
        var status: Int { Int(head.dropFirst(9).prefix(3)) ?? 0 }
    }

    private func curl(_ server: RunningServer, _ target: String, _ arguments: [String] = []) throws -> Answer {
        let head = directory.file("head")
        let run = try BuiltBinary.runProgram(
            "/usr/bin/env",
            [
                "curl", "--silent", "--show-error", "--max-time", "20", "--dump-header", head, "--header",
                "X-Request-ID: same",
                "http://127.0.0.1:\(server.port)\(target)",
            ] + arguments, seconds: 30)
        try #require(run.exitCode == 0, "\(run.errors)")
        return Answer(head: try String(contentsOfFile: head, encoding: .utf8), body: run.output)
    }

    /// What `gzip` makes of the bytes.
    private func gzipped(_ bytes: Data) throws -> String {
        let plain = try directory.write(bytes, as: "body")
        let run = try BuiltBinary.runProgram("/usr/bin/env", ["gzip", "--force", "--keep", plain], seconds: 30)
        try #require(run.exitCode == 0, "\(run.errors)")
        return plain + ".gz"
    }

    @Test(
        "every answer that is compressed inflates to what others get",
        arguments: ["/metrics", "/openapi.json", "/docs"])
    func inflates(target: String) throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let plain = try curl(server, target)
        let compressed = try curl(server, target, ["--compressed"])
        #expect(plain.status == 200 && compressed.status == 200)
        #expect(compressed.head.contains("\r\nContent-Encoding: gzip\r\n") && !plain.head.contains("Content-Encoding"))
        #expect(
            compressed.head.contains("\r\nVary: Accept-Encoding\r\n")
                && plain.head.contains("\r\nVary: Accept-Encoding\r\n"))
        // Only counters move between two scrapes.
        if target == "/metrics" {
            #expect(compressed.body.contains("http_requests_total"))
        } else {
            #expect(compressed.body == plain.body)
        }
    }

    @Test("an answer is compressed from --gzip-min-bytes on, not below, and never with 0") func threshold() throws {
        let target = "/recommend?user_id=\(made.guest)&k=10"
        let first = try RunningServer(made.options + ["--threads", "1", "--gzip-min-bytes", "1"])
        let plain = try curl(first, target)
        #expect(try curl(first, target, ["--compressed"]).body == plain.body)
        let count = plain.body.utf8.count
        for (bound, isCompressed) in [(count, true), (count + 1, false), (0, false)] {
            let server = try RunningServer(made.options + ["--threads", "1", "--gzip-min-bytes", "\(bound)"])
            let answer = try curl(server, target, ["--compressed"])
            #expect(answer.head.contains("Content-Encoding: gzip") == isCompressed, "\(bound) of \(count)")
            #expect(answer.head.contains("Vary: ") == isCompressed)
            #expect(answer.body == plain.body)
        }
    }

    @Test("a bulk answer is compressed line for line") func bulk() throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let lines = (0..<2000).map { "{\"user_id\":\"\($0)\",\"k\":3}\n" }.joined()
        let file = try directory.write(Data(lines.utf8), as: "lines")
        let post = ["--data-binary", "@\(file)", "--header", "Content-Type: application/x-ndjson"]
        let plain = try curl(server, "/recommend/bulk", post)
        let compressed = try curl(server, "/recommend/bulk", post + ["--compressed"])
        #expect(plain.body.split(separator: "\n").count == 2000)
        #expect(
            compressed.head.contains("Content-Encoding: gzip") && compressed.head.contains("Transfer-Encoding: chunked")
        )
        #expect(compressed.body == plain.body)
        let old = try curl(server, "/recommend/bulk", post + ["--compressed", "--http1.0"])
        #expect(old.head.contains("Content-Encoding: gzip") && old.body == plain.body)
    }

    @Test("a gzip body is answered as the same body without") func request() throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let body = Data("{\"user_id\":\"\(made.guest)\",\"k\":5}".utf8)
        let json = ["--header", "Content-Type: application/json"]
        let file = try gzipped(body)
        let plain = try curl(server, "/recommend", json + ["--data-binary", "@\(directory.file("body"))"])
        for coding in ["gzip", "X-GZIP"] {
            for framing in [[], ["--header", "Transfer-Encoding: chunked"]] as [[String]] {
                let answer = try curl(
                    server, "/recommend",
                    json + framing + ["--data-binary", "@\(file)", "--header", "Content-Encoding: \(coding)"])
                #expect(answer.status == 200 && answer.body == plain.body, "\(coding) \(framing)")
            }
        }
    }

    @Test("what is no gzip, too much of it, or another coding is refused in words") func refused() throws {
        let server = try RunningServer(made.options + ["--threads", "1", "--max-body-bytes", "100000"])
        let json = ["--header", "Content-Type: application/json"]
        let bomb = try gzipped(Data(count: 8 << 20))
        let tooLarge = try curl(
            server, "/recommend", json + ["--data-binary", "@\(bomb)", "--header", "Content-Encoding: gzip"])
        let size = try Data(contentsOf: URL(filePath: bomb)).count
        #expect(tooLarge.status == 413)
        #expect(tooLarge.body.contains("\(size) bytes of gzip") && tooLarge.body.contains("100000 bytes"))
        let damaged = try curl(
            server, "/recommend", json + ["--data-binary", "{}", "--header", "Content-Encoding: gzip"])
        #expect(damaged.status == 400 && damaged.body.contains("is not the gzip"))
        let other = try curl(server, "/recommend", json + ["--data-binary", "{}", "--header", "Content-Encoding: br"])
        #expect(other.status == 415 && other.head.contains("\r\nAccept-Encoding: gzip\r\n"))
        let nothing = try curl(server, "/livez", ["--header", "Accept-Encoding: br, *;q=0"])
        #expect(nothing.status == 406)
        // The server is as it was.
        #expect(try curl(server, "/livez").status == 200)
    }

    @Test("a POST that says nothing of a body is 411, and OPTIONS * says what there is") func lengthAndOptions() throws
    {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let connection = try LoopbackConnection(port: server.port)
        try connection.send("POST /recommend HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\r\n")
        #expect(try connection.receive().status == 411)
        try connection.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
        let options = try connection.receive()
        #expect(options.status == 204 && options.headers["allow"] == "GET, HEAD, POST, OPTIONS")
        #expect(try connection.get("/livez").status == 200)
    }

    @Test(
        "settings outside their bounds are wrong usage",
        arguments: [("--gzip-min-bytes", "-1"), ("--gzip-level", "10")])
    func usage(option: String, value: String) throws {
        let run = try BuiltBinary.run(["serve"] + made.options + ["\(option)=\(value)"], seconds: 20)
        #expect(run.exitCode == 64 && run.errors.contains("wanted"))
    }
}
