import RecommendService
import Testing

/// Items and what ann scores them: c 1, a 0.5, b 0.25, d 0.25, e -1. Prices: a 12000, b 0, c unknown, d 5000, e 7000.
/// Departments: a and d 1, b and e 2, c unknown.
@Suite("Filters of GET /recommend, /popular and similar items") struct FilterTests {
    let fixture: ServiceFixture

    init() throws { fixture = try ServiceFixture() }

    @Test(
        "each filter keeps what it says, before the ranking; together all must hold",
        arguments: [
            ("department_id=1", ["a", "d"]), ("department_id=2", ["b", "e"]),
            ("department_id=1&department_id=2", ["a", "b", "d", "e"]), ("department_id=9", []),
            ("department_id=9&department_id=1&k=1", ["a"]),
            ("min_price=5000", ["a", "d", "e"]), ("min_price=5001", ["a", "e"]), ("min_price=12000", ["a"]),
            ("min_price=12001", []), ("max_price=5000", ["b", "d"]), ("max_price=4999", ["b"]), ("max_price=0", ["b"]),
            ("min_price=0", ["a", "b", "d", "e"]), ("min_price=5000&max_price=7000", ["d", "e"]),
            ("min_price=7000&max_price=7000", ["e"]), ("min_price=999999999999999", []),
            ("allow=e,a", ["a", "e"]), ("allow=e&allow=a", ["a", "e"]), ("allow=e%2Ca", ["a", "e"]),
            ("allow=zz", []), ("allow=zz,b", ["b"]), ("allow=b,b", ["b"]),
            ("deny=c", ["a", "b", "d", "e"]), ("deny=c,a&deny=b", ["d", "e"]), ("deny=zz", ["c", "a", "b", "d", "e"]),
            ("allow=a,b&deny=a", ["b"]), ("hotel_id=h1&department_id=1&max_price=6000", ["d"]),
            ("hotel_id=h2&allow=a", []), ("exclude_seen=true&department_id=1", ["d"]),
        ])
    func filters(query: String, items: [String]) throws {
        #expect(try fixture.get("/recommend?user_id=ann&\(query)").itemIDs == items)
        // The same items, whatever ranks them.
        if !query.contains("k="), !query.contains("exclude_seen") {
            #expect(Set(try fixture.get("/popular?\(query)").itemIDs) == Set(items))
            #expect(Set(try fixture.get("/items/c/similar?\(query)").itemIDs) == Set(items).subtracting(["c"]))
        }
    }

    @Test(
        "every bound is kept, and one past it is a problem that names the parameter",
        arguments: [
            ("min_price=-1", "The parameter min_price was '-1'; wanted a whole number from 0 to 999999999999999."),
            ("max_price=1.5", "The parameter max_price was '1.5'; wanted a whole number from 0 to 999999999999999."),
            (
                "max_price=1000000000000000",
                "The parameter max_price was '1000000000000000'; wanted a whole number from 0 to 999999999999999."
            ),
            ("min_price=", "The parameter min_price was empty; wanted a whole number from 0 to 999999999999999."),
            ("min_price=6&max_price=5", "The parameter min_price was 6; wanted at most max_price, which is 5."),
            ("min_price=1&min_price=1", "The parameter min_price was given more than once; it may be given once."),
            ("explain=1", "The parameter explain was '1'; wanted true or false."),
            ("explain=true&explain=true", "The parameter explain was given more than once; it may be given once."),
            ("allow=", "The parameter allow was 0 bytes; wanted 1 to 256 bytes."),
            ("allow=a,", "The parameter allow was 0 bytes; wanted 1 to 256 bytes."),
            ("deny=a,,b", "The parameter deny was 0 bytes; wanted 1 to 256 bytes."),
            ("department_id=", "The parameter department_id was 0 bytes; wanted 1 to 256 bytes."),
        ])
    func bounds(query: String, detail: String) throws {
        let answer = try fixture.get("/recommend?user_id=ann&\(query)")
        #expect(answer.status == 400)
        #expect(answer.detail == detail)
    }

    @Test("lists take 1000 ids and no more", arguments: ["allow", "deny", "hotel_id", "department_id"])
    func listBounds(name: String) throws {
        func target(_ count: Int) -> String {
            let separator = name.hasSuffix("_id") ? "&\(name)=" : ","
            let ids = (0..<count).map { $0 % 2 == 0 ? "a" : "x\($0)" }
            return "/recommend?user_id=ann&\(name)=" + ids.joined(separator: separator)
        }
        #expect(try fixture.get(target(1000)).status == 200)
        let over = try fixture.get(target(1001))
        #expect(over.status == 400)
        #expect(over.detail == "The parameter \(name) was 1001 entries or more; wanted at most 1000.")
    }

    @Test("an id has at most 256 bytes, not characters") func idBytes() throws {
        let korean = String(repeating: "%EA%B9%80", count: 85)
        #expect(try fixture.get("/recommend?user_id=ann&allow=\(korean)x").status == 200)
        #expect(
            try fixture.get("/recommend?user_id=ann&allow=\(korean)xx").detail
                == "The parameter allow was 257 bytes; wanted 1 to 256 bytes.")
    }

    @Test(
        "a parameter of another endpoint, or of none, is refused and what is known is listed",
        arguments: [
            ("/recommend?user_id=ann&item_ids=a", "exclude_seen, strict, explain, model."),
            ("/recommend?user_id=ann&basket=a", "exclude_seen, strict, explain, model."),
            ("/popular?exclude_seen=true", "min_price, max_price, allow, deny, model."),
            ("/items/a/similar?user_id=ann", "min_price, max_price, allow, deny, model."),
            ("/users/ann?k=1", "Known parameters: model."),
        ])
    func unknownParameters(target: String, ending: String) throws {
        let answer = try fixture.get(target)
        #expect(answer.status == 400)
        #expect(answer.problem == "unknown-parameter")
        #expect(answer.detail?.hasSuffix(ending) == true, "\(answer.body)")
    }

    @Test("a filter of one request does not stay for the next") func forgotten() throws {
        _ = try fixture.get(
            "/recommend?user_id=ann&allow=a&deny=b&department_id=1&min_price=1&max_price=2&k=1&offset=3")
        _ = try fixture.get("/recommend?user_id=ann&allow=a&k=zz")
        #expect(try fixture.get("/recommend?user_id=ann").itemIDs == ["c", "a", "b", "d", "e"])
    }
}
