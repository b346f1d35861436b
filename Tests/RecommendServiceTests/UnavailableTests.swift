import Dispatch
import FactorModel
import Foundation
import HTTPMessages
import ModelRegistry
import RecommendService
import Synchronization
import TestSupport
import Testing

/// Ann likes c, a, b, d, e in this order; hotel h1 sells a, b, d and h2 sells c, d, e.
@Suite("Items taken from sale") struct UnavailableTests {
    private let fixture: ServiceFixture
    private let registry: Registry
    private let items: UnavailableItems
    private let reports = Reports()
    private let now = Time.start
    private let time = Time()

    final class Time: Sendable {
        static let start = Date(timeIntervalSince1970: 1_800_000_000)
        let now = Mutex(start)
    }

    final class Reports: Sendable {
        let texts = Mutex<[String]>([])
    }

    init() throws {
        var made: (Registry, UnavailableItems)?
        let (reports, time) = (reports, time)
        fixture = try ServiceFixture { directory, store in
            let registry = Registry(path: directory.path)
            try FileManager.default.createDirectory(
                atPath: directory.file("room-service"), withIntermediateDirectories: true)
            let items = UnavailableItems(registry, store, clock: { time.now.withLock { $0 } }) { text in
                reports.texts.withLock { $0.append(text) }
            }
            made = (registry, items)
            return (items, nil)
        }
        (registry, items) = try #require(made)
    }

    private func mark(_ item: String, _ hotel: String? = nil, until: Date? = nil) throws {
        try items.make(.mark(UnavailableItem(itemID: item, hotelID: hotel, since: now, until: until)))
    }

    private func recommended(_ more: String = "") throws -> [String] {
        try fixture.get("/recommend?user_id=ann\(more)").itemIDs
    }

