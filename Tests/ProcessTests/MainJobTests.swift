import Foundation
import TestSupport
import Testing

/// One small trained registry that the process tests share: made once, by the built binary.
enum SampleRegistry {
    struct Made {
        let directory: TemporaryDirectory
        var orders: String { directory.file("orders.csv") }
        var registry: String { directory.file("models") }
        var modelFile: String { directory.file("models/room-service/1/model.safetensors") }
        /// A guest whom the model knows and the hotel of one of their orders, read off the export.
        let guest: String
        let hotel: String
        /// The options that name the model.
        var options: [String] { ["--registry", registry, "--model", "room-service"] }
    }

    static let made = Result { try make() }

    private static func make() throws -> Made {
        let directory = try TemporaryDirectory.untilExit()
        let orders = directory.file("orders.csv")
        let written = try BuiltBinary.run([
            "sample-orders", "--customers", "300", "--orders", "4000", "--seed", "7", "--output", orders,
        ])
        try #require(written.exitCode == 0, "\(written.errors)")
        // order_seq, hotel_seq, room_seq, customer_seq, order_price, status, ...
        let rows = try String(contentsOfFile: orders, encoding: .utf8).split(separator: "\n")
            .map { $0.split(separator: ",") }
        let purchase = try #require(rows.first { $0.count > 6 && $0[4] != "0" && $0[5] == "COMPLETE" })
        let made = Made(directory: directory, guest: String(purchase[3]), hotel: String(purchase[1]))
        let trained = try BuiltBinary.run(
            ["train", "--orders", made.orders, "--factors", "16", "--iterations", "5", "--promote", "production"]
                + made.options)
        try #require(trained.exitCode == 0, "\(trained.errors)")
        try #require(trained.output.split(separator: "\n").last == "1", "\(trained.output)")
        return made
    }
}

/// What `GET /recommend` answers, as a client reads it.
struct RecommendationAnswer: Codable, Equatable {
    struct Item: Codable, Equatable {
        let itemID: String
        let score: Float
        let name: String?
        let price: Int?
        let departmentID: String?

        enum CodingKeys: String, CodingKey {
            case itemID = "item_id"
            case score, name, price
            case departmentID = "department_id"
        }
    }

    let userID: String?
    let model: String
    let modelVersion: Int
    let strategy: String
    let fallbackReason: String?
    let items: [Item]
    let requestID: String

    enum CodingKeys: String, CodingKey {
        case userID = "user_id"
        case model
        case modelVersion = "model_version"
        case strategy
        case fallbackReason = "fallback_reason"
        case items
        case requestID = "request_id"
    }

    init(_ text: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(text.utf8)) }
}

@Suite("The main job, through the built binary") struct MainJobTests {
    let made: SampleRegistry.Made

    init() throws { made = try SampleRegistry.made.get() }

    @Test("train, serve, recommend, SIGTERM: answers come, then unready, then exit 0") func wholeLife() throws {
        let server = try RunningServer(made.options + ["--threads", "1", "--drain-seconds", "0.5"])
        let answer = try server.get("/recommend?user_id=\(made.guest)&k=3", headers: ["X-Request-ID": "abc-1"])
        #expect(answer.status == 200)
        #expect(answer.headers["content-type"] == "application/json")
        #expect(answer.headers["x-request-id"] == "abc-1")
        #expect(answer.headers["x-model-version"] == "1")
        let body = try RecommendationAnswer(answer.text)
        #expect(body.requestID == "abc-1")
        #expect(body.model == "room-service")
        #expect(body.items.count == 3)
        #expect(body.items.map(\.score) == body.items.map(\.score).sorted(by: >))
        #expect(try server.get("/readyz").status == 200)

        server.send(SIGTERM)
        Thread.sleep(forTimeInterval: 0.2)
        let draining = try server.get("/readyz")
        #expect(draining.status == 503)
        #expect(draining.text.contains("draining"))
        #expect(try server.get("/recommend?user_id=\(made.guest)").status == 200)
        #expect(server.exitCode(within: 10) == 0)
    }

    @Test("an unknown user gets what is popular, and a 404 with strict=true") func unknownUser() throws {
        let server = try RunningServer(made.options)
        let fallback = try RecommendationAnswer(try server.get("/recommend?user_id=nobody").text)
        #expect(fallback.strategy == "popular")
        #expect(fallback.fallbackReason == "unknown_user")
        #expect(fallback.items.count == 10)
        let popular = try RecommendationAnswer(try server.get("/popular").text)
        #expect(popular.items == fallback.items)
        let strict = try server.get("/recommend?user_id=nobody&strict=true")
        #expect(strict.status == 404)
        #expect(strict.headers["content-type"] == "application/problem+json")
    }

