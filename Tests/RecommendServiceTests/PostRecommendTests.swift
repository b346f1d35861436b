import FactorModel
import Foundation
import RecommendService
import Testing

@Suite("POST /recommend") struct PostRecommendTests {
    let fixture: ServiceFixture

    init() throws { fixture = try ServiceFixture() }

    @Test(
        "answers what GET answers, list for list",
        arguments: [
            (#"{"user_id":"ann"}"#, "user_id=ann"),
            (#"{"user_id":"ann","k":2,"offset":1}"#, "user_id=ann&k=2&offset=1"),
            (#" { "k" : 2.0 , "user_id" : "\u0061nn" } "#, "user_id=ann&k=2"),
            (
                #"{"user_id":"ann","hotel_id":["h1","h9"],"department_id":["1"],"min_price":1,"max_price":1e4}"#,
                "user_id=ann&hotel_id=h1&hotel_id=h9&department_id=1&min_price=1&max_price=10000"
            ),
            (#"{"user_id":"ann","allow":["a","b"],"deny":["b"]}"#, "user_id=ann&allow=a,b&deny=b"),
            (#"{"user_id":"ann","exclude_seen":true,"strict":true}"#, "user_id=ann&exclude_seen=true&strict=true"),
            (#"{"user_id":"zoe","strict":false,"deny":[],"basket":[]}"#, "user_id=zoe"),
        ])
    func likeGet(body: String, query: String) throws {
        func comparable(_ answer: ServiceFixture.Answer) -> NSDictionary {
            var json = answer.json
            json["request_id"] = nil
            return json as NSDictionary
        }
        let posted = try fixture.post("/recommend", body)
        #expect(posted.status == 200, "\(posted.body)")
        #expect(posted.header("X-Model-Version") == "7")
        #expect(comparable(posted) == comparable(try fixture.get("/recommend?\(query)")))
    }

    @Test("an empty list is a filter that nothing passes; an id may have a comma") func emptyLists() throws {
        for name in ["allow", "hotel_id", "department_id"] {
            #expect(try fixture.post("/recommend", #"{"user_id":"ann","\#(name)":[]}"#).itemIDs.isEmpty)
        }
        #expect(try fixture.post("/recommend", #"{"user_id":"ann","deny":["a,b"],"k":2}"#).itemIDs == ["c", "a"])
    }

    @Test("a basket is folded in: for a guest without history, and with one") func basket() throws {
        let new = try fixture.post("/recommend", #"{"user_id":"zoe","basket":[{"item_id":"c","count":2}],"k":1}"#)
        #expect(new.json["strategy"] as? String == "fold_in")
        #expect(new.json["fallback_reason"] is NSNull)
        #expect(new.itemIDs == ["c"])
        let known = try fixture.post("/recommend", #"{"user_id":"bob","basket":[{"item_id":"a"}]}"#)
        #expect(known.json["strategy"] as? String == "fold_in")
        let unknownItems = try fixture.post("/recommend", #"{"user_id":"zoe","basket":[{"item_id":"zz"}]}"#)
        #expect(unknownItems.json["strategy"] as? String == "popular")
        #expect(unknownItems.json["fallback_reason"] as? String == "unknown_user")
    }

    @Test("a count that is not given is 1, and an item that repeats is added up") func basketCounts() throws {
        func scores(_ basket: String) throws -> [Double] {
            let answer = try fixture.post("/recommend", #"{"user_id":"zoe","basket":[\#(basket)]}"#)
            return (answer.json["items"] as? [[String: Any]] ?? []).compactMap { $0["score"] as? Double }
        }
        let one = try scores(#"{"item_id":"a"}"#)
        #expect(one.count == 5)
        #expect(try scores(#"{"count":1,"item_id":"a"}"#) == one)
        let two = try scores(#"{"item_id":"a","count":2}"#)
        #expect(two != one)
        #expect(try scores(#"{"item_id":"a"},{"item_id":"a"}"#) == two)
    }

    @Test("explain: the contributions of basket and history sum to the score, greatest first") func explain() throws {
        let answer = try fixture.post(
            "/recommend", #"{"user_id":"ann","explain":true,"basket":[{"item_id":"d"},{"item_id":"e","count":3}]}"#)
        let items = try #require(answer.json["items"] as? [[String: Any]])
        #expect(items.count == 5)
        for item in items {
            let because = try #require(item["because"] as? [[String: Any]])
            #expect(Set(because.compactMap { $0["item_id"] as? String }) == ["a", "c", "d", "e"])
            let contributions = because.compactMap { $0["contribution"] as? Double }
            #expect(contributions == contributions.sorted(by: >))
            let score = try #require(item["score"] as? Double)
            #expect(abs(contributions.reduce(0, +) - score) < 1e-5, "\(item)")
        }
        let popular = try fixture.get("/recommend?user_id=zoe&explain=true&k=1")
        #expect(popular.body.contains(#""because":[]"#))
        #expect(!(try fixture.get("/recommend?user_id=ann&k=1").body.contains("because")))
    }

    @Test("a model that does not say what it was trained with cannot explain, and says so") func cannotExplain() throws
    {
        let plain = try ServiceFixture(foldIn: false)
        let answer = try plain.get("/recommend?user_id=ann&explain=true")
        #expect(answer.status == 409)
        #expect(answer.problem == "cannot-explain")
        #expect(try plain.get("/recommend?user_id=ann&explain=false").status == 200)
    }

    @Test("a vector without a history, as imported ones may be, cannot be explained: 409, in bulk in its line")
    func withoutHistory() throws {
        let imported = try ServiceFixture(change: { contents in
            contents.interactions = InteractionMatrix(
                rowCount: 3, columnCount: 5, indptr: [0, 0, 1, 1], indices: [4], values: [1])
        })
        let answer = try imported.get("/recommend?user_id=ann&explain=true&k=1")
        #expect(answer.status == 409 && answer.problem == "cannot-explain")
        #expect(answer.detail?.contains("no history") == true)
        #expect(try imported.post("/recommend", #"{"user_id":"ann","explain":true}"#).status == 409)
        // What was not recommended is not counted.
        let counts = try imported.get("/metrics").body.split(separator: "\n").filter {
            $0.hasPrefix("nextloop_recommendations_total{")
        }
        #expect(counts.allSatisfy { $0.hasSuffix(" 0") }, "\(counts)")
        let lines = try imported.bulk([
            #"{"user_id":"ann","explain":true}"#, #"{"user_id":"bob","explain":true,"k":1}"#,
            #"{"user_id":"ann","k":1}"#,
            #"{"user_id":"ann","explain":true,"k":1,"basket":[{"item_id":"a"}]}"#,
            #"{"user_id":"zoe","explain":true,"k":1}"#,
        ]).lines
        try #require(lines.count == 5)
        #expect(lines[0]["type"] as? String == "urn:nextloop:problem:cannot-explain" && lines[0]["line"] as? Int == 1)
        #expect(lines.dropFirst().allSatisfy { $0["items"] != nil })
        #expect(lines[3]["strategy"] as? String == "fold_in" && lines[4]["strategy"] as? String == "popular")
        #expect(try imported.get("/recommend?user_id=ann&k=1").status == 200)
        let object = Array(#"{"user_id":"ann","explain":true}"#.utf8)
        #expect(throws: Problem.cannotExplain(.unsolvable)) {
            _ = try RecommendationRequest(object: object.span, imported.snapshot, without: [])
        }
    }

    @Test("equations without a single solution cannot be explained either")
    func singular() throws {
        // All items on one line, and no regularization to fill the rest.
        let flat = try ServiceFixture(change: { contents in
            contents.factors = Factors(
                factorCount: 2, userFactors: [1, 0, 0, 1, 0, 0], itemFactors: [1, 0, 2, 0, 3, 0, 4, 0, 5, 0])
            contents.foldIn = FoldInParameters(alpha: 2, regularization: 0)
        })
        #expect(try flat.get("/recommend?user_id=ann&explain=true").problem == "cannot-explain")
    }

    @Test("a vector that is not the fold-in of its history says what the contributions sum to; others say nothing")
    func explainedScore() throws {
        // Ann's vector is made up.
        let items = try #require(
            try fixture.get("/recommend?user_id=ann&explain=true").json["items"] as? [[String: Any]])
        #expect(items.count == 5)
        for item in items {
            let because = try #require(item["because"] as? [[String: Any]])
            let sum = because.compactMap { $0["contribution"] as? Double }.reduce(0, +)
            let score = try #require(item["score"] as? Double)
            let said = item["explained_score"] as? Double
            if abs(sum - score) > 1.1e-4 {
                #expect(try abs(#require(said) - sum) < 1e-6)
            } else if abs(sum - score) < 0.9e-4 {
                #expect(said == nil)
            }
        }
        #expect(items.contains { $0["explained_score"] != nil })
        let folded = try fixture.post(
            "/recommend", #"{"user_id":"ann","explain":true,"basket":[{"item_id":"d"}]}"#)
        #expect(folded.body.contains("contribution") && !folded.body.contains("explained_score"))
    }

    @Test(
        "a wrong type names the field, what was got and what was wanted",
        arguments: [
            ("[]", "The body is a list; wanted an object."), ("null", "The body is null; wanted an object."),
            (#"{"user_id":1042}"#, "The parameter user_id was a number; wanted a string of 1 to 256 bytes."),
            (#"{"user_id":null}"#, "The parameter user_id was null; wanted a string of 1 to 256 bytes."),
            (#"{"user_id":""}"#, "The parameter user_id was 0 bytes; wanted 1 to 256 bytes."),
            (#"{"user_id":"a","k":"5"}"#, "The parameter k was a string; wanted a whole number from 1 to 1000."),
            (#"{"user_id":"a","k":0}"#, "The parameter k was 0; wanted a whole number from 1 to 1000."),
            (#"{"user_id":"a","k":1001}"#, "The parameter k was 1001; wanted a whole number from 1 to 1000."),
            (#"{"user_id":"a","k":1.5}"#, "The parameter k was 1.5; wanted a whole number from 1 to 1000."),
            (#"{"user_id":"a","k":1e300}"#, "The parameter k was 1e+300; wanted a whole number from 1 to 1000."),
            (#"{"user_id":"a","strict":"true"}"#, "The parameter strict was a string; wanted true or false."),
            (#"{"user_id":"a","hotel_id":"h1"}"#, "The parameter hotel_id was a string; wanted a list of ids."),
            (
                #"{"user_id":"a","allow":["a",3]}"#,
                "The parameter allow[1] was a number; wanted a string of 1 to 256 bytes."
            ),
            (#"{"user_id":"a","deny":{}}"#, "The parameter deny was an object; wanted a list of ids."),
            (#"{"user_id":"a","basket":{}}"#, "The parameter basket was an object; wanted a list of objects."),
            (
                #"{"user_id":"a","basket":["x"]}"#,
                "The parameter basket[0] was a string; wanted an object of item_id and count."
            ),
            (#"{"user_id":"a","basket":[{"count":1}]}"#, "The parameter basket[0].item_id is required."),
            (
                #"{"user_id":"a","basket":[{"item_id":"a"},{"item_id":"a","count":"2"}]}"#,
                "The parameter basket[1].count was a string; wanted a whole number from 1 to 10000."
            ),
            (
                #"{"user_id":"a","basket":[{"item_id":"a","count":0}]}"#,
                "The parameter basket[0].count was 0; wanted a whole number from 1 to 10000."
            ),
            (
                #"{"user_id":"a","basket":[{"item_id":"a","count":10001}]}"#,
                "The parameter basket[0].count was 10001; wanted a whole number from 1 to 10000."
            ),
            (
                #"{"user_id":"a","basket":[{"item_id":"a","qty":2}]}"#,
                "An entry of the basket has a member that is not known. Known members: item_id, count."
            ),
            (#"{"k":5}"#, "The parameter user_id is required."),
            (
                #"{"user_id":"a","min_price":2,"max_price":1}"#,
                "The parameter min_price was 2; wanted at most max_price, which is 1."
            ),
            (
                #"{"user_id":"a","k":1,"k":2}"#,
                "The body is not JSON as wanted here: at byte 21: an object has the same name twice."
            ),
            ("", "The body is not JSON as wanted here: at byte 0: got the end, wanted a value."),
            (
                #"{"user_id":"a"} x"#,
                "The body is not JSON as wanted here: at byte 16: got more after the value, wanted the end."
            ),
        ])
    func problems(body: String, detail: String) throws {
        let answer = try fixture.post("/recommend", body)
        #expect(answer.status == 400)
        #expect(answer.header("Content-Type") == "application/problem+json")
        #expect(answer.detail == detail)
    }

    @Test("an unknown member is refused, and its name, which may be anything, is not repeated") func unknownMember()
        throws
    {
        let answer = try fixture.post("/recommend", #"{"user_id":"ann","<script>":1}"#)
        #expect(answer.status == 400)
        #expect(answer.problem == "unknown-parameter")
        #expect(!answer.body.contains("script"))
        #expect(answer.detail?.contains("basket") == true)
    }

    @Test("lists and baskets take 1000 entries and no more") func listBounds() throws {
        for (name, entry) in [("allow", #""a""#), ("hotel_id", #""h1""#), ("basket", #"{"item_id":"a"}"#)] {
            func body(_ count: Int) -> String {
                let list = Array(repeating: entry, count: count).joined(separator: ",")
                return #"{"user_id":"ann","\#(name)":[\#(list)]}"#
            }
            #expect(try fixture.post("/recommend", body(1000)).status == 200)
            let over = try fixture.post("/recommend", body(1001))
            #expect(over.status == 400)
            #expect(over.detail == "The parameter \(name) was a list of 1001; wanted at most 1000 entries.")
        }
    }

    @Test("the largest request there can be is read") func largest() throws {
        func ids(_ prefix: String) -> String { (0..<1000).map { "\"\(prefix)\($0)\"" }.joined(separator: ",") }
        let basket = (0..<1000).map { #"{"item_id":"i\#($0)","count":3}"# }.joined(separator: ",")
        let body = """
            {"user_id":"ann","k":1000,"offset":10000,"hotel_id":[\(ids("h"))],"department_id":[\(ids("d"))],"min_price":0,\
            "max_price":1,"allow":[\(ids("a"))],"deny":[\(ids("b"))],"exclude_seen":true,"strict":true,"explain":true,\
            "basket":[\(basket)]}
            """
        #expect(try fixture.post("/recommend", body).status == 200)
    }

    @Test(
        "the body must say that it is JSON",
        arguments: [
            ("application/json", 200), ("application/json; charset=utf-8", 200), ("Application/JSON", 200),
            ("application/json ;charset=x", 200), ("text/plain", 415), ("application/x-www-form-urlencoded", 415),
            ("application/jsonx", 415), ("", 415), ("application/x-ndjson", 415),
        ])
    func contentType(type: String, status: Int) throws {
        let answer = try fixture.post("/recommend", #"{"user_id":"ann"}"#, type: type)
        #expect(answer.status == status)
        if status == 415 { #expect(answer.detail == "The Content-Type of the body must be application/json.") }
    }

    @Test("without a Content-Type it is a 415; with a query it is a 400, for it would be ignored") func outside() throws
    {
        #expect(try fixture.send("POST", "/recommend", body: Array(#"{"user_id":"ann"}"#.utf8)).status == 415)
        let answer = try fixture.post("/recommend?k=5", #"{"user_id":"ann"}"#)
        #expect(answer.status == 400)
        #expect(answer.problem == "unknown-parameter")
        #expect(try fixture.post("/recommend?", #"{"user_id":"ann"}"#).status == 200)
    }

    @Test("strict is a 404, and the model that did not know is named") func strict() throws {
        let answer = try fixture.post("/recommend", #"{"user_id":"zoe","strict":true,"basket":[{"item_id":"a"}]}"#)
        #expect(answer.status == 404)
        #expect(answer.header("X-Model-Version") == "7")
    }
}
