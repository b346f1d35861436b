import Foundation
import ModelRegistry
import RecommendService
import Testing

@Suite("GET /models") struct ModelsTests {
    let fixture: ServiceFixture

    init() throws { fixture = try ServiceFixture(models: ["minibar"]) }

    @Test("lists every model, what answers, and why a version does not") func list() throws {
        let store = fixture.service.models
        store.noteRegistry("room-service", versions: [6, 7, 8, 9], aliases: ["production": 7, "a": 6], at: 0)
        store.noteRejected("room-service", version: 8, gate: .verify, reason: "say \"no\"", at: 86_400)
        store.noteLoading("room-service", version: 9, at: 90_000)
        store.noteStandIn("room-service", for: 8)
        store.noteStandIn("minibar", for: 8)
        store.noteProblem("minibar", "no registry at models", at: 1)
        let answer = try fixture.get("/models", headers: "X-Request-ID: r\r\n")
        #expect(answer.header("X-Model-Version") == nil)
        #expect(
            answer.body == #"""
                {"models":[{"name":"room-service","default":true,"policy":{"alias":"production"},"live":7,\#
                "in_place_of":8,"problem":null,"looked_at":"1970-01-01T00:00:00Z","aliases":{"a":6,"production":7},"versions":[\#
                {"version":9,"state":"loading","live":false,"since":"1970-01-02T01:00:00Z","gate":null,"reason":null},\#
                {"version":8,"state":"rejected","live":false,"since":"1970-01-02T00:00:00Z","gate":"verify",\#
                "reason":"say \"no\""},\#
                {"version":7,"state":"ready","live":true,"since":"1970-01-01T00:33:20Z","gate":null,"reason":null},\#
                {"version":6,"state":"available","live":false,"since":null,"gate":null,"reason":null}]},\#
                {"name":"minibar","default":false,"policy":{"alias":"production"},"live":null,\#
                "in_place_of":null,"problem":"no registry at models","looked_at":"1970-01-01T00:00:01Z","aliases":{},"versions":[]}],\#
                "request_id":"r"}

                """#)
    }

    @Test("one model by its name, 404 for another") func one() throws {
        let answer = try fixture.get("/models/room-service")
        #expect(answer.json["name"] as? String == "room-service")
        #expect(answer.json["live"] as? Int == 7)
        #expect(answer.json["request_id"] as? String == answer.header("X-Request-ID"))
        #expect(try fixture.get("/models/mini%62ar").json["name"] as? String == "minibar")
        #expect(try fixture.get("/models/other").problem == "unknown-model")
        #expect(try fixture.get("/models/").problem == "unknown-path")
        #expect(try fixture.get("/models/minibar?x=1").problem == "unknown-parameter")
        #expect(try fixture.get("/models?x=1").problem == "unknown-parameter")
    }

    @Test("a refusal that was taken back is told beside the version, until it was compared anew") func takenBack()
        throws
    {
        let store = fixture.service.models
        store.noteRegistry("minibar", versions: Array(1...1003), aliases: [:], at: 0)
        var verdict = GateVerdict(
            alias: "production", version: 2, contents: "0", comparedWith: 1, gate: "overlap", reason: "too little",
            thresholds: "a", who: "me@here", at: Date(timeIntervalSince1970: 0))
        verdict.takenBack = GateVerdict.TakenBack(
            at: Date(timeIntervalSince1970: 60), who: "ann", reason: "new \"menu\"")
        store.noteTakenBack("minibar", [verdict])
        let answer = try fixture.get("/models/minibar")
        #expect(
            answer.body.contains(
                #"""
                {"version":2,"state":"available","live":false,"since":null,"gate":null,"reason":null,\#
                "taken_back":{"gate":"overlap","reason":"too little","at":"1970-01-01T00:01:00Z","who":"ann",\#
                "why":"new \"menu\""}}]
                """#), "\(answer.body.suffix(400))")
        store.noteTakenBack("minibar", [])
        #expect(!(try fixture.get("/models/minibar").body.contains("taken_back")))
    }

    @Test("a thousand versions are listed, older ones only when something is to be said of them") func bound() throws {
        let store = fixture.service.models
        store.noteRegistry("minibar", versions: Array(1...1003), aliases: ["old": 2], at: 0)
        store.noteRejected("minibar", version: 1, gate: .metric, reason: "bad", at: 0)
        let versions = try #require(try fixture.get("/models/minibar").json["versions"] as? [[String: Any]])
        #expect(versions.compactMap { $0["version"] as? Int } == Array((4...1003).reversed()) + [2, 1])
    }
}