    @Test("hotel_id keeps to what that hotel sells") func hotelFilter() throws {
        let server = try RunningServer(made.options)
        let all = try RecommendationAnswer(try server.get("/recommend?user_id=\(made.guest)&k=1000").text)
        let one = try RecommendationAnswer(
            try server.get("/recommend?user_id=\(made.guest)&k=1000&hotel_id=\(made.hotel)").text)
        #expect(!one.items.isEmpty && one.items.count < all.items.count)
        let kept = Set(one.items.map(\.itemID))
        #expect(one.items == all.items.filter { kept.contains($0.itemID) })
        #expect(
            try RecommendationAnswer(try server.get("/recommend?user_id=\(made.guest)&hotel_id=none").text).items
                .isEmpty)
    }

    @Test("the command line answers what the server answers") func commandLine() throws {
        let server = try RunningServer(made.options)
        for user in [made.guest, "nobody"] {
            let served = try RecommendationAnswer(try server.get("/recommend?user_id=\(user)&k=7&offset=2").text)
            let printed = try BuiltBinary.run(
                ["recommend", "--user", user, "-k", "7", "--offset", "2", "--json"] + made.options)
            let answer = try RecommendationAnswer(printed.output)
            #expect(answer.items == served.items)
            #expect(answer.strategy == served.strategy)
        }
        let table = try BuiltBinary.run(["recommend", "--user", made.guest, "-k", "2"] + made.options)
        #expect(table.exitCode == 0)
        #expect(table.output.split(separator: "\n").count == 4)
    }

    @Test("model/info is the manifest, metrics count what was asked, HEAD has no body") func otherEndpoints() throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let manifest = try String(
            contentsOfFile: made.directory.file("models/room-service/1/manifest.json"), encoding: .utf8)
        #expect(try server.get("/model/info").text == manifest)
        #expect(try server.get("/livez").status == 200)
        _ = try server.get("/recommend?user_id=\(made.guest)")
        _ = try server.get("/recommend?user_id=nobody")
        let metrics = try server.get("/metrics")
        #expect(metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        for line in [
            "http_requests_total{method=\"GET\",status=\"2xx\",handler=\"/recommend\"} 2",
            "nextloop_recommendations_total{model=\"room-service\",version=\"1\",strategy=\"als\"} 1",
            "nextloop_recommendation_fallbacks_total{model=\"room-service\",version=\"1\",reason=\"unknown_user\"} 1",
            "nextloop_model_info{model=\"room-service\",version=\"1\",alias=\"production\"} 1.0",
            "http_request_duration_highr_seconds_bucket{le=\"0.01\"}", "process_resident_memory_bytes",
        ] {
            #expect(metrics.text.contains(line), "missing: \(line)")
        }
        let connection = try LoopbackConnection(port: server.port)
        try connection.send("HEAD /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        let head = try connection.receive(bodyless: true)
        let get = try connection.receive()
        #expect(head.headers["content-length"] == get.headers["content-length"])
        #expect(get.text == "{\"status\":\"alive\"}\n")
    }

    @Test("every parameter at its bound is taken, one past it is a problem that names it") func parameterBounds() throws
    {
        let server = try RunningServer(made.options + ["--threads", "1"])
        for (query, status) in Self.queries {
            let answer = try server.get("/recommend?\(query)")
            #expect(answer.status == status, "\(query): \(answer.text)")
            if status == 400 {
                #expect(answer.headers["content-type"] == "application/problem+json", "\(query)")
                #expect(!answer.text.contains("<"), "\(query): markup came back")
            }
        }
    }

    private static let queries: [(String, Int)] = [
        ("user_id=1&k=1", 200), ("user_id=1&k=1000", 200), ("user_id=1&k=0", 400), ("user_id=1&k=1001", 400),
        ("user_id=1&k=%2B5", 400), ("user_id=1&k=", 400), ("user_id=1&k=1e1", 400), ("user_id=1&k=1234567890", 400),
        ("user_id=1&offset=0", 200), ("user_id=1&offset=10000", 200), ("user_id=1&offset=10001", 400),
        ("user_id=1&offset=-1", 400), ("user_id=\(String(repeating: "x", count: 256))", 200),
        ("user_id=\(String(repeating: "x", count: 257))", 400), ("user_id=", 400), ("", 400), ("k=5", 400),
        ("user_id=1&exclude_seen=true", 200), ("user_id=1&exclude_seen=1", 400), ("user_id=1&strict=maybe", 400),
        ("user_id=1&hotel=1", 400), ("user_id=1&user_id=2", 400), ("user_id=1&k=5&k=5", 400),
        ("user_id=1&hotel_id=1&hotel_id=2", 200), ("user_id=1&hotel_id=", 400), ("user_id=%zz", 400),
        ("user_id=%00", 400), ("user_id=%ff", 400), ("user_id=%EA%B9%80", 200), ("user_id=1&%3Cscript%3E=1", 400),
    ]

    @Test("wrong paths and methods are told what is right") func wrongPathsAndMethods() throws {
        let server = try RunningServer(made.options + ["--threads", "1"])
        let connection = try LoopbackConnection(port: server.port)
        #expect(try connection.get("/recommendations").status == 404)
        #expect(try connection.get("/").status == 404)
        try connection.send("POST /popular HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
        let refused = try connection.receive()
        #expect(refused.status == 405)
        #expect(refused.headers["allow"] == "GET, HEAD")
    }
}
