import RecommendService
import Testing

@Suite("Similar items, scores and users") struct ItemAndUserTests {
    let fixture: ServiceFixture

    init() throws { fixture = try ServiceFixture() }

    // MARK: GET /items/{item_id}/similar

    @Test("similar items go by cosine, without the item itself") func similar() throws {
        // Directions: c (1, 0.3), a (0.5, 0.1), b (0.25, 0.2), d (0.25, 0.4), e (-1, 0.5).
        let answer = try fixture.get("/items/c/similar")
        #expect(answer.status == 200)
        #expect(answer.itemIDs == ["a", "b", "d", "e"])
        #expect(answer.json["item_id"] as? String == "c")
        #expect(answer.json["user_id"] == nil)
        #expect(answer.json["strategy"] as? String == "similar")
        let scores = (answer.json["items"] as? [[String: Any]] ?? []).compactMap { $0["score"] as? Double }
        #expect(abs((scores.first ?? 0) - 0.53 / (1.09 * 0.26).squareRoot()) < 1e-6)
        #expect(try fixture.get("/items/c/similar?k=2&offset=1").itemIDs == ["b", "d"])
        #expect(try fixture.get("/items/c/similar?hotel_id=h2").itemIDs == ["d", "e"])
    }

    @Test(
        "the item id in the path is percent-decoded, and an unknown one is a 404",
        arguments: [
            ("/items/%61/similar", 200, ""), ("/items/zz/similar", 404, "unknown-item"),
            ("/items/a%2Fb/similar", 404, "unknown-item"), ("/items/a+b/similar", 404, "unknown-item"),
            ("/items/%ff/similar", 400, "undecodable-path"),
            ("/items/\(String(repeating: "x", count: 256))/similar", 404, "unknown-item"),
            ("/items/\(String(repeating: "x", count: 257))/similar", 400, "bad-parameter"),
            ("/items//similar", 404, "unknown-path"), ("/items/a/b/similar", 404, "unknown-path"),
            ("/items/a/similar/", 404, "unknown-path"), ("/items/similar", 404, "unknown-path"),
            ("/items/a", 404, "unknown-path"),
        ])
    func paths(target: String, status: Int, problem: String) throws {
        let answer = try fixture.get(target)
        #expect(answer.status == status)
        #expect(answer.problem ?? "" == problem)
    }

    // MARK: POST /score

    @Test("scores come in the given order, null for unknown items, repeats too") func score() throws {
        let answer = try fixture.post("/score", #"{"user_id":"ann","item_ids":["e","zz","c","c"]}"#)
        #expect(answer.status == 200)
        #expect(answer.header("X-Model-Version") == "7")
        #expect(answer.body.contains(#""fallback_reason":null,"scores":[-1.0,null,1.0,1.0],"#))
        #expect(try fixture.post("/score", #"{"user_id":"ann","item_ids":[]}"#).body.contains(#""scores":[]"#))
    }

    @Test("a user without a vector has no scores, and the reason is given; strict is a 404") func scoreless() throws {
        let unknown = try fixture.post("/score", #"{"user_id":"zoe","item_ids":["a","zz"]}"#)
        #expect(unknown.status == 200)
        #expect(unknown.body.contains(#""fallback_reason":"unknown_user","scores":[null,null]"#))
        let zero = try fixture.post("/score", #"{"user_id":"nil","item_ids":["a"],"strict":true}"#)
        #expect(zero.body.contains(#""fallback_reason":"no_factors","scores":[null]"#))
        #expect(try fixture.post("/score", #"{"user_id":"zoe","item_ids":["a"],"strict":true}"#).status == 404)
    }

    @Test("score takes 1000 ids and no more, and nothing else") func scoreBounds() throws {
        func body(_ count: Int) -> String {
            #"{"user_id":"ann","item_ids":["# + Array(repeating: "\"a\"", count: count).joined(separator: ",") + "]}"
        }
        #expect(try fixture.post("/score", body(1000)).status == 200)
        #expect(try fixture.post("/score", body(1001)).status == 400)
        #expect(
            try fixture.post("/score", #"{"user_id":"ann"}"#).detail == "The parameter item_ids is required.")
        #expect(
            try fixture.post("/score", #"{"item_ids":["a"]}"#).detail == "The parameter user_id is required.")
        #expect(
            try fixture.post("/score", #"{"user_id":"ann","item_ids":["a"],"k":1}"#).detail
                == "The object has a member that this path does not know. Known members: user_id, strict, item_ids, model."
        )
        #expect(try fixture.get("/score").header("Allow") == "POST")
    }

    // MARK: GET /users/{user_id}

    @Test("a user's history comes most ordered first; not knowing a user is an answer") func users() throws {
        let ann = try fixture.get("/users/ann", headers: "X-Request-ID: r\r\n")
        #expect(
            ann.body == """
                {"user_id":"ann","known":true,"has_factors":true,"model":"room-service","model_version":7,"history":[\
                {"item_id":"c","count":2.0,"name":null,"price":null,"department_id":null},\
                {"item_id":"a","count":1.0,"name":"김치찌개","price":12000,"department_id":"1"}],"request_id":"r"}

                """)
        let zero = try fixture.get("/users/nil")
        #expect(zero.body.contains(#""known":true,"has_factors":false"#))
        let unknown = try fixture.get("/users/%EA%B9%80%20%2F")
        #expect(unknown.status == 200)
        #expect(unknown.body.hasPrefix(#"{"user_id":"김 /","known":false,"has_factors":false"#))
        #expect(unknown.body.contains(#""history":[]"#))
    }

    @Test("path templates are the labels of metrics, whatever ids are asked for") func labels() throws {
        _ = try fixture.get("/items/secret-item/similar")
        _ = try fixture.get("/users/secret-user")
        let text = try fixture.get("/metrics").body
        #expect(text.contains(#"http_requests_total{method="GET",status="4xx",handler="/items/{item_id}/similar"} 1"#))
        #expect(text.contains(#"http_requests_total{method="GET",status="2xx",handler="/users/{user_id}"} 1"#))
        #expect(!text.contains("secret"))
    }

    @Test(
        "HEAD is answered wherever GET is, without a body",
        arguments: [
            "/recommend?user_id=ann", "/popular", "/items/a/similar", "/users/ann", "/openapi.json", "/docs",
            "/model/info",
        ])
    func head(target: String) throws {
        let get = try fixture.get(target, headers: "X-Request-ID: r\r\n")
        let head = try fixture.send("HEAD", target, headers: "X-Request-ID: r\r\n")
        #expect(head.head == get.head)
        #expect(head.body.isEmpty && !get.body.isEmpty)
    }
}
