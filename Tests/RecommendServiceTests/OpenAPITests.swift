import Foundation
import RecommendService
import Testing

/// Goal: the document cannot drift from what is served. Method: everything it says is asked of the service, and everything the
/// service says it knows is looked up in it.
@Suite("GET /openapi.json and GET /docs") struct OpenAPITests {
    let fixture: ServiceFixture
    let paths: [String: [String: [String: Any]]]

    init() throws {
        fixture = try ServiceFixture()
        paths = try #require(try fixture.get("/openapi.json").json["paths"] as? [String: [String: [String: Any]]])
    }

    private func target(_ path: String) -> String {
        path.replacing("{item_id}", with: "a").replacing("{user_id}", with: "ann").replacing(
            "{name}", with: "room-service")
    }

    private func queryParameters(_ operation: [String: Any]) -> [[String: Any]] {
        (operation["parameters"] as? [[String: Any]] ?? []).filter { $0["in"] as? String == "query" }
    }

    private func bodySchema(_ operation: [String: Any]) -> [String: Any]? {
        let body = operation["requestBody"] as? [String: Any]
        let content = body?["content"] as? [String: [String: Any]]
        return content?["application/json"]?["schema"] as? [String: Any]
    }

    @Test("has every route, and nothing that is not one") func routes() {
        #expect(Set(paths.keys) == Set(Route.allCases.filter { $0 != .none && !$0.isAdmin }.map { "\($0.template)" }))
    }

    @Test("has the methods that are answered, and no others") func methods() throws {
        for (path, operations) in paths {
            var allowed = operations.keys.map { $0.uppercased() }
            if allowed.contains("GET") { allowed.append("HEAD") }
            for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
                let answer = try fixture.send(method, target(path))
                #expect((answer.status == 405) == !allowed.contains(method), "\(method) \(path): \(answer.status)")
                guard answer.status == 405 else { continue }
                let named = answer.header("Allow")?.components(separatedBy: ", ") ?? []
                #expect(named.sorted() == allowed.sorted(), "\(path)")
            }
        }
    }

    @Test("has the parameters of every query, and they are the ones that are known") func parameters() throws {
        for (path, operations) in paths {
            guard let get = operations["get"] else { continue }
            let names = queryParameters(get).compactMap { $0["name"] as? String }
            let answer = try fixture.get(target(path) + "?no-such-parameter=1")
            if answer.status == 200 {
                #expect(names.isEmpty, "\(path) looks at no parameter")
                continue
            }
            #expect(answer.problem == "unknown-parameter", "\(path)")
            let known = answer.detail?.components(separatedBy: "Known parameters: ").last?.dropLast() ?? ""
            let listed =
                names.isEmpty ? "The query has a parameter, and this path takes none" : names.joined(separator: ", ")
            #expect(String(known) == listed, "\(path)")
            let required = queryParameters(get).filter { $0["required"] as? Bool == true }.compactMap {
                $0["name"] as? String
            }
            let missing = try fixture.get(target(path))
            #expect(missing.status == (required.isEmpty ? 200 : 400), "\(path)")
            if let first = required.first { #expect(missing.detail == "The parameter \(first) is required.") }
        }
    }

    @Test("has the members of every JSON body, and they are the ones that are known") func members() throws {
        var count = 0
        for (path, operations) in paths {
            guard let post = operations["post"], let schema = bodySchema(post) else { continue }
            count += 1
            let properties = try #require(schema["properties"] as? [String: [String: Any]])
            let answer = try fixture.post(path, #"{"no-such-member":1}"#)
            let known = answer.detail?.components(separatedBy: "Known members: ").last?.dropLast() ?? ""
            #expect(known.components(separatedBy: ", ").sorted() == properties.keys.sorted(), "\(path)")
            for name in schema["required"] as? [String] ?? [] {
                var value: [String: Any] = ["user_id": "ann", "item_ids": ["a"]]
                value = value.filter { properties[$0.key] != nil && $0.key != name }
                let body = String(decoding: try JSONSerialization.data(withJSONObject: value), as: UTF8.self)
                #expect(try fixture.post(path, body).detail == "The parameter \(name) is required.")
            }
        }
        #expect(count == 2)
    }

    @Test("every bound of a number is where the document says") func bounds() throws {
        var count = 0
        for (path, operations) in paths {
            guard let get = operations["get"] else { continue }
            for parameter in queryParameters(get) {
                guard let schema = parameter["schema"] as? [String: Any], let name = parameter["name"] as? String,
                    let low = schema["minimum"] as? Int, let high = schema["maximum"] as? Int
                else { continue }
                count += 1
                let start = target(path) + (path == "/recommend" ? "?user_id=ann&" : "?")
                for (value, status) in [(low, 200), (high, 200), (low - 1, 400), (high + 1, 400)] {
                    #expect(try fixture.get("\(start)\(name)=\(value)").status == status, "\(path) \(name)=\(value)")
                }
                if let standard = schema["default"] as? Int {
                    #expect(
                        try fixture.get("\(start)\(name)=\(standard)").itemIDs
                            == fixture.get(String(start.dropLast())).itemIDs)
                }
            }
        }
        #expect(count == 12)
    }

    @Test("every media type of an answer is bare, as validators compare them, and is that of the answer")
    func mediaTypes() throws {
        var seen: Set<String> = []
        for (path, operations) in paths {
            for operation in operations.values {
                for case let answer as [String: Any] in (operation["responses"] as? [String: Any] ?? [:]).values {
                    let types = (answer["content"] as? [String: Any] ?? [:]).keys
                    #expect(types.allSatisfy { !$0.contains(";") && !$0.contains(" ") }, "\(path): \(types.sorted())")
                    seen.formUnion(types)
                }
            }
        }
        #expect(seen.isSuperset(of: ["application/json", "application/problem+json", "text/plain", "text/html"]))
        for (path, type) in [("/metrics", "text/plain"), ("/docs", "text/html")] {
            let sent = try #require(try fixture.get(path).header("Content-Type"))
            #expect(sent.split(separator: ";").first.map(String.init) == type)
        }
    }

    @Test("every $ref points at something") func references() throws {
        let answer = try fixture.get("/openapi.json")
        let json = answer.json
        for match in answer.body.matches(of: /"\$ref":"#\/([^"]+)"/) {
            var node: Any? = json
            for key in match.1.split(separator: "/") { node = (node as? [String: Any])?[String(key)] }
            #expect(node != nil, "\(match.1)")
        }
        #expect(json["openapi"] as? String == "3.1.0")
        #expect((json["info"] as? [String: Any])?["version"] as? String == "1.2.3")
    }

    @Test("the page is one document without outside assets, and never writes an answer as markup") func docs() throws {
        let answer = try fixture.get("/docs")
        #expect(answer.header("Content-Type") == "text/html; charset=utf-8")
        #expect(answer.body.hasPrefix("<!doctype html>"))
        #expect(answer.body.utf8.count < 24_000)
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            #expect(!answer.body.contains(outside), "\(outside)")
        }
        for dangerous in ["innerHTML", "document.write", "eval(", "insertAdjacentHTML"] {
            #expect(!answer.body.contains(dangerous), "\(dangerous)")
        }
        #expect(answer.body.contains("prefers-color-scheme: dark"))
        #expect(answer.body.contains("/openapi.json"))
    }
}
