import Foundation
import HTTPMessages
import RecommendService
import TestSupport
import Testing

@Suite("POST /recommend/bulk") struct BulkTests {
    let fixture: ServiceFixture

    init() throws { fixture = try ServiceFixture() }

    @Test("answers line for line, and a bad line gets a problem with its number in its place") func inOrder() throws {
        let answer = try fixture.bulk([
            #"{"user_id":"ann","k":1}"#, #"{"user_id":"ann","k":"1"}"#, "", "not json", #"{"user_id":"zoe","k":2}"#,
            #"{"user_id":"zoe","strict":true}"#, #"{"user_id":"bob","k":1,"explain":true}"#,
        ])
        #expect(answer.status == 200)
        #expect(answer.header("Content-Type") == "application/x-ndjson")
        #expect(answer.header("X-Model-Version") == "7")
        #expect(answer.header("Transfer-Encoding") == "chunked")
        let lines = answer.lines
        try #require(lines.count == 7)
        #expect(ServiceFixture.Answer.itemIDs(lines[0]) == ["c"])
        #expect(lines[1]["detail"] as? String == "The parameter k was a string; wanted a whole number from 1 to 1000.")
        #expect(
            lines[2]["detail"] as? String
                == "The line is not JSON as wanted here: at byte 0: got the end, wanted a value.")
        #expect(lines[3]["status"] as? Int == 400)
        #expect(ServiceFixture.Answer.itemIDs(lines[4]) == ["b", "d"])
        #expect(lines[5]["type"] as? String == "urn:nextloop:problem:unknown-user")
        #expect(lines.map { $0["line"] as? Int } == [nil, 2, 3, 4, nil, 6, nil])
        #expect(answer.body.hasSuffix("\n"))
        let because = (lines[6]["items"] as? [[String: Any]])?.first?["because"] as? [[String: Any]]
        #expect(because?.first?["item_id"] as? String == "e")
        let requestID = try #require(answer.header("X-Request-ID"))
        #expect(lines.allSatisfy { $0["request_id"] as? String == requestID })
    }

    @Test(
        "each line is answered as POST /recommend answers it, however lines fall into blocks",
        arguments: [1, 2] as [UInt64])
    func likeOneByOne(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let pieces = [
            #""k":2"#, #""offset":1"#, #""hotel_id":["h1"]"#, #""department_id":["2"]"#, #""deny":["c"]"#,
            #""basket":[{"item_id":"d","count":2}]"#, #""exclude_seen":true"#, #""explain":true"#, #""strict":true"#,
            #""min_price":1"#, #""allow":["a","e"]"#, #""k":1000"#,
        ]
        let lines = (0..<300).map { _ in
            let user = ["ann", "bob", "nil", "zoe"].randomElement(using: &rng) ?? ""
            let some = pieces.filter { _ in Int.random(in: 0..<4, using: &rng) == 0 }
            return "{" + (["\"user_id\":\"\(user)\""] + some).joined(separator: ",") + "}"
        }
        let answers = try fixture.bulk(lines).lines
        try #require(answers.count == lines.count)
        for (line, answer) in zip(lines, answers) {
            func comparable(_ json: [String: Any]) -> NSDictionary {
                var json = json
                json["request_id"] = nil
                json["line"] = nil
                if let detail = json["detail"] as? String {
                    json["detail"] = detail.replacing("The line", with: "The body")
                }
                return json as NSDictionary
            }
            #expect(
                comparable(answer) == comparable(try fixture.post("/recommend", line).json), "seed \(seed): \(line)")
        }
    }

    @Test("takes 10,000 lines and no more, the last with or without its line feed") func lineBounds() throws {
        let line = #"{"user_id":"ann","k":1}"#
        let most = Array(repeating: line, count: 10_000)
        let answer = try fixture.bulk(most)
        #expect(answer.lines.count == 10_000)
        #expect(answer.pieces > 10, "made in \(answer.pieces) pieces")
        let over = try fixture.bulk(most + [line])
        #expect(over.status == 413)
        #expect(over.problem == "too-many-lines")
        let without = try fixture.post("/recommend/bulk", most.joined(separator: "\n"), type: "application/x-ndjson")
        #expect(without.lines.count == 10_000)
    }

    @Test("CRLF ends a line too; an empty body is a problem") func lineEnds() throws {
        let crlf = try fixture.post(
            "/recommend/bulk", "{\"user_id\":\"ann\",\"k\":1}\r\n{\"user_id\":\"bob\",\"k\":1}\r\n",
            type: "application/jsonl")
        #expect(crlf.lines.map(ServiceFixture.Answer.itemIDs) == [["c"], ["e"]])
        let empty = try fixture.post("/recommend/bulk", "", type: "application/ndjson")
        #expect(empty.status == 400)
        #expect(empty.detail == "The body is empty; wanted 1 to 10000 lines of JSON.")
    }

    @Test("the body must say that it is lines of JSON, and GET is not answered") func wrongType() throws {
        let answer = try fixture.post("/recommend/bulk", #"{"user_id":"ann"}"#)
        #expect(answer.status == 415)
        #expect(answer.detail?.contains("application/x-ndjson") == true)
        let get = try fixture.get("/recommend/bulk")
        #expect(get.status == 405)
        #expect(get.header("Allow") == "POST")
    }

    @Test("pieces stay small however large the answers are") func pieceSize() throws {
        let lines = Array(repeating: #"{"user_id":"ann","k":1000}"#, count: 500)
        let begun = try fixture.begin(
            "POST", "/recommend/bulk", headers: "Content-Type: application/x-ndjson\r\n",
            body: Array(lines.joined(separator: "\n").utf8))
        let producer = try #require(begun.producer)
        var largest = 0
        var hasMore = true
        while hasMore {
            var piece = ByteBuffer(capacity: 64)
            hasMore = producer.producePiece(into: &piece)
            largest = max(largest, piece.count)
        }
        producer.ended(wasWhole: true)
        // Five items a line: far below what a block of a thousand items may have.
        #expect(largest < 100_000)
    }

    @Test("as many answers as are kept may be under way, one more is told to come back, and an end makes room")
    func busy() throws {
        let body = Array(#"{"user_id":"ann"}"#.utf8)
        let type = "Content-Type: application/x-ndjson\r\n"
        let underWay = try (0..<64).map { _ in try fixture.begin("POST", "/recommend/bulk", headers: type, body: body) }
        let over = try fixture.send("POST", "/recommend/bulk", headers: type, body: body)
        #expect(over.status == 503)
        #expect(over.problem == "busy")
        #expect(over.header("Retry-After") == "1")
        #expect(try fixture.get("/recommend?user_id=ann").status == 200)
        underWay[0].producer?.ended(wasWhole: false)
        #expect(try fixture.send("POST", "/recommend/bulk", headers: type, body: body).status == 200)
    }

    @Test("a new model does not change the version in the middle of an answer") func oneVersion() throws {
        let body = Array(repeating: #"{"user_id":"ann","k":1}"#, count: 200).joined(separator: "\n")
        let begun = try fixture.begin(
            "POST", "/recommend/bulk", headers: "Content-Type: application/x-ndjson\r\n", body: Array(body.utf8))
        let producer = try #require(begun.producer)
        var text = ByteBuffer(capacity: 64)
        _ = producer.producePiece(into: &text)
        fixture.service.models.publish(fixture.served(version: 8))
        #expect(try fixture.get("/recommend?user_id=ann").header("X-Model-Version") == "8")
        while producer.producePiece(into: &text) {}
        producer.ended(wasWhole: true)
        let all = text.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
        #expect(all.split(separator: "\n").count == 200)
        #expect(!all.contains("\"model_version\":8"))
    }

    @Test("lines of more versions than a block holds, in turn, come back in their order") func manyVersions() throws {
        let names = ["a", "b", "c", "d", "e", "f"]
        let fixture = try ServiceFixture(models: names)
        for (place, name) in names.enumerated() {
            fixture.service.models.publish(fixture.served(name, version: 20 + place))
        }
        let lines = (0..<200).map { "{\"user_id\":\"ann\",\"k\":2,\"model\":\"\(names[$0 * 5 % names.count])\"}" }
        let answers = try fixture.bulk(lines).lines
        #expect(answers.map { $0["model"] as? String } == (0..<200).map { names[$0 * 5 % names.count] })
        #expect(answers.map { $0["model_version"] as? Int } == (0..<200).map { 20 + $0 * 5 % names.count })
        #expect(answers.allSatisfy { ($0["items"] as? [Any])?.count == 2 })
    }

    @Test("metrics count every answer of a bulk request, and its content once") func metrics() throws {
        let lines = [#"{"user_id":"ann"}"#, #"{"user_id":"zoe"}"#, "bad"]
        let answer = try fixture.bulk(lines)
        let text = try fixture.get("/metrics").body
        for line in [
            #"http_requests_total{method="POST",status="2xx",handler="/recommend/bulk"} 1"#,
            #"nextloop_recommendations_total{model="room-service",version="7",strategy="als"} 1"#,
            #"nextloop_recommendation_fallbacks_total{model="room-service",version="7",reason="unknown_user"} 1"#,
            #"nextloop_topk_duration_seconds_count{model="room-service",version="7"} 2"#,
            #"http_request_size_bytes_sum{handler="/recommend/bulk"} \#(lines.map { $0.utf8.count + 1 }.reduce(0, +)).0"#,
            #"http_response_size_bytes_sum{handler="/recommend/bulk"} \#(answer.body.utf8.count).0"#,
        ] {
            #expect(text.contains(line + "\n"), "missing: \(line)")
        }
    }
}
