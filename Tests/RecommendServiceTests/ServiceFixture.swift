import Dispatch
import FactorModel
import Foundation
import HTTPMessages
import HTTPServer
import ModelRegistry
import RecommendService
import Synchronization
import TestSupport

/// A service with a model of three users, five items and two hotels, asked in memory as a loop would ask it.
///
/// With two factors the scores can be read off: items are points, users are directions.
final class ServiceFixture {
    let service: Service
    let loop: LoopService
    let snapshot: ModelSnapshot
    let directory: TemporaryDirectory

    struct Answer {
        let status: Int
        let head: String
        let body: String
        /// Of a streamed answer.
        var pieces = 0

        /// The body as a JSON object.
        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:]
        }

        /// The item ids of a recommendation, in order.
        var itemIDs: [String] { Self.itemIDs(json) }

        static func itemIDs(_ json: [String: Any]) -> [String] {
            (json["items"] as? [[String: Any]] ?? []).compactMap { $0["item_id"] as? String }
        }

        /// The lines of a bulk answer, each a JSON object.
        var lines: [[String: Any]] {
            body.split(separator: "\n").map { line in
                (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any] ?? [:]
            }
        }

        var detail: String? { json["detail"] as? String }

        /// What a program matches on, without its prefix.
        var problem: String? {
            (json["type"] as? String).map { $0.replacing("urn:nextloop:problem:", with: "") }
        }

        func header(_ name: String) -> String? {
            head.split(separator: "\r\n").first { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
        }
    }

    static let contents = ModelContents(
        userIDs: ["ann", "bob", "nil"],
        catalogue: Catalogue(
            itemIDs: ["a", "b", "c", "d", "e"], names: ["김치찌개", "Say \"cheese\"\\\n", "", "Tea", "Cake"],
            prices: [12000, 0, nil, 5000, 7000], departmentIDs: ["1", "2", nil, "1", "2"], hotelIDs: ["h1", "h2"],
            hotelItems: [[0, 1, 3], [2, 3, 4]]),
        factors: Factors(
            factorCount: 2, userFactors: [1, 0, 0, 1, 0, 0],
            itemFactors: [0.5, 0.1, 0.25, 0.2, 1, 0.3, 0.25, 0.4, -1, 0.5]),
        interactions: InteractionMatrix(
            rowCount: 3, columnCount: 5, indptr: [0, 2, 3, 3], indices: [0, 2, 4], values: [1, 2, 1]),
        itemPopularity: [1, 5, 2, 5, 1])

    /// - Parameter foldIn: whether the model says what it was trained with.
    /// - Parameter models: served beside `room-service`, which answers by default.
    /// - Parameter following: answers with this follower's models instead.
    /// - Parameter experiments: on `room-service`, as is `shadow`.
    /// - Parameter change: of the contents, at last.
    /// - Parameter admin: makes the operator's part from the directory, in which a registry may be kept, and the models.
    init(
        loaded: Bool = true, foldIn: Bool = true, models: [String] = [], following follower: ModelFollower? = nil,
        experiments: [Experiment] = [], shadow: ShadowDeclaration? = nil, accessLog: AccessLog? = nil,
        admin: ((TemporaryDirectory, ModelStore) throws -> (UnavailableItems, Admin?))? = nil,
        change: (inout ModelContents) -> Void = { _ in }
    ) throws {
        directory = try TemporaryDirectory()
        var contents = Self.contents
        if foldIn { contents.foldIn = FoldInParameters(alpha: 2, regularization: 0.5) }
        change(&contents)
        try writeModelFile(contents, to: directory.file("model.safetensors"))
        snapshot = try ModelSnapshot.open(path: directory.file("model.safetensors"))
        let declared = (["room-service"] + models).map {
            ModelDeclaration(
                name: $0, policy: .alias("production"), experiments: $0 == "room-service" ? experiments : [],
                shadow: $0 == "room-service" ? shadow : nil)
        }
        let store = follower?.store ?? ModelStore(declared, loops: 1)
        let (unavailable, admin) = try admin?(directory, store) ?? (nil, nil)
        service = Service(
            store, follower: follower, unavailable: unavailable, admin: admin, version: "1.2.3", commit: "abc",
            accessLog: accessLog)
        loop = service.makeLoop(0)
        if loaded, follower == nil {
            service.models.noteLoaded()
            let first = served(version: 7)
            unavailable?.prepare(first)
            service.models.publish(first)
            _ = service.readiness.becomeReady()
        }
    }

    /// Opens what `token` opens to operators.
    static let token = "correct-horse-battery-staple"

    /// Operators with a registry in the fixture's directory whose events nobody wants.
    static func operators(_ directory: TemporaryDirectory, _ store: ModelStore) throws -> (UnavailableItems, Admin?) {
        try operators(directory, store) { _ in }
    }

    static func operators(
        _ directory: TemporaryDirectory, _ store: ModelStore, _ report: @escaping @Sendable (AdminEvent) -> Void
    ) throws -> (UnavailableItems, Admin?) {
        try FileManager.default.createDirectory(
            atPath: directory.file("room-service"), withIntermediateDirectories: true)
        let items = UnavailableItems(Registry(path: directory.path), store) { _ in }
        let token = AdminToken(path: try directory.write(Data("\(Self.token)\n".utf8), as: "token"))
        return (items, Admin(token: token, unavailable: items, report: report))
    }

    func served(_ name: String = "room-service", version: Int) -> ServedModel {
        ServedModel(
            name: name, version: version, snapshot: snapshot,
            manifest: Array("{\"version\": \(version)}\n".utf8), createdAt: 1000, loadedAt: 2000, loadSeconds: 0.5,
            loops: 1)
    }

    func get(_ target: String, headers: String = "") throws -> Answer { try send("GET", target, headers: headers) }

    /// A JSON body, as `POST /recommend` and `POST /score` take it.
    func post(_ target: String, _ body: String, type: String = "application/json") throws -> Answer {
        try send("POST", target, headers: "Content-Type: \(type)\r\n", body: Array(body.utf8))
    }

    func bulk(_ lines: [String]) throws -> Answer {
        try post("/recommend/bulk", lines.map { $0 + "\n" }.joined(), type: "application/x-ndjson")
    }

    /// A request that was answered, but for the pieces of a streamed answer.
    struct Begun {
        let head: String
        let body: String
        let producer: (any BodyProducer)?
        let end: () -> Void
    }

    /// Parses a request as the server does, lets the loop answer, and tells the observer.
    func send(_ method: String, _ target: String, headers: String = "", body: [UInt8] = []) throws -> Answer {
        let begun = try begin(method, target, headers: headers, body: body)
        var text = begun.body
        var pieces = 0
        if let producer = begun.producer {
            var hasMore = true
            while hasMore, pieces < 100_000 {
                var piece = ByteBuffer(capacity: 64)
                hasMore = producer.producePiece(into: &piece)
                text += Self.text(piece)
                pieces += 1
            }
            producer.ended(wasWhole: true)
        }
        begun.end()
        return Answer(
            status: Int(begun.head.dropFirst(9).prefix(3)) ?? 0, head: begun.head, body: text, pieces: pieces)
    }

    func begin(
        _ method: String, _ target: String, headers: String = "", body: [UInt8] = [], role: ListenerRole = .service
    ) throws -> Begun {
        let lengthLine = body.isEmpty && method != "POST" ? "" : "Content-Length: \(body.count)\r\n"
        let request = Array("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\(headers)\(lengthLine)\r\n".utf8)
        var parser = RequestParser()
        var limits = Limits()
        limits.requestLineBytesMax = 1 << 20
        guard let head = try parser.parse(request.span, limits: limits) else { throw Incomplete() }
        var response = Response(
            into: ByteBuffer(capacity: 64), date: HTTPDate(unixSeconds: 0), persistence: .implicit,
            omitsBody: method == "HEAD")
        loop.requestBegan()
        let route = loop.respond(
            to: head, bytes: request.span, body: body.span, context: RequestContext(role: role), into: &response)
        if let answer = response.postponed {
            let isReady = DispatchSemaphore(value: 0)
            answer.begin { isReady.signal() }
            if isReady.wait(timeout: .now() + 10) == .timedOut { throw Incomplete() }
            response = Response(
                into: response.takeOutput(), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false)
            answer.write(into: &response)
        }
        let bytes = response.finish()
        let status = response.status
        let producer = response.producer
        let text = Self.text(response.takeOutput())
        let parts = text.components(separatedBy: "\r\n\r\n")
        let loop = loop
        return Begun(head: parts[0], body: parts.dropFirst().joined(separator: "\r\n\r\n"), producer: producer) {
            loop.requestEnded(
                route: route, method: head.method, status: status, requestBytes: request.count, responseBytes: bytes,
                nanoseconds: 1000)
        }
    }

    private static func text(_ buffer: borrowing ByteBuffer) -> String {
        buffer.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
    }

    struct Incomplete: Error {}
}

extension UnavailableItems {
    /// Makes a change and waits, at most ten seconds, until it is in force.
    @discardableResult
    func make(_ change: Change, in model: String = "room-service") throws -> Bool {
        let made = Waiting()
        let isBegun = self.change(change, in: model) { result in
            made.result.withLock { $0 = result }
            made.isThere.signal()
        }
        guard isBegun, made.isThere.wait(timeout: .now() + 10) == .success, let result = made.result.withLock({ $0 })
        else { throw ServiceFixture.Incomplete() }
        return try result.get() != .nothing
    }

    private final class Waiting: Sendable {
        let isThere = DispatchSemaphore(value: 0)
        let result = Mutex<Result<Made, RegistryError>?>(nil)
    }
}
