import ArgumentParser
import HTTPMessages
import HTTPServer
import ModelRegistry
import RecommendService

/// What watching costs: counting a request, logging it, and writing `/metrics`.
///
/// One loop's service is asked in memory, as its event loop would ask it, with no socket in between. Instructions come from running it under
/// `valgrind --tool=callgrind` with two numbers of requests: docs/access-log.md.
struct ObserverBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "observer", abstract: "Metrics and the access log: what a request and a scrape cost.")

    enum Part: String, CaseIterable, ExpressibleByArgument {
        /// Only what is counted when a request begins and ends.
        case metrics
        /// GET /livez from its bytes to its answer, and what is counted.
        case answer
        /// The same with an access log.
        case json, text
        /// The text of /metrics after some requests, and after every method, route and status class was seen.
        case scrape, fullScrape = "full-scrape"
    }

    @Option(help: "Requests, or a thousandth as many scrapes, 1000 to 1000000000.")
    var requests = 2_000_000

    @Option(help: "metrics, answer, json, text, scrape or full-scrape. Default: all.")
    var part: Part?

    @Option(help: "File for the access log.")
    var log = "/dev/null"

    func validate() throws {
        guard (1000...1_000_000_000).contains(requests) else {
            throw ValidationError("--requests is \(requests); wanted 1000 to 1000000000.")
        }
    }

    func run() throws {
        for part in part.map({ [$0] }) ?? Part.allCases { try run(part) }
    }

    private func run(_ part: Part) throws {
        var accessLog: AccessLog?
        if part == .json || part == .text {
            var settings = AccessLogSettings(destination: .file(log))
            settings.format = part == .json ? .json : .text
            accessLog = try AccessLog(settings, loops: 1) { _ in }
        }
        let models = ModelStore([ModelDeclaration(name: "none", policy: .alias("none"))], loops: 1)
        let service = Service(models, version: "0", commit: "0", accessLog: accessLog)
        let loop = service.makeLoop(0)
        switch part {
        case .metrics: report(part, seconds { for _ in 0..<requests { count(loop) } }, requests)
        case .answer, .json, .text:
            let request = try Request()
            report(part, seconds { for _ in 0..<requests { request.answer(loop) } }, requests)
        case .scrape, .fullScrape:
            if part == .fullScrape { countEverything(loop) } else { count(loop) }
            var bytes = 0
            let scrapes = requests / 1000
            report(part, seconds { for _ in 0..<scrapes { bytes = service.metricsText().utf8.count } }, scrapes)
            print("  \(bytes) bytes")
        }
        if let accessLog {
            print("  dropped: \(accessLog.lineCounts.dropped) of \(requests) lines")
            _ = accessLog.end(within: .seconds(5))
        }
    }

    private func report(_ part: Part, _ seconds: Double, _ count: Int) {
        print("\(part.rawValue): \(readable(seconds / Double(count)))")
    }

    private func count(_ loop: LoopService) {
        loop.requestBegan()
        loop.requestEnded(
            route: Route.recommend.rawValue, method: .get, status: 200, requestBytes: 200, responseBytes: 1100,
            nanoseconds: 30_000)
    }

    private func countEverything(_ loop: LoopService) {
        for method in HTTPMethod.allCases {
            for route in Route.allCases {
                for status in stride(from: 100, through: 500, by: 100) {
                    loop.requestBegan()
                    loop.requestEnded(
                        route: route.rawValue, method: method, status: status, requestBytes: 200, responseBytes: 1100,
                        nanoseconds: 30_000)
                }
            }
        }
    }
}

/// `GET /livez` with the headers that a proxy adds.
private struct Request {
    private let bytes = Array(
        """
        GET /livez HTTP/1.1\r
        Host: localhost:8080\r
        User-Agent: benchmark\r
        Accept: */*\r
        X-Request-ID: 4b1f0f8e7a5d4c7f9c1a\r
        traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r
        \r

        """.utf8)
    private let head: RequestHead

    init() throws {
        var parser = RequestParser()
        let bytes = bytes
        guard let head = try parser.parse(bytes.span, limits: Limits()) else {
            preconditionFailure("BUG: a request without an end")
        }
        self.head = head
    }

    func answer(_ loop: LoopService) {
        loop.requestBegan()
        var response = Response(
            into: ByteBuffer(capacity: 1024), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false)
        let route = loop.respond(
            to: head, bytes: bytes.span, body: Span(), context: RequestContext(), into: &response)
        let responseBytes = response.finish()
        loop.requestEnded(
            route: route, method: head.method, status: response.status, requestBytes: bytes.count,
            responseBytes: responseBytes, nanoseconds: 2000)
    }
}
