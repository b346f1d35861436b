import FactorModel
import Foundation
import ModelRegistry
import RecommendService
import Synchronization
import TestSupport
import Testing

@Suite("The operator's paths") struct AdminTests {
    private let fixture: ServiceFixture
    private let events = Events()
    private let bearer = "Authorization: Bearer \(ServiceFixture.token)\r\n"

    final class Events: Sendable {
        let list = Mutex<[AdminEvent]>([])
    }

    init() throws {
        let events = events
        fixture = try ServiceFixture(models: ["spa"]) { directory, store in
            try ServiceFixture.operators(directory, store) { event in events.list.withLock { $0.append(event) } }
        }
    }

    private func put(_ target: String, _ headers: String? = nil) throws -> ServiceFixture.Answer {
        try fixture.send("PUT", target, headers: headers ?? bearer)
    }

    private func delete(_ target: String) throws -> ServiceFixture.Answer {
        try fixture.send("DELETE", target, headers: bearer)
    }

    private func get(_ target: String) throws -> ServiceFixture.Answer {
        try fixture.send("GET", target, headers: bearer)
    }

    // MARK: The token

    @Test("without a token file nothing of it is there")
    func off() throws {
        let plain = try ServiceFixture()
        #expect(try plain.send("PUT", "/admin/items/c/unavailable", headers: bearer).status == 404)
        #expect(try plain.send("GET", "/admin/items/unavailable", headers: bearer).problem == "unknown-path")
        #expect(try !plain.get("/openapi.json").body.contains("/admin"))
    }

