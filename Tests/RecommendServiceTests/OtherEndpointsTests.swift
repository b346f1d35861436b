import RecommendService
import Testing

@Suite("The other endpoints") struct OtherEndpointsTests {
    let fixture: ServiceFixture

    init() throws { fixture = try ServiceFixture() }

    @Test("popular ranks by orders, equal ones by item row, within hotels") func popular() throws {
        let answer = try fixture.get("/popular")
        #expect(answer.itemIDs == ["b", "d", "c", "a", "e"])
        #expect(answer.json["strategy"] as? String == "popular")
        #expect(answer.json["user_id"] == nil)
        #expect(try fixture.get("/popular?hotel_id=h1&k=2&offset=1").itemIDs == ["d", "a"])
        #expect(try fixture.get("/popular?user_id=ann").status == 400)
    }

    @Test("model/info is the manifest byte for byte") func modelInfo() throws {
        let answer = try fixture.get("/model/info")
        #expect(answer.body == "{\"version\": 7}\n")
        #expect(answer.header("X-Model-Version") == "7")
    }

    @Test("ready once a model is loaded, not before, and not while draining; alive always") func health() throws {
        let empty = try ServiceFixture(loaded: false)
        #expect(try empty.get("/readyz").status == 503)
        #expect(try empty.get("/recommend?user_id=ann").status == 503)
        #expect(try empty.get("/livez").status == 200)
        empty.service.models.publish(empty.served(version: 1))
        #expect(empty.service.readiness.becomeReady())
        #expect(try empty.get("/readyz").body == #"{"status":"ready","model":"room-service","model_version":1}"# + "\n")
        #expect(empty.service.readiness.beginDraining() == .ready)
        let draining = try empty.get("/readyz")
        #expect(draining.status == 503)
        #expect((draining.json["detail"] as? String)?.contains("draining") == true)
        #expect(try empty.get("/recommend?user_id=ann").status == 200)
        #expect(try empty.get("/livez").status == 200)
    }

    @Test("a loop answers from the newest model that was published") func publish() throws {
        #expect(try fixture.get("/recommend?user_id=ann").header("X-Model-Version") == "7")
        fixture.service.models.publish(fixture.served(version: 8))
        #expect(try fixture.get("/recommend?user_id=ann").header("X-Model-Version") == "8")
    }

    @Test(
        "unknown paths are 404, other methods 405 with Allow",
        arguments: [
            ("GET", "/", 404), ("GET", "/recommend/", 404), ("GET", "/Recommend", 404), ("GET", "/%72ecommend", 404),
            ("PUT", "/recommend?user_id=ann", 405), ("DELETE", "/livez", 405), ("BREW", "/metrics", 405),
            ("POST", "/none", 404),
            ("GET", "/none", 404), ("HEAD", "/livez", 200),
        ])
    func pathsAndMethods(method: String, path: String, status: Int) throws {
        let answer = try fixture.send(method, path)
        #expect(answer.status == status)
        let allowed = path.hasPrefix("/recommend") ? "GET, HEAD, POST" : "GET, HEAD"
        #expect(answer.header("Allow") == (status == 405 ? allowed : nil))
    }

    @Test(
        "a request id that could forge a header or a log line is replaced",
        arguments: [
            ("a", true), ("A-b_c.9", true), (String(repeating: "x", count: 128), true),
            (String(repeating: "x", count: 129), false), ("", false), ("a b", false), ("a;b", false), ("é", false),
        ])
    func requestIDs(id: String, kept: Bool) throws {
        let answer = try fixture.get("/livez", headers: "X-Request-ID: \(id)\r\n")
        let answered = try #require(answer.header("X-Request-ID"))
        #expect((answered == id) == kept)
        if !kept { #expect(answered.count == 26) }
    }

    @Test("made request ids differ and sort by time") func madeRequestIDs() throws {
        let ids = try (0..<100).map { _ in try #require(try fixture.get("/livez").header("X-Request-ID")) }
        #expect(Set(ids).count == 100)
        #expect(ids.map { $0.prefix(9) } == ids.map { $0.prefix(9) }.sorted())
    }
}
