import FactorModel
import Foundation
import HTTPMessages
import HTTPServer
import Testing

@testable import RecommendService

@Suite("Lines of the access log") struct AccessEntryTests {
    private func line(
        _ entry: AccessEntry, _ format: AccessLogFormat, includesClient: Bool = false, id: String = "01J9"
    ) -> String {
        var timestamp = UTCTimestamp()
        var buffer = ByteBuffer(capacity: 64)
        let id = Array(id.utf8)
        buffer.append(
            entry, requestID: id.span, time: (1_795_334_598, 42_000_000), format, includesClient: includesClient,
            &timestamp)
        return text(buffer)
    }

    private var plain: AccessEntry {
        var entry = AccessEntry()
        entry.method = .get
        entry.route = .livez
        entry.status = 200
        entry.requestBytes = 40
        entry.responseBytes = 180
        entry.nanoseconds = 1499
        return entry
    }

    private var full: AccessEntry {
        let client = ClientAddress("2001:db8::7") ?? .unixSocket
        var entry = AccessEntry(context: RequestContext(client: client, isEncrypted: true))
        entry.method = .post
        entry.route = .recommend
        entry.status = 404
        entry.requestBytes = 123
        entry.responseBytes = 1102
        entry.nanoseconds = 31_500
        let trace = Array("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".utf8)
        entry.traceID = TraceID(traceparent: trace.span)
        entry.model = ("room-service", 7)
        entry.strategy = .foldIn
        entry.refusal = RefusalReason(.unknownUser)
        entry.wasCut = true
        return entry
    }

    @Test("JSON, by example; what is not known is left out")
    func json() {
        #expect(
            line(plain, .json) == """
                {"time":"2026-11-22T08:03:18.042Z","request_id":"01J9","method":"GET","route":"/livez","status":200,\
                "bytes_in":40,"bytes_out":180,"duration_us":1,"tls":false}

                """)
        #expect(
            line(full, .json, includesClient: true) == """
                {"time":"2026-11-22T08:03:18.042Z","request_id":"01J9","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",\
                "method":"POST","route":"/recommend","status":404,"bytes_in":123,"bytes_out":1102,"duration_us":32,\
                "client":"2001:db8::7","model":"room-service","model_version":7,"strategy":"fold_in","tls":true,\
                "reason":"unknown_user","cut":true}

                """)
    }

    @Test("text, by example")
    func textLines() {
        #expect(
            line(plain, .text) == "2026-11-22T08:03:18.042Z GET /livez 200 1us in=40 out=180 id=01J9 tls=no\n")
        #expect(
            line(full, .text, includesClient: true) == """
                2026-11-22T08:03:18.042Z POST /recommend 404 32us in=123 out=1102 id=01J9 \
                trace=4bf92f3577b34da6a3ce929d0e0e4736 client=2001:db8::7 model=room-service/7 strategy=fold_in tls=yes \
                reason=unknown_user cut=yes

                """)
    }

    @Test("who asked is said only when that was asked for", arguments: AccessLogFormat.allCases)
    func client(format: AccessLogFormat) {
        #expect(!line(full, format).contains("2001"))
        #expect(line(full, format, includesClient: true).contains("2001:db8::7"))
    }

    @Test("every line is one JSON object of visible ASCII, whatever the method, route, status, strategy and reason")
    func everyValue() throws {
        let reasons = Malformation.allCases.map { RefusalReason($0) } + [RefusalReason(.tooManyHeaders(countMax: 1))]
        var lines = 0
        for method in HTTPMethod.allCases {
            for route in Route.allCases {
                var entry = full
                entry.method = method
                entry.route = route
                entry.nanoseconds = .max
                entry.strategy = Strategy.allCases[lines % Strategy.allCases.count]
                entry.refusal = reasons[lines % reasons.count]
                let text = line(entry, .json, id: String(repeating: "Z", count: 128))
                #expect(text.utf8.dropLast().allSatisfy { (0x20..<0x7F).contains($0) } && text.last == "\n")
                let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
                #expect(object?["method"] as? String == "\(method.name)")
                #expect(object?["route"] as? String == "\(route.template)")
                #expect(object?["reason"] as? String == entry.refusal?.label)
                lines += 1
            }
        }
        #expect(lines > reasons.count)
    }
}
