import Dispatch
import Foundation
import HTTPMessages
import HTTPServer
import ModelRegistry
import RecommendService
import Synchronization
import TestSupport
import Testing

/// Real sockets, one loop: what an operator changes waits for the disk, and nobody else does.
@Suite("Changes of items over sockets") struct PostponedChangeTests {
    private let fixture: ServiceFixture
    private let items: UnavailableItems
    private let server: Running
    private let events = Events()

    private final class Events: Sendable {
        let all = Mutex<[AdminEvent]>([])
    }

    /// Drained when the test is over.
    private final class Running {
        let server: HTTPServer

        init(_ loop: @escaping @Sendable () -> LoopService) throws {
            server = HTTPServer(ServerConfiguration(port: 0, loops: 1, limits: Limits())) { _ in
                let loop = loop()
                return (loop, loop)
            }
            try server.start()
        }

        deinit { _ = server.drain(within: .seconds(5)) }
    }

    init() throws {
        var made: UnavailableItems?
        let events = events
        fixture = try ServiceFixture { directory, store in
            let parts = try ServiceFixture.operators(directory, store) { event in
                events.all.withLock { $0.append(event) }
            }
            made = parts.0
            return parts
        }
        items = try #require(made)
        let service = fixture.service
        server = try Running { service.makeLoop(0) }
    }

    private func connect() throws -> LoopbackConnection { try LoopbackConnection(port: server.server.port) }

    private func request(_ method: String, _ target: String, id: String = "r") -> String {
        """
        \(method) \(target) HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \(ServiceFixture.token)\r\n\
        X-Request-ID: \(id)\r\n\r\n
        """
    }

    private func items(_ answer: HTTPAnswer) -> [String] {
        let json = (try? JSONSerialization.jsonObject(with: Data(answer.body))) as? [String: Any]
        return ServiceFixture.Answer.itemIDs(json ?? [:])
    }

