import RecommendService
import Testing

@Suite("POST /admin/reload") struct AdminReloadTests {
    let followed: FollowFixture
    let fixture: ServiceFixture

    init() throws {
        followed = try FollowFixture()
        try followed.publish()
        try followed.publish(FollowFixture.contents(noise: 0.01))
        followed.follower.look()
        fixture = try ServiceFixture(following: followed.follower, admin: ServiceFixture.operators)
    }

    private func reload(_ body: String, authorization: String = "Bearer \(ServiceFixture.token)") throws
        -> ServiceFixture.Answer
    {
        let type = body.isEmpty ? "" : "Content-Type: application/json\r\n"
        return try fixture.send(
            "POST", "/admin/reload", headers: "\(type)Authorization: \(authorization)\r\n", body: Array(body.utf8))
    }

    @Test("is not there when nobody is admitted, and nothing tells of it") func off() throws {
        let closed = try ServiceFixture()
        let answer = try closed.send("POST", "/admin/reload")
        #expect(answer.status == 404)
        #expect(!answer.body.contains("admin"))
        #expect(try closed.send("GET", "/admin/reload").status == 404)
        #expect(try !closed.get("/openapi.json").body.contains("/admin"))
        #expect(try fixture.get("/openapi.json").body.contains("\"/admin/reload\""))
        #expect(try closed.get("/metrics").body.contains("handler=\"/admin/reload\"") == false)
    }

    @Test("a wrong token or none is a 401 before anything is read") func unauthorized() throws {
        for authorization in ["", "Bearer a", "Basic abcdef"] {
            let answer = try reload("not json", authorization: authorization)
            #expect(answer.status == 401)
            #expect(answer.problem == "unauthorized")
            #expect(answer.header("WWW-Authenticate") == "Bearer")
        }
        #expect(followed.live == 2)
    }

    @Test("a version is accepted, and live at once when it is in memory") func version() throws {
        let accepted = try reload(#"{"version":1}"#)
        #expect(accepted.status == 202)
        #expect(accepted.json["status"] as? String == "accepted")
        #expect(accepted.json["models"] as? [String] == ["room-service"])
        #expect(accepted.json["version"] as? Int == 1)
        #expect(followed.live == 2)
        followed.follower.look()
        #expect(followed.live == 1)
        let live = try reload(#"{"model":"room-service","version":1}"#)
        #expect(live.status == 200)
        #expect(live.json["status"] as? String == "live")
    }

    @Test(
        "no body, an empty object and a model alone go back to the policy",
        arguments: ["", "{}", #"{"model":"room-service"}"#])
    func follow(body: String) throws {
        _ = try reload(#"{"version":1}"#)
        followed.follower.look()
        #expect(followed.live == 1)
        let answer = try reload(body)
        #expect(answer.status == 202)
        #expect(answer.body.contains("\"version\":null"))
        followed.follower.look()
        #expect(followed.live == 2)
    }

    @Test(
        "wrong bodies say what was wanted",
        arguments: [
            ("[]", 400, "bad-body"), ("{", 400, "bad-body"), (#"{"version":0}"#, 400, "bad-parameter"),
            (#"{"version":1000000000}"#, 400, "bad-parameter"), (#"{"version":"1"}"#, 400, "bad-parameter"),
            (#"{"force":1}"#, 400, "bad-parameter"), (#"{"model":1}"#, 400, "bad-parameter"),
            (#"{"model":"Bad"}"#, 400, "bad-parameter"), (#"{"model":"other"}"#, 404, "unknown-model"),
            (#"{"versoin":1}"#, 400, "unknown-parameter"),
        ])
    func wrong(body: String, status: Int, problem: String) throws {
        let answer = try reload(body)
        #expect(answer.status == status)
        #expect(answer.problem == problem)
    }

    @Test("a service that follows nothing says so") func noFollower() throws {
        let fixture = try ServiceFixture(admin: ServiceFixture.operators)
        let answer = try fixture.send(
            "POST", "/admin/reload", headers: "Authorization: Bearer \(ServiceFixture.token)\r\n")
        #expect(answer.status == 503)
    }
}
