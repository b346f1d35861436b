import FactorModel
import Foundation
import HTTPMessages
import RecommendService
import TestSupport

/// A service with a model of three users, five items and two hotels, asked in memory as a loop would ask it.
///
/// With two factors the scores can be read off: items are points, users are directions.
final class ServiceFixture {
    let service: Service
    let loop: LoopService
    let snapshot: ModelSnapshot
    private let directory: TemporaryDirectory

    struct Answer {
        let status: Int
        let head: String
        let body: String

        /// The body as a JSON object.
        var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:]
        }

        /// The item ids of a recommendation, in order.
        var itemIDs: [String] {
            (json["items"] as? [[String: Any]] ?? []).compactMap { $0["item_id"] as? String }
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

    init(loaded: Bool = true) throws {
        directory = try TemporaryDirectory()
        try writeModelFile(Self.contents, to: directory.file("model.safetensors"))
        snapshot = try ModelSnapshot.open(path: directory.file("model.safetensors"))
        service = Service(loops: 1, version: "1.2.3", commit: "abc")
        loop = service.makeLoop(0)
        if loaded {
            service.slot.publish(served(version: 7))
            service.readiness.become(.ready)
        }
    }

    func served(version: Int) -> ServedModel {
        ServedModel(
            name: "room-service", version: version, alias: "production", snapshot: snapshot,
            manifest: Array("{\"version\": \(version)}\n".utf8), createdAt: 1000, loadedAt: 2000, loadSeconds: 0.5,
            loops: 1)
    }

    func get(_ target: String, headers: String = "") throws -> Answer { try send("GET", target, headers: headers) }

    /// Parses a request as the server does, lets the loop answer, and tells the observer.
    func send(_ method: String, _ target: String, headers: String = "") throws -> Answer {
        let request = Array("\(method) \(target) HTTP/1.1\r\nHost: a\r\n\(headers)\r\n".utf8)
        var parser = RequestParser()
        guard let head = try parser.parse(request.span, limits: Limits()) else { throw Incomplete() }
        var response = Response(
            into: ByteBuffer(capacity: 64), date: HTTPDate(unixSeconds: 0), persistence: .implicit, omitsBody: false)
        loop.requestBegan()
        let route = loop.respond(
            to: head, bytes: request.span, body: request.span.extracting(0..<0), into: &response)
        let bytes = response.finish()
        loop.requestEnded(
            route: route, method: head.method, status: response.status, requestBytes: request.count,
            responseBytes: bytes, nanoseconds: 1000)
        let output = response.takeOutput()
        let text = output.withBytes { span in String(decoding: span.indices.map { span[$0] }, as: UTF8.self) }
        let parts = text.components(separatedBy: "\r\n\r\n")
        return Answer(
            status: Int(text.dropFirst(9).prefix(3)) ?? 0, head: parts[0],
            body: parts.dropFirst().joined(separator: "\r\n\r\n"))
    }

    struct Incomplete: Error {}
}