    /// Holds the thread that makes changes until it is let go of.
    private func holdChanges() throws -> DispatchSemaphore {
        let (isHeld, letGo) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        try #require(
            items.change(.unmark(itemID: "none", hotelID: nil, at: Date()), in: "room-service") { _ in
                isHeld.signal()
                _ = letGo.wait(timeout: .now() + 20)
            })
        try #require(isHeld.wait(timeout: .now() + 10) == .success)
        return letGo
    }

    @Test("the loop answers others while a change waits for the disk; 200 means that every answer leaves the item out")
    func others() throws {
        let letGo = try holdChanges()
        let operators = try connect()
        // The request behind it is answered after it, and sees it.
        try operators.send(
            request("PUT", "/admin/items/c/unavailable", id: "first")
                + request("GET", "/recommend?user_id=ann", id: "second"))
        let guest = try connect()
        for _ in 0..<20 { #expect(items(try guest.get("/recommend?user_id=ann")).first == "c") }
        #expect(events.all.withLock { $0 }.isEmpty)
        letGo.signal()
        let answer = try operators.receive()
        #expect(answer.status == 200 && answer.headers["x-request-id"] == "first")
        #expect(answer.headers["cache-control"] == "no-store")
        #expect(answer.text.contains("\"request_id\":\"first\""))
        #expect(items(try guest.get("/recommend?user_id=ann")).first == "a")
        let second = try operators.receive()
        #expect(second.headers["x-request-id"] == "second" && items(second).first == "a")
        #expect(items.finishChanges(within: 10) == 0)
        #expect(events.all.withLock { $0.count } == 1)
    }

    @Test("two operators' changes of one item take effect and are answered in the order in which they came")
    func order() throws {
        let letGo = try holdChanges()
        let (one, other) = (try connect(), try connect())
        try one.send(request("PUT", "/admin/items/c/unavailable"))
        // It has come when the loop has begun it: one after the other on one loop.
        try other.send(request("GET", "/livez"))
        #expect(try other.receive().status == 200)
        try other.send(request("DELETE", "/admin/items/c/unavailable"))
        // So has this one.
        #expect(try connect().get("/livez").status == 200)
        letGo.signal()
        #expect(try one.receive().status == 200)
        #expect(try other.receive().status == 200, "there was a mark to take back")
        #expect(items(try other.get("/recommend?user_id=ann")).first == "c")
    }

    @Test("a change goes on when its client goes away, is told in the log, and is no longer in progress")
    func gone() throws {
        let letGo = try holdChanges()
        do {
            let client = try connect()
            try client.send(request("PUT", "/admin/items/c/unavailable"))
            let other = try connect()
            #expect(try other.get("/livez").status == 200)
            client.resetAtClose()
        }
        let guest = try connect()
        letGo.signal()
        #expect(try items.make(.mark(UnavailableItem(itemID: "b", since: Date()))), "it comes after")
        #expect(items(try guest.get("/recommend?user_id=ann")) == ["a", "d", "e"])
        #expect(events.all.withLock { $0.count } == 1)
        let metrics = try guest.get("/metrics").text.split(separator: "\n")
        #expect(
            metrics.filter { $0.hasPrefix("http_requests_inprogress ") } == ["http_requests_inprogress 1.0"],
            "the scrape itself")
        let refused = metrics.filter { $0.hasPrefix("http_requests_total") && $0.contains("4xx") }
        #expect(refused.count == 1 && refused.allSatisfy { $0.contains("PUT") && $0.hasSuffix(" 1") }, "\(refused)")
    }

    @Test(
        "at the end of a process a change that waits is made and told, though its client was cut off; what is not is counted"
    )
    func end() throws {
        let letGo = try holdChanges()
        let client = try connect()
        try client.send(request("PUT", "/admin/items/c/unavailable"))
        #expect(try connect().get("/livez").status == 200)
        #expect(!server.server.drain(within: .milliseconds(1)), "the client is cut off")
        #expect(throws: LoopbackConnection.Failure.self) { try client.receive() }
        #expect(items.finishChanges(within: 0.01) == 1, "it and the one that is held, which has been made")
        letGo.signal()
        #expect(items.finishChanges(within: 20) == 0)
        let marks = try Registry(path: fixture.directory.path).unavailableItems(of: "room-service")
        #expect(marks.map(\.itemID) == ["c"])
        #expect(events.all.withLock { $0 } == [.unavailable(model: "room-service", item: "c", hotel: nil, until: nil)])
    }

    @Test("a log that nobody reads withholds no answer of a change that is durable") func slowLog() throws {
        let (isTold, letGo) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let slow = try ServiceFixture { directory, store in
            try ServiceFixture.operators(directory, store) { _ in
                isTold.signal()
                _ = letGo.wait(timeout: .now() + 20)
            }
        }
        defer { letGo.signal() }
        let service = slow.service
        let server = try Running { service.makeLoop(0) }
        let client = try LoopbackConnection(port: server.server.port)
        try client.send(request("PUT", "/admin/items/c/unavailable"))
        #expect(try client.receive().status == 200)
        #expect(isTold.wait(timeout: .now() + 10) == .success)
    }

    @Test("what cannot be changed is answered as before: no such mark, and a registry that cannot be written to")
    func refusals() throws {
        let client = try connect()
        try client.send(request("DELETE", "/admin/items/c/unavailable", id: "x"))
        let missing = try client.receive()
        #expect(missing.status == 404 && missing.headers["content-type"] == "application/problem+json")
        #expect(missing.headers["x-request-id"] == "x")
        try FileManager.default.removeItem(atPath: fixture.directory.file("room-service"))
        try client.send(request("PUT", "/admin/items/c/unavailable"))
        let unstored = try client.receive()
        #expect(unstored.status == 503 && unstored.text.contains("not-stored"), "\(unstored.text)")
        #expect(events.all.withLock { $0 }.isEmpty)
    }

    @Test("one more than may wait is a 503 that says when to come again") func bound() throws {
        let letGo = try holdChanges()
        let over = DispatchSemaphore(value: 0)
        for _ in 0..<UnavailableItems.waitingMax {
            #expect(
                items.change(.mark(UnavailableItem(itemID: "c", since: Date())), in: "room-service") { _ in
                    over.signal()
                })
        }
        let client = try connect()
        try client.send(request("PUT", "/admin/items/a/unavailable"))
        let answer = try client.receive()
        #expect(answer.status == 503 && answer.headers["retry-after"] == "1" && answer.text.contains("busy"))
        letGo.signal()
        for _ in 0..<UnavailableItems.waitingMax { #expect(over.wait(timeout: .now() + 20) == .success) }
        try client.send(request("PUT", "/admin/items/a/unavailable"))
        #expect(try client.receive().status == 200)
    }
}