    @Test(
        "who presents no token or a wrong one learns nothing more and changes nothing",
        arguments: [
            "", "Authorization: Bearer\r\n", "Authorization: Bearer \r\n",
            "Authorization: Basic \(ServiceFixture.token)\r\n",
            "Authorization: \(ServiceFixture.token)\r\n", "Authorization: Bearer \(ServiceFixture.token)x\r\n",
            "Authorization: Bearer \(ServiceFixture.token.dropLast())\r\n",
            "Authorization: Bearer \(ServiceFixture.token)\(ServiceFixture.token)\r\n",
            "Authorization: Bearer Correct-horse-battery-staple\r\n",
        ])
    func refused(_ headers: String) throws {
        let answer = try put("/admin/items/c/unavailable", headers)
        #expect(answer.status == 401)
        #expect(answer.problem == "unauthorized")
        #expect(answer.header("WWW-Authenticate") == "Bearer")
        #expect(!answer.body.contains(ServiceFixture.token))
        #expect(try fixture.get("/recommend?user_id=ann").itemIDs.first == "c")
        #expect(events.list.withLock { $0 }.count == 1)
        #expect(
            events.list.withLock { $0 }.allSatisfy { !$0.description.contains(ServiceFixture.token) && $0.isWarning })
    }

    @Test("attempts are counted by what became of them")
    func counted() throws {
        _ = try put("/admin/items/c/unavailable", "")
        _ = try put("/admin/items/c/unavailable", "Authorization: Bearer nonsense-nonsense\r\n")
        _ = try get("/admin/items/unavailable")
        let metrics = try fixture.get("/metrics").body
        for (result, count) in [("accepted", 1), ("missing_token", 1), ("wrong_token", 1), ("unreadable_token", 0)] {
            #expect(metrics.contains("nextloop_admin_requests_total{result=\"\(result)\"} \(count)"))
        }
    }

    @Test("the scheme may be written in any case, with more than one space")
    func scheme() throws {
        let answer = try fixture.send(
            "GET", "/admin/items/unavailable", headers: "authorization: bEARER   \(ServiceFixture.token)\r\n")
        #expect(answer.status == 200)
    }

    @Test("a token is rotated by replacing the file; both hold while both stand in it")
    func rotation() throws {
        let next = "another-token-of-the-operator"
        let status = { (token: String) in
            try fixture.send("GET", "/admin/items/unavailable", headers: "Authorization: Bearer \(token)\r\n").status
        }
        _ = try fixture.directory.write(Data("\(ServiceFixture.token)\r\n\n\(next)".utf8), as: "token")
        #expect(try status(ServiceFixture.token) == 200)
        #expect(try status(next) == 200)
        _ = try fixture.directory.write(Data("\(next)\n".utf8), as: "token")
        #expect(try status(ServiceFixture.token) == 401)
        #expect(try status(next) == 200)
    }

    @Test("a token file that is gone or damaged refuses everybody and says why in the log only")
    func unreadable() throws {
        try FileManager.default.removeItem(atPath: fixture.directory.file("token"))
        let answer = try get("/admin/items/unavailable")
        #expect(answer.status == 503)
        #expect(!answer.body.contains(fixture.directory.path))
        #expect(events.list.withLock { $0 }.first?.description.contains("is not there") == true)
    }

    @Test("that a token file cannot be used is told once a second, however many present tokens; all are counted")
    func unreadableOften() throws {
        try FileManager.default.removeItem(atPath: fixture.directory.file("token"))
        let clock = ContinuousClock()
        let began = clock.now
        for _ in 0..<50 { #expect(try get("/admin/items/unavailable").status == 503) }
        let seconds = Int((clock.now - began).components.seconds)
        #expect(events.list.withLock { $0 }.count <= 1 + seconds)
        #expect(
            try fixture.get("/metrics").body.contains("nextloop_admin_requests_total{result=\"unreadable_token\"} 50"))
    }

    @Test("why a token file cannot be read is said: not there, a directory, too large, no token")
    func unreadableWhy() throws {
        let directory = try TemporaryDirectory()
        let reason = { (name: String) -> String in
            do throws(AdminToken.FileError) {
                _ = try AdminToken(path: directory.file(name)).tokens()
                return "readable"
            } catch {
                return error.reason
            }
        }
        #expect(reason("none") == "is not there")
        try FileManager.default.createDirectory(atPath: directory.file("folder"), withIntermediateDirectories: false)
        #expect(reason("folder").contains("\(systemMessage(EISDIR))"), "\(reason("folder"))")
        // In its own circle: nobody, root neither, can open it.
        try FileManager.default.createSymbolicLink(
            atPath: directory.file("loop"), withDestinationPath: directory.file("loop"))
        #expect(reason("loop").contains("\(systemMessage(ELOOP))"), "\(reason("loop"))")
        _ = try directory.write(Data(repeating: 10, count: 8193), as: "large")
        #expect(reason("large") == "is larger than 8192 bytes")
        _ = try directory.write(Data("short".utf8), as: "short")
        #expect(reason("short") == "has a line that is no token")
    }

    @Test(
        "a token file is one to eight lines of 16 to 512 visible characters",
        arguments: [
            (String(repeating: "x", count: 16), true), (String(repeating: "x", count: 15), false),
            (String(repeating: "x", count: 512), true), (String(repeating: "x", count: 513), false),
            ("with a space in the token", false), ("", false), ("\n\n", false),
            (Array(repeating: "0123456789abcdef", count: 8).joined(separator: "\n"), true),
            (Array(repeating: "0123456789abcdef", count: 9).joined(separator: "\n"), false),
            (String(repeating: "\n", count: 8193), false),
        ])
    func tokenFile(_ text: String, _ isGood: Bool) throws {
        let directory = try TemporaryDirectory()
        let token = AdminToken(path: try directory.write(Data(text.utf8), as: "token"))
        #expect(((try? token.tokens()) != nil) == isGood)
    }

    @Test("a token file that the world may read is exposed")
    func exposed() throws {
        let directory = try TemporaryDirectory()
        let token = AdminToken(path: try directory.write(Data("0123456789abcdef".utf8), as: "token"))
        for (mode, isExposed) in [(0o600, false), (0o640, false), (0o644, true)] {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: token.path)
            #expect(token.isExposed == isExposed)
        }
    }

    // MARK: Items

    @Test("an item is taken from sale, listed, and put back")
    func item() throws {
        let marked = try put("/admin/items/c/unavailable")
        #expect(marked.status == 200)
        #expect(marked.header("Cache-Control") == "no-store")
        #expect((marked.json["unavailable"] as? [String: Any])?["item_id"] as? String == "c")
        #expect(try fixture.get("/recommend?user_id=ann").itemIDs == ["a", "b", "d", "e"])
        let list = try get("/admin/items/unavailable").json["unavailable"] as? [[String: Any]]
        #expect(list?.count == 1)
        #expect(list?.first?["hotel_id"] is NSNull)
        #expect(try delete("/admin/items/c/unavailable").status == 200)
        #expect(try fixture.get("/recommend?user_id=ann").itemIDs.first == "c")
        #expect(try delete("/admin/items/c/unavailable").problem == "not-marked")
        #expect(
            events.list.withLock { $0 } == [
                .unavailable(model: "room-service", item: "c", hotel: nil, until: nil),
                .available(model: "room-service", item: "c", hotel: nil),
            ])
    }

    @Test("at one hotel, until a time: a zone with a bare plus is understood")
    func hotelAndTime() throws {
        let end = Date(timeIntervalSinceNow: 3600).formatted(.iso8601)
        let zoned = end.replacing("Z", with: "+00:00")
        for time in [end, zoned, zoned.replacing("+", with: "%2B")] {
            let answer = try put("/admin/items/d/unavailable?hotel_id=h1&until=\(time)")
            #expect(answer.status == 200)
            #expect((answer.json["unavailable"] as? [String: Any])?["until"] as? String == end)
        }
        #expect(try fixture.get("/recommend?user_id=ann&hotel_id=h1").itemIDs == ["a", "b"])
        #expect(try fixture.get("/recommend?user_id=ann&hotel_id=h2").itemIDs == ["c", "d", "e"])
    }

    @Test(
        "what is misspelt is refused",
        arguments: [
            ("/admin/items/zzz/unavailable", 404), ("/admin/items/c/unavailable?hotel_id=zzz", 404),
            ("/admin/items/c/unavailable?hotel=h1", 400), ("/admin/items/c/unavailable?hotel_id=", 400),
            ("/admin/items/c/unavailable?hotel_id=h1&hotel_id=h2", 400), ("/admin/items/c/unavailable?until=soon", 400),
            ("/admin/items/c/unavailable?until=2020-01-01T00:00:00Z", 400),
            ("/admin/items/c/unavailable?until=2999-01-01T00:00:00Z", 400),
            ("/admin/items/c/unavailable?model=none", 404),
            ("/admin/items/c/unavailable?model=spa", 503),
        ])
    func misspelt(_ target: String, _ status: Int) throws {
        #expect(try put(target).status == status)
        #expect(try get("/admin/items/unavailable").json["unavailable"] as? [String] == [])
    }

    @Test(
        "a time that the calendar does not have is refused, and the answer shows what was sent",
        arguments: [
            "2027-02-30T00:00:00Z", "2027-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2027-00-10T00:00:00Z",
            "2027-13-01T00:00:00Z", "2027-01-00T00:00:00Z", "2027-01-01T24:00:00Z", "2027-01-01T25:00:00Z",
            "2027-01-01T23:60:00Z", "2026-12-31T23:59:60Z", "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z",
        ])
    func noSuchTime(_ time: String) throws {
        let answer = try put("/admin/items/c/unavailable?until=\(time)")
        #expect(answer.status == 400)
        #expect((answer.json["detail"] as? String)?.contains("was '\(time)'; wanted") == true, "\(answer.body)")
        #expect(try fixture.get("/recommend?user_id=ann").itemIDs.first == "c")
    }

    @Test(
        "a body is refused with where its members belong, and nothing is done",
        arguments: [
            ("PUT", "/admin/items/c/unavailable", "(hotel_id, until, model) belong into the query"),
            ("DELETE", "/admin/items/c/unavailable", "(hotel_id, model) belong into the query"),
            ("POST", "/admin/drain", "no parameters are taken"), ("POST", "/admin/undrain", "no parameters are taken"),
        ])
    func noBody(_ method: String, _ target: String, _ words: String) throws {
        let body = Array(#"{"until":"2026-12-01T00:00:00Z"}"#.utf8)
        let answer = try fixture.send(
            method, target, headers: bearer + "Content-Type: application/json\r\n", body: body)
        #expect(answer.status == 400)
        #expect(answer.problem == "bad-body")
        #expect((answer.json["detail"] as? String)?.contains(words) == true, "\(answer.body)")
        #expect(try get("/admin/items/unavailable").json["unavailable"] as? [String] == [])
        #expect(events.list.withLock { $0 }.isEmpty)
    }

    @Test("a mark that is made again is told as it is kept: since when it holds, and until when now")
    func markedAgain() throws {
        let registry = Registry(path: fixture.directory.path)
        let began = Date(timeIntervalSince1970: 1_700_000_000)
        _ = try registry.mark(UnavailableItem(itemID: "c", since: began), unavailableIn: "room-service")
        let end = Date(timeIntervalSinceNow: 3600).formatted(.iso8601)
        for until in [nil, end, end] {
            let answer = try put("/admin/items/c/unavailable" + (until.map { "?until=\($0)" } ?? ""))
            #expect(answer.status == 200)
            let mark = try #require(answer.json["unavailable"] as? [String: Any])
            #expect(mark["since"] as? String == "2023-11-14T22:13:20Z")
            #expect(mark["until"] as? String == until)
            let kept = try #require(try get("/admin/items/unavailable").json["unavailable"] as? [[String: Any]])
            #expect(kept.count == 1)
            #expect(kept.first?["since"] as? String == "2023-11-14T22:13:20Z")
        }
    }

    @Test("other methods are refused with those that are answered, once the token fits")
    func methods() throws {
        let answer = try fixture.send("POST", "/admin/items/c/unavailable", headers: bearer)
        #expect(answer.status == 405)
        #expect(answer.header("Allow") == "PUT, DELETE")
        #expect(try fixture.send("POST", "/admin/items/c/unavailable").status == 401)
        #expect(try fixture.send("GET", "/admin/drain", headers: bearer).header("Allow") == "POST")
    }

    @Test("a mark of an item that left the catalogue can be taken back") func goneItem() throws {
        let registry = Registry(path: fixture.directory.path)
        _ = try registry.mark(UnavailableItem(itemID: "gone", since: Date()), unavailableIn: "room-service")
        #expect(try delete("/admin/items/gone/unavailable").status == 200)
        #expect(try delete("/admin/items/gone/unavailable").status == 404)
    }

    @Test("refusals of a kind are told once a second, and all are counted") func told() throws {
        for _ in 0..<50 { _ = try put("/admin/items/c/unavailable", "") }
        _ = try put("/admin/items/c/unavailable", "Authorization: Bearer nonsense-nonsense\r\n")
        #expect(events.list.withLock { $0 }.count < 50)
        #expect(try fixture.get("/metrics").body.contains("nextloop_admin_requests_total{result=\"missing_token\"} 50"))
    }

    @Test("what cannot be stored is not done")
    func notStored() throws {
        try FileManager.default.removeItem(atPath: fixture.directory.file("room-service"))
        #expect(try put("/admin/items/c/unavailable").problem == "not-stored")
        #expect(try fixture.get("/recommend?user_id=ann").itemIDs.first == "c")
    }

    // MARK: Drain

    @Test("drained, it is not ready and answers; undrained, it is ready again")
    func drain() throws {
        fixture.service.models.publish(fixture.served("spa", version: 1))
        #expect(try fixture.get("/readyz").status == 200)
        #expect(try fixture.send("POST", "/admin/drain", headers: bearer).status == 200)
        #expect(try fixture.get("/readyz").status == 503)
        #expect(try fixture.get("/recommend?user_id=ann").status == 200)
        #expect(try fixture.send("POST", "/admin/undrain", headers: bearer).json["drained"] as? Bool == false)
        #expect(try fixture.get("/readyz").status == 200)
    }

    @Test("the OpenAPI document has the operator's paths when they are there")
    func openAPI() throws {
        let document = try fixture.get("/openapi.json").json
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        #expect(paths["/admin/items/{item_id}/unavailable"]?.keys.sorted() == ["delete", "put"])
        #expect(paths["/admin/drain"]?.keys.sorted() == ["post"])
        let components = try #require(document["components"] as? [String: Any])
        #expect(components["securitySchemes"] != nil)
    }
}
