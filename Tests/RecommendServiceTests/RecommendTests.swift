import RecommendService
import Testing

@Suite("GET /recommend") struct RecommendTests {
    let fixture: ServiceFixture

    init() throws { fixture = try ServiceFixture() }

    @Test("answers exactly as the contract writes it") func goldenAnswer() throws {
        let answer = try fixture.get("/recommend?user_id=ann&k=2", headers: "X-Request-ID: r-1\r\n")
        #expect(answer.status == 200)
        #expect(answer.header("Content-Type") == "application/json")
        #expect(answer.header("X-Request-ID") == "r-1")
        #expect(answer.header("X-Model-Version") == "7")
        #expect(
            answer.body == """
                {"user_id":"ann","model":"room-service","model_version":7,"strategy":"als","fallback_reason":null,\
                "items":[{"item_id":"c","score":1.0,"name":null,"price":null,"department_id":null},\
                {"item_id":"a","score":0.5,"name":"김치찌개","price":12000,"department_id":"1"}],"request_id":"r-1"}

                """)
    }

    @Test("best first, equal scores by item row, negative scores too") func order() throws {
        #expect(try fixture.get("/recommend?user_id=ann").itemIDs == ["c", "a", "b", "d", "e"])
        #expect(try fixture.get("/recommend?user_id=bob").itemIDs == ["e", "d", "c", "b", "a"])
    }

    @Test("names are escaped, whatever the menu says") func escaping() throws {
        let answer = try fixture.get("/recommend?user_id=ann")
        #expect(answer.body.contains(#""name":"Say \"cheese\"\\\n""#))
        #expect(answer.json.count == 7)
    }

    @Test(
        "offset skips ranks and never pads",
        arguments: [
            ("k=2&offset=0", ["c", "a"]), ("k=2&offset=4", ["e"]), ("k=2&offset=5", []), ("k=1000&offset=10000", []),
            ("k=1&offset=1", ["a"]),
        ])
    func paging(query: String, items: [String]) throws {
        let answer = try fixture.get("/recommend?user_id=ann&\(query)")
        #expect(answer.status == 200)
        #expect(answer.itemIDs == items)
    }

    @Test(
        "hotels filter before the ranking; several are joined; an unknown one matches nothing",
        arguments: [
            ("hotel_id=h1", ["a", "b", "d"]), ("hotel_id=h2", ["c", "d", "e"]),
            ("hotel_id=h1&hotel_id=h2", ["c", "a", "b", "d", "e"]), ("hotel_id=h9", []),
            ("hotel_id=h9&hotel_id=h1", ["a", "b", "d"]),
            ("hotel_id=h1&hotel_id=h1&k=2", ["a", "b"]),
        ])
    func hotels(query: String, items: [String]) throws {
        #expect(try fixture.get("/recommend?user_id=ann&\(query)").itemIDs == items)
    }

    @Test("exclude_seen leaves out the history and nothing else") func excludeSeen() throws {
        #expect(try fixture.get("/recommend?user_id=ann&exclude_seen=true").itemIDs == ["b", "d", "e"])
        #expect(try fixture.get("/recommend?user_id=ann&exclude_seen=false&k=1").itemIDs == ["c"])
        #expect(try fixture.get("/recommend?user_id=ann&exclude_seen=true&hotel_id=h2").itemIDs == ["d", "e"])
    }

    @Test("an unknown user gets what is popular within the filters and is told why") func unknownUser() throws {
        let answer = try fixture.get("/recommend?user_id=zoe&hotel_id=h2")
        #expect(answer.json["strategy"] as? String == "popular")
        #expect(answer.json["fallback_reason"] as? String == "unknown_user")
        #expect(answer.json["user_id"] as? String == "zoe")
        #expect(answer.itemIDs == ["d", "c", "e"])
    }

    @Test("a user without a vector falls back for another reason") func noFactors() throws {
        let answer = try fixture.get("/recommend?user_id=nil&k=2")
        #expect(answer.json["fallback_reason"] as? String == "no_factors")
        #expect(answer.itemIDs == ["b", "d"])
        #expect(try fixture.get("/recommend?user_id=nil&strict=true").status == 200)
    }

    @Test("strict turns an unknown user into a 404") func strict() throws {
        let answer = try fixture.get("/recommend?user_id=zoe&strict=true")
        #expect(answer.status == 404)
        #expect(answer.json["type"] as? String == "urn:nextloop:problem:unknown-user")
        #expect(try fixture.get("/recommend?user_id=ann&strict=true").status == 200)
    }

    @Test("user ids come decoded: percent escapes, plus signs, Korean") func decoding() throws {
        #expect(try fixture.get("/recommend?user_id=%61nn").json["strategy"] as? String == "als")
        #expect(try fixture.get("/recommend?%75ser_id=a+b").json["user_id"] as? String == "a b")
        #expect(try fixture.get("/recommend?user_id=%EA%B9%80").json["user_id"] as? String == "김")
    }

    @Test(
        "a problem names the parameter, what was got and what was wanted",
        arguments: [
            ("k=0", "The parameter k was '0'; wanted a whole number from 1 to 1000."),
            ("k=1001", "The parameter k was '1001'; wanted a whole number from 1 to 1000."),
            ("k=", "The parameter k was empty; wanted a whole number from 1 to 1000."),
            ("k", "The parameter k was empty; wanted a whole number from 1 to 1000."),
            ("k=%3Cb%3E", "The parameter k was a value of 3 bytes; wanted a whole number from 1 to 1000."),
            ("offset=10001", "The parameter offset was '10001'; wanted a whole number from 0 to 10000."),
            ("strict=yes", "The parameter strict was 'yes'; wanted true or false."),
            ("k=1&k=1", "The parameter k was given more than once; it may be given once."),
            ("hotel_id=", "The parameter hotel_id was 0 bytes; wanted 1 to 256 bytes."),
        ])
    func problems(query: String, detail: String) throws {
        let answer = try fixture.get("/recommend?user_id=ann&\(query)")
        #expect(answer.status == 400)
        #expect(answer.header("Content-Type") == "application/problem+json")
        #expect(answer.header("X-Model-Version") == nil)
        #expect(answer.json["detail"] as? String == detail)
        #expect(answer.json["status"] as? Int == 400)
        #expect(answer.json["request_id"] as? String == answer.header("X-Request-ID"))
    }
}
