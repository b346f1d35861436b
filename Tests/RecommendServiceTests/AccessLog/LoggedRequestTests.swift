import Foundation
import HTTPMessages
import HTTPServer
import RecommendService
import TestSupport
import Testing

/// What a loop logs of the requests it answers.
@Suite("Logged requests") struct LoggedRequestTests {
    private let directory: TemporaryDirectory
    private let log: AccessLog
    private let fixture: ServiceFixture

    init() throws {
        directory = try TemporaryDirectory()
        log = try AccessLog(AccessLogSettings(destination: .file(directory.file("log"))), loops: 1) { _ in }
        fixture = try ServiceFixture(accessLog: log)
    }

    /// Ends the log; its lines as JSON objects.
    private func lines() throws -> [[String: Any]] {
        try #require(log.end(within: .seconds(10)))
        return try String(contentsOfFile: directory.file("log"), encoding: .utf8).split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    @Test("the id of a line is that of the answer, in its header and its body, made or the client's")
    func ids() throws {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        let answers = [
            try fixture.get("/recommend?user_id=ann"),
            try fixture.get("/recommend?user_id=ann", headers: "X-Request-ID: from-the-proxy_1\r\n"),
            try fixture.get("/recommend", headers: "traceparent: 00-\(trace)-00f067aa0ba902b7-01\r\n"),
            try fixture.get("/nowhere", headers: "X-Request-ID: \"},{\r\ntraceparent: 00-junk\r\n"),
        ]
        let lines = try lines()
        #expect(lines.map { $0["request_id"] as? String } == answers.map { $0.header("X-Request-ID") })
        #expect(lines.map { $0["request_id"] as? String } == answers.map { $0.json["request_id"] as? String })
        #expect(lines[1]["request_id"] as? String == "from-the-proxy_1")
        #expect(lines.map { $0["trace_id"] as? String } == [nil, nil, trace, nil])
        // A leaf service asks nobody else, and an answer has no standard field for a trace.
        #expect(answers.allSatisfy { $0.header("traceparent") == nil && $0.header("traceresponse") == nil })
    }

    @Test("a line says which version answered, how, and why not; nothing of a guest")
    func fields() throws {
        _ = try fixture.get("/recommend?user_id=ann&k=2")
        _ = try fixture.get("/recommend?user_id=secret-guest")
        _ = try fixture.get("/users/secret-guest")
        _ = try fixture.get("/recommend?user_id=secret-guest&strict=true")
        _ = try fixture.get("/recommend?user_id=ann&secret-parameter=1")
        _ = try fixture.post("/score", "{}", type: "text/plain")
        _ = try fixture.get("/livez")
        let text = try {
            try #require(log.end(within: .seconds(10)))
            return try String(contentsOfFile: directory.file("log"), encoding: .utf8)
        }()
        #expect(!text.contains("secret") && !text.contains("ann"))
        let lines = try lines()
        #expect(lines.map { $0["strategy"] as? String } == ["als", "popular", nil, nil, nil, nil, nil])
        #expect(lines.map { $0["model_version"] as? Int } == [7, 7, 7, 7, nil, nil, nil])
        #expect(lines[0]["model"] as? String == "room-service")
        #expect(
            lines.map { $0["reason"] as? String } == [
                nil, nil, nil, "unknown_user", "unknown_parameter", "unsupported_media_type", nil,
            ])
        #expect(lines.map { $0["status"] as? Int } == [200, 200, 200, 404, 400, 415, 200])
        #expect(
            lines.map { $0["route"] as? String } == [
                "/recommend", "/recommend", "/users/{user_id}", "/recommend", "/recommend", "/score", "/livez",
            ])
        #expect(lines.allSatisfy { $0["client"] == nil && $0["tls"] as? Bool == false })
    }

    @Test("a bulk answer is logged at its end, as itself, whatever was answered meanwhile")
    func bulk() throws {
        let body = Array("{\"user_id\":\"ann\"}\n".utf8)
        let headers = "Content-Type: application/x-ndjson\r\nX-Request-ID: bulk-1\r\n"
        let begun = try fixture.begin("POST", "/recommend/bulk", headers: headers, body: body)
        _ = try fixture.get("/nowhere", headers: "X-Request-ID: other\r\n")
        let producer = try #require(begun.producer)
        var piece = ByteBuffer(capacity: 64)
        _ = producer.producePiece(into: &piece)
        producer.ended(wasWhole: true)
        begun.end()
        let cut = try fixture.begin("POST", "/recommend/bulk", headers: headers, body: body)
        cut.producer?.ended(wasWhole: false)
        cut.end()
        let lines = try lines()
        #expect(lines.map { $0["request_id"] as? String } == ["other", "bulk-1", "bulk-1"])
        #expect(lines.map { $0["reason"] as? String } == ["unknown_path", nil, nil])
        #expect(lines.map { $0["model_version"] as? Int } == [nil, 7, 7])
        #expect(lines.map { $0["cut"] as? Bool } == [nil, nil, true])
    }

    @Test("a refusal of the server is logged with its reason, and with the request's own id when its head was read")
    func refusals() throws {
        refuse(.malformed(.host), head: nil)
        let bytes = Array("GET /recommend?user_id=ann HTTP/1.1\r\nHost: h\r\nX-Request-ID: mine\r\n\r\n".utf8)
        refuse(.tooBusy(retryAfterSeconds: 1), head: bytes)
        let lines = try lines()
        #expect(lines.map { $0["reason"] as? String } == ["malformed_host", "too_busy"])
        #expect(lines.map { $0["status"] as? Int } == [400, 503])
        #expect(lines.map { $0["route"] as? String } == ["none", "/recommend"])
        #expect(lines[1]["request_id"] as? String == "mine")
        let metrics = fixture.service.metricsText()
        #expect(metrics.contains("nextloop_requests_refused_total{reason=\"malformed_host\"} 1\n"))
        #expect(metrics.contains("nextloop_requests_refused_total{reason=\"too_busy\"} 1\n"))
        #expect(metrics.contains("nextloop_access_log_lines_total 2.0\n"))
        #expect(metrics.contains("nextloop_access_log_dropped_total 0.0\n"))
    }

    private func refuse(_ refusal: Refusal, head bytes: [UInt8]?) {
        var response = Response(
            into: ByteBuffer(capacity: 64), date: HTTPDate(unixSeconds: 0), persistence: .close, omitsBody: false)
        var parser = RequestParser()
        let head = bytes.flatMap { try? parser.parse($0.span, limits: Limits()) }
        let bytes = bytes ?? []
        fixture.loop.requestBegan()
        let route = fixture.loop.refuse(
            refusal, head: head, bytes: bytes.span, context: RequestContext(), into: &response)
        fixture.loop.requestEnded(
            route: route, method: head?.method ?? .other, status: response.status, requestBytes: 10,
            responseBytes: response.finish(), nanoseconds: 1000)
    }

    @Test("without an access log there is no metric of it")
    func without() throws {
        #expect(!(try ServiceFixture().service.metricsText().contains("access_log")))
    }
}