    @Test("gone everywhere: from recommendations, fallbacks, similar, popular and bulk, by the next request")
    func everywhere() throws {
        #expect(try recommended() == ["c", "a", "b", "d", "e"])
        try mark("c")
        #expect(try recommended() == ["a", "b", "d", "e"])
        #expect(try recommended("&hotel_id=h2") == ["d", "e"])
        #expect(try !fixture.get("/recommend?user_id=stranger").itemIDs.contains("c"))
        #expect(try !fixture.get("/popular").itemIDs.contains("c"))
        #expect(try !fixture.get("/items/a/similar").itemIDs.contains("c"))
        #expect(try fixture.get("/recommend?user_id=ann&allow=c,a").itemIDs == ["a"])
        #expect(try fixture.post("/recommend", "{\"user_id\":\"ann\",\"k\":1}").itemIDs == ["a"])
        let lines = try fixture.bulk(["{\"user_id\":\"ann\"}", "{\"user_id\":\"bob\"}", "{\"user_id\":\"new\"}"]).lines
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { !ServiceFixture.Answer.itemIDs($0).contains("c") })
    }

    @Test("one can still ask what is like an item that is gone")
    func similarToIt() throws {
        try mark("c")
        #expect(try fixture.get("/items/c/similar").status == 200)
    }

    @Test("gone at one hotel: still there for others, and for requests that name no hotel")
    func oneHotel() throws {
        try mark("d", "h1")
        #expect(try recommended("&hotel_id=h1") == ["a", "b"])
        #expect(try recommended("&hotel_id=h2") == ["c", "d", "e"])
        #expect(try recommended() == ["c", "a", "b", "d", "e"])
        #expect(try recommended("&hotel_id=h1&hotel_id=h2") == ["c", "a", "b", "d", "e"])
    }

    @Test("gone at every hotel that sells it: gone")
    func allHotels() throws {
        try mark("d", "h1")
        try mark("d", "h2")
        #expect(try recommended() == ["c", "a", "b", "e"])
        // Only h2 sells c: to run out there is to run out.
        try mark("c", "h2")
        #expect(try recommended() == ["a", "b", "e"])
    }

    @Test("within several hotels an item is gone when those of them that sell it have none")
    func severalHotels() throws {
        try mark("a", "h1")
        try mark("d", "h1")
        #expect(try recommended("&hotel_id=h1&hotel_id=h2") == ["c", "b", "d", "e"])
    }

    @Test("what a request denies and what is unavailable are both left out, and the next request is free of both")
    func deny() throws {
        try mark("c")
        #expect(try recommended("&deny=a") == ["b", "d", "e"])
        #expect(try items.make(.unmark(itemID: "c", hotelID: nil, at: now)))
        #expect(try recommended() == ["c", "a", "b", "d", "e"])
        #expect(try !items.make(.unmark(itemID: "c", hotelID: nil, at: now)))
    }

    @Test("a mark ends at its time, to the second, by a look")
    func end() throws {
        try mark("c", until: now.addingTimeInterval(60))
        items.look(at: now.addingTimeInterval(59))
        #expect(try recommended().first == "a")
        items.look(at: now.addingTimeInterval(60))
        #expect(try recommended().first == "c")
        #expect(items.inForce("room-service").isEmpty)
    }

    @Test("a change that waited puts nothing in force again that was over meanwhile", arguments: [true, false])
    func overMeanwhile(_ isMark: Bool) throws {
        try mark("c", until: now.addingTimeInterval(60))
        try mark("d")
        let later = now.addingTimeInterval(60)
        time.now.withLock { $0 = later }
        items.look(at: later)
        #expect(items.inForce("room-service").map(\.itemID) == ["d"])
        if isMark {
            try items.make(.mark(UnavailableItem(itemID: "e", since: now)))
        } else {
            try items.make(.unmark(itemID: "d", hotelID: nil, at: now))
        }
        #expect(items.inForce("room-service").map(\.itemID) == (isMark ? ["d", "e"] : []))
    }

    @Test("what another process marked is in force after a look")
    func otherProcess() throws {
        let other = Registry(path: registry.path)
        _ = try other.mark(UnavailableItem(itemID: "c", since: now), unavailableIn: "room-service")
        #expect(try recommended().first == "c")
        items.look(at: now)
        #expect(try recommended().first == "a")
    }

    @Test("an old version that a streamed answer still holds gets the marks that come after it was replaced")
    func heldVersion() throws {
        let begun = try fixture.begin(
            "POST", "/recommend/bulk", headers: "Content-Type: application/x-ndjson\r\n",
            body: Array(#"{"user_id":"ann"}"#.utf8))
        let next = fixture.served(version: 8)
        items.prepare(next)
        fixture.service.models.publish(next)
        fixture.service.models.retire("room-service", versions: [7])
        try mark("c")
        var piece = ByteBuffer(capacity: 64)
        let producer = try #require(begun.producer)
        let hasMore = producer.producePiece(into: &piece)
        #expect(!hasMore)
        producer.ended(wasWhole: true)
        begun.end()
        let text = piece.withBytes { bytes in String(decoding: bytes.indices.map { bytes[$0] }, as: UTF8.self) }
        #expect(text.contains("\"model_version\":7") && !text.contains("\"item_id\":\"c\""))
    }

    @Test("marks that could not be read once keep the service from being ready") func neverRead() throws {
        let file = fixture.directory.file("room-service/unavailable.json")
        try Data("{".utf8).write(to: URL(fileURLWithPath: file))
        items.look(at: now)
        #expect(try fixture.get("/readyz").status == 503)
        try Data("{\"format\":1,\"items\":[]}".utf8).write(to: URL(fileURLWithPath: file))
        items.look(at: now)
        #expect(try fixture.get("/readyz").status == 200)
        // Known once, it stays ready: the last good marks are in force.
        try Data("{".utf8).write(to: URL(fileURLWithPath: file))
        items.look(at: now)
        #expect(try fixture.get("/readyz").status == 200)
    }

    @Test("a version that is loaded later has the marks, before it answers")
    func laterVersion() throws {
        try mark("c")
        let next = fixture.served(version: 8)
        items.prepare(next)
        fixture.service.models.publish(next)
        #expect(try recommended().first == "a")
        #expect(try items.make(.unmark(itemID: "c", hotelID: nil, at: now)))
        #expect(try recommended().first == "c")
    }

    @Test("a file that cannot be read leaves the marks in force and is told once")
    func damaged() throws {
        try mark("c")
        items.look(at: now)
        let file = fixture.directory.file("room-service/unavailable.json")
        let good = try Data(contentsOf: URL(fileURLWithPath: file))
        try Data("{".utf8).write(to: URL(fileURLWithPath: file))
        items.look(at: now)
        items.look(at: now)
        #expect(try recommended().first == "a")
        #expect(reports.texts.withLock { $0 }.count == 1)
        #expect(
            try fixture.get("/metrics").body.contains("nextloop_unavailable_items_readable{model=\"room-service\"} 0"))
        try good.write(to: URL(fileURLWithPath: file))
        items.look(at: now)
        #expect(reports.texts.withLock { $0 }.count == 2)
        #expect(
            try fixture.get("/metrics").body.contains("nextloop_unavailable_items_readable{model=\"room-service\"} 1"))
        #expect(try fixture.get("/metrics").body.contains("nextloop_unavailable_items{model=\"room-service\"} 1"))
    }

    @Test("a registry that goes away puts nothing back on sale")
    func registryGone() throws {
        try mark("c")
        try FileManager.default.removeItem(atPath: fixture.directory.file("room-service"))
        items.look(at: now)
        #expect(try recommended().first == "a")
    }

    @Test("marks of ids that the model does not hold mean nothing to it")
    func strangers() throws {
        try mark("zzz")
        try mark("c", "nowhere")
        #expect(try recommended() == ["c", "a", "b", "d", "e"])
    }

    // MARK: Changes wait for the disk elsewhere

    /// Holds the thread that makes changes until it is let go of.
    private func holdChanges() throws -> DispatchSemaphore {
        let (isHeld, letGo) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        try #require(
            items.change(.unmark(itemID: "none", hotelID: nil, at: now), in: "room-service") { _ in
                isHeld.signal()
                _ = letGo.wait(timeout: .now() + 20)
            })
        try #require(isHeld.wait(timeout: .now() + 10) == .success)
        return letGo
    }

    @Test("changes of one item take effect in the order in which they were asked for, whoever asked")
    func inOrder() throws {
        let letGo = try holdChanges()
        let results = Mutex<[Bool]>([])
        let last = DispatchSemaphore(value: 0)
        for round in 0..<20 {
            let mark = UnavailableItems.Change.mark(UnavailableItem(itemID: "c", since: now))
            let unmark = UnavailableItems.Change.unmark(itemID: "c", hotelID: nil, at: now)
            for change in [mark, unmark, unmark] {
                #expect(
                    items.change(change, in: "room-service") { result in
                        results.withLock { $0.append((try? result.get()) ?? .nothing != .nothing) }
                        if round == 19, results.withLock({ $0.count }) == 60 { last.signal() }
                    })
            }
        }
        #expect(try recommended().first == "c", "nothing is in force before it is durable")
        letGo.signal()
        #expect(last.wait(timeout: .now() + 10) == .success)
        #expect(results.withLock { $0 } == (0..<20).flatMap { _ in [true, true, false] })
        #expect(try recommended().first == "c")
    }

    @Test("as many as are kept may wait, one more is refused and changes nothing, and then there is room again")
    func bound() throws {
        let letGo = try holdChanges()
        let made = Atomic<Int>(0)
        let isOver = DispatchSemaphore(value: 0)
        let mark = UnavailableItems.Change.mark(UnavailableItem(itemID: "c", since: now))
        for _ in 0..<UnavailableItems.waitingMax {
            #expect(
                items.change(mark, in: "room-service") { _ in
                    if made.add(1, ordering: .relaxed).newValue == UnavailableItems.waitingMax { isOver.signal() }
                })
        }
        #expect(
            !items.change(.mark(UnavailableItem(itemID: "a", since: now)), in: "room-service") { _ in
                Issue.record("it was not begun")
            })
        letGo.signal()
        #expect(isOver.wait(timeout: .now() + 20) == .success)
        #expect(try recommended() == ["a", "b", "d", "e"])
        #expect(try items.make(.mark(UnavailableItem(itemID: "a", since: now))))
    }
}
