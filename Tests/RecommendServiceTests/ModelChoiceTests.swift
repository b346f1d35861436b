import RecommendService
import Testing

@Suite("Which model answers") struct ModelChoiceTests {
    let fixture: ServiceFixture

    /// Two models, told apart by their versions: 7 answers by default, 3 is the minibar's.
    init() throws {
        fixture = try ServiceFixture(models: ["minibar", "empty"])
        fixture.service.models.publish(fixture.served("minibar", version: 3))
    }

    @Test(
        "a query chooses with model, and the first model answers without",
        arguments: [
            "/recommend?user_id=ann", "/items/a/similar?k=2", "/popular?k=1", "/users/ann?", "/model/info?",
        ])
    func query(target: String) throws {
        let separator = target.hasSuffix("?") ? "" : "&"
        for (choice, version) in [
            ("", "7"), ("model=minibar", "3"), ("model=room-service", "7"), ("%6dodel=mini%62ar", "3"),
        ] {
            let answer = try fixture.get(choice.isEmpty ? target : target + separator + choice)
            #expect(answer.status == 200, "\(choice): \(answer.body)")
            #expect(answer.header("X-Model-Version") == version, "\(choice)")
            if let body = answer.json["model_version"] as? Int {
                #expect(String(body) == version)
                #expect(answer.json["model"] as? String == (version == "3" ? "minibar" : "room-service"))
            }
        }
        let unknown = try fixture.get(target + separator + "model=other")
        #expect(unknown.status == 404)
        #expect(unknown.problem == "unknown-model")
        #expect(
            unknown.detail == "No model of this name is served here. Served models: room-service, minibar, empty.")
        #expect(unknown.header("X-Model-Version") == nil)
        let empty = try fixture.get(target + separator + "model=empty")
        #expect(empty.status == 503)
        #expect(empty.detail?.contains("'empty' has no version that can answer yet") == true)
    }

    @Test(
        "a name that no model can have is a bad parameter, and so is a second name",
        arguments: [
            "model=", "model=Upper", "model=a%20b", "model=%3Cb%3E", "model=\(String(repeating: "x", count: 65))",
        ])
    func badNames(query: String) throws {
        let answer = try fixture.get("/popular?" + query)
        #expect(answer.status == 400)
        #expect(answer.problem == "bad-parameter")
        #expect(answer.detail?.hasPrefix("The parameter model was ") == true)
        #expect(try fixture.get("/popular?model=minibar&model=minibar").problem == "repeated-parameter")
        let longest = String(repeating: "x", count: 64)
        #expect(try fixture.get("/popular?model=\(longest)").status == 404)
    }

    @Test("a body chooses with its member model") func body() throws {
        for (path, rest) in [("/recommend", ""), ("/score", #","item_ids":["a"]"#)] {
            let chosen = try fixture.post(path, #"{"user_id":"ann","model":"minibar"\#(rest)}"#)
            #expect(chosen.header("X-Model-Version") == "3")
            #expect(chosen.json["model"] as? String == "minibar")
            #expect(try fixture.post(path, #"{"user_id":"ann"\#(rest)}"#).json["model_version"] as? Int == 7)
            #expect(try fixture.post(path, #"{"user_id":"ann","model":"other"\#(rest)}"#).problem == "unknown-model")
            let number = try fixture.post(path, #"{"user_id":"ann","model":7\#(rest)}"#)
            #expect(number.status == 400)
            #expect(number.detail?.contains("model was a number") == true)
        }
    }

    @Test("each line of a bulk request chooses for itself, in order") func bulk() throws {
        let answer = try fixture.bulk([
            #"{"user_id":"ann","k":1}"#, #"{"user_id":"ann","k":1,"model":"minibar"}"#,
            #"{"user_id":"ann","k":0,"model":"minibar"}"#, #"{"user_id":"bob","k":1,"model":"minibar"}"#,
            #"{"user_id":"ann","model":"other"}"#, #"{"user_id":"bob","k":1}"#, #"{"user_id":"bob","model":"empty"}"#,
        ])
        #expect(answer.header("X-Model-Version") == "7")
        #expect(answer.lines.map { $0["model_version"] as? Int } == [7, 3, nil, 3, nil, 7, nil])
        #expect(answer.lines.map { $0["status"] as? Int } == [nil, nil, 400, nil, 404, nil, 503])
        #expect(answer.lines.map { $0["line"] as? Int } == [nil, nil, 3, nil, 5, nil, 7])
    }

    @Test("ready once every model answers") func readiness() throws {
        #expect(try fixture.get("/readyz").status == 503)
        #expect(try fixture.get("/readyz").detail?.contains("'empty'") == true)
        fixture.service.models.publish(fixture.served("empty", version: 1))
        #expect(try fixture.get("/readyz").status == 200)
    }
}
