import ArgumentParser
import Foundation
import HTTPLoad

struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "HTTP/1.1 load: closed loop, or open loop at a constant rate.",
        discussion: """
            Latency counts from the time a request was due: when it is sent (closed loop), or its place in a constant \
            schedule (--rate), so that the queue behind a stalled server shows. Nothing is sent again: a request without \
            an answer is counted with its cause. docs/benchmarks.md explains the figures.
            """)

    @Option(help: "http://ADDRESS:PORT/path; an address literal or localhost.") var url: String
    @Option(help: "Paths, one a line, sent in turn; --url then names the server alone.") var targets: String?
    @Option(help: "Method of every request.") var method = "GET"
    @Option(help: "Body of every request.") var bodyFile: String?
    @Option(help: "A header line of every request; may be repeated.") var header: [String] = []
    @Option(help: "Connections, 1 to 60000, over all threads.") var connections = 32
    @Option(help: "Threads, 1 to 64.") var threads = 1
    @Option(help: "Requests of a connection that may wait for answers, 1 to 1000.") var pipeline = 1
    @Option(help: "Seconds in which requests fall due, 0.1 to 86400. Default: 10, or 86400 with --requests.")
    var duration: Double?
    @Option(help: "Requests to send, at most.") var requests: Int?
    @Option(help: "Open loop: requests a second, 0.1 to 10000000. Default: closed loop.") var rate: Double?
    @Option(help: "Seconds to wait for an answer, 0.1 to 600.") var timeout = 10.0
    @Option(help: "Figures for every so many seconds as well, 0.01 to 3600.") var timeline: Double?
    @Flag(help: "One JSON object.") var json = false

    func validate() throws {
        try check("connections", connections, in: 1...60_000)
        try check("threads", threads, in: 1...64)
        try check("pipeline", pipeline, in: 1...1000)
        if let duration { try check("duration", duration, in: 0.1...86_400) }
        if let requests { try check("requests", requests, in: 1...1_000_000_000_000) }
        if let rate { try check("rate", rate, in: 0.1...10_000_000) }
        try check("timeout", timeout, in: 0.1...600)
        if let timeline { try check("timeline", timeline, in: 0.01...3600) }
        if threads > connections {
            throw ValidationError("--threads is \(threads), more than --connections, \(connections)")
        }
        if let timeline, duration ?? 10 > timeline * Double(LoadPlan.intervalsMax) {
            throw ValidationError(
                "--timeline \(timeline) cuts the run into more than \(LoadPlan.intervalsMax) intervals")
        }
    }

    func run() throws {
        let plan = try makePlan()
        let report = LoadReport(try plan.run(), interval: plan.interval)
        if json {
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
        } else {
            printTable(report)
        }
    }

    private func makePlan() throws -> LoadPlan {
        guard let parsed = URL(string: url), parsed.scheme == "http", let host = parsed.host(), !host.isEmpty,
            parsed.user() == nil
        else { throw ValidationError("--url is \(url); wanted http://ADDRESS:PORT/path") }
        let paths: [String]
        if let targets {
            paths = try text(targets).split(whereSeparator: \.isNewline).map(String.init)
        } else {
            let path = parsed.path(percentEncoded: true)
            paths = [(path.isEmpty ? "/" : path) + (parsed.query(percentEncoded: true).map { "?" + $0 } ?? "")]
        }
        let port = parsed.port ?? 80
        // Foundation has told an IPv6 literal with its brackets and without.
        let bare = host.trimmingCharacters(in: ["[", "]"])
        let address = bare == "localhost" ? "127.0.0.1" : bare
        let authority = bare.contains(":") ? "[\(bare)]:\(port)" : "\(bare):\(port)"
        let script = try RequestScript(
            targets: paths, method: method, host: authority, headers: header, body: try bodyFile.map(bytes))
        var plan = LoadPlan(host: address, port: port, script: script)
        plan.connections = connections
        plan.threads = threads
        plan.pipeline = pipeline
        plan.duration = .seconds(duration ?? (requests == nil ? 10 : 86_400))
        plan.requestsMax = requests
        plan.requestsPerSecond = rate
        plan.timeout = .seconds(timeout)
        plan.interval = timeline.map { .seconds($0) }
        return plan
    }

    private func printTable(_ report: LoadReport) {
        let total = report.total
        let latency = total.latencySeconds
        print("\(total.answers) answers in \(readable(report.seconds)), \(rounded(total.requestsPerSecond)) a second")
        print(
            "latency: mean \(readable(latency.mean)), p50 \(readable(latency.p50)), p90 \(readable(latency.p90)), p99 "
                + "\(readable(latency.p99)), p99.9 \(readable(latency.p999)), max \(readable(latency.max))")
        print("status: \(counts(total.status))")
        if !total.modelVersions.isEmpty { print("model versions: \(counts(total.modelVersions))") }
        print("unanswered: \(counts(total.unanswered)); \(total.unansweredOnReused) of them on kept connections")
        let connections = total.connections
        print(
            "connections: \(connections.failures) failed, \(connections.reopened) reopened, "
                + "\(connections.closedAnnounced) closed as announced, \(connections.closedIdle) closed when idle")
        for interval in report.timeline ?? [] {
            let figures = interval.figures
            print(
                "from \(rounded(interval.fromSeconds)) s: \(rounded(figures.requestsPerSecond)) a second, p50 "
                    + "\(readable(figures.latencySeconds.p50)), p99 \(readable(figures.latencySeconds.p99)), max "
                    + "\(readable(figures.latencySeconds.max)), status \(counts(figures.status)), "
                    + "unanswered \(figures.unansweredTotal), versions \(counts(figures.modelVersions))")
        }
    }

    private func counts(_ named: [String: Int]) -> String {
        let shown = named.sorted { $0.key < $1.key }.filter { $0.value > 0 }.map { "\($0.key) \($0.value)" }
        return shown.isEmpty ? "none" : shown.joined(separator: ", ")
    }

    private func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

    private func bytes(_ path: String) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw ValidationError("\(path) cannot be read: \(error.localizedDescription)")
        }
    }

    private func check<Value: Comparable>(_ name: String, _ value: Value, in range: ClosedRange<Value>) throws {
        guard range.contains(value) else {
            throw ValidationError("--\(name) is \(value); wanted \(range.lowerBound) to \(range.upperBound)")
        }
    }
}
