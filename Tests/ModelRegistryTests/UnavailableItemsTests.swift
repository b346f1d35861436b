import Foundation
import ModelRegistry
import TestSupport
import Testing

@Suite("Unavailable items in the registry") struct UnavailableItemsTests {
    private let directory: TemporaryDirectory
    private let registry: Registry
    private let noon = Date(timeIntervalSince1970: 1_800_000_000)

    init() throws {
        directory = try TemporaryDirectory()
        registry = Registry(path: directory.path)
        _ = try registry.publishSample()
    }

    private var file: String { directory.file("guests/unavailable.json") }

    private func mark(_ item: String, _ hotel: String? = nil, until: Date? = nil) throws -> [UnavailableItem] {
        try registry.mark(
            UnavailableItem(itemID: item, hotelID: hotel, since: noon, until: until), unavailableIn: "guests")
    }

    @Test("what was marked is read back by another registry value, in order")
    func roundTrip() throws {
        let end = noon.addingTimeInterval(3600)
        _ = try mark("310")
        let marks = try mark("7", "12", until: end)
        #expect(
            marks == [
                UnavailableItem(itemID: "310", since: noon),
                UnavailableItem(itemID: "7", hotelID: "12", since: noon, until: end),
            ])
        #expect(try Registry(path: directory.path).unavailableItems(of: "guests") == marks)
    }

    @Test("marking again changes the end and keeps the beginning; another hotel is another mark")
    func again() throws {
        _ = try mark("310", "12")
        let later = UnavailableItem(
            itemID: "310", hotelID: "12", since: noon.addingTimeInterval(60), until: noon.addingTimeInterval(600))
        let marks = try registry.mark(later, unavailableIn: "guests")
        #expect(marks.map(\.since) == [noon])
        #expect(marks.map(\.until) == [later.until])
        #expect(try mark("310").count == 2)
    }

    @Test("marks that are over go with the next change, not before")
    func over() throws {
        _ = try mark("310", until: noon.addingTimeInterval(10))
        let late = noon.addingTimeInterval(10)
        #expect(try registry.unavailableItems(of: "guests").count == 1)
        let left = try registry.mark(UnavailableItem(itemID: "7", since: late), unavailableIn: "guests")
        #expect(left.map(\.itemID) == ["7"])
    }

    @Test("taking back says whether there was such a mark, and writes nothing when there was not")
    func unmark() throws {
        _ = try mark("310", "12")
        let before = try registry.unavailableBytes(of: "guests")
        #expect(try registry.unmark(itemID: "310", hotelID: nil, unavailableIn: "guests", at: noon) == nil)
        #expect(try registry.unavailableBytes(of: "guests") == before)
        #expect(try registry.unmark(itemID: "310", hotelID: "12", unavailableIn: "guests", at: noon) == [])
    }

    @Test("the bound on marks is a bound; a change of one that is there still goes")
    func bound() throws {
        let items = (0..<Registry.unavailableCountMax).map { UnavailableItem(itemID: "\($0)", since: noon) }
        try write(items)
        #expect(throws: RegistryError.tooManyUnavailable(model: "guests", countMax: 10_000)) { _ = try mark("new") }
        #expect(try mark("17", until: noon.addingTimeInterval(1)).count == 10_000)
        try write(items + [UnavailableItem(itemID: "more", since: noon)])
        #expect(throws: RegistryError.self) { try registry.unavailableItems(of: "guests") }
    }

    private func write(_ items: [UnavailableItem]) throws {
        let entries = items.map { "{\"item_id\":\"\($0.itemID)\",\"since\":\"2027-01-15T08:00:00Z\"}" }
        try Data("{\"format\":1,\"items\":[\(entries.joined(separator: ","))]}".utf8)
            .write(to: URL(fileURLWithPath: file))
    }

    @Test(
        "a damaged file is said to be one, and never written over",
        arguments: [
            "{", "[]", "{\"format\":2,\"items\":[]}", "{\"format\":1}",
            "{\"format\":1,\"items\":[{\"item_id\":\"\",\"since\":\"2027-01-15T08:00:00Z\"}]}",
            "{\"format\":1,\"items\":[{\"item_id\":\"a\",\"hotel_id\":\"\",\"since\":\"2027-01-15T08:00:00Z\"}]}",
            "{\"format\":1,\"items\":[{\"item_id\":\"a\",\"since\":\"noon\"}]}",
        ])
    func damaged(_ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        for attempt in [{ try registry.unavailableItems(of: "guests") }, { try mark("310") }] {
            let error = #expect(throws: RegistryError.self) { _ = try attempt() }
            guard case .badUnavailable(file, _)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == text)
    }

    @Test("who finds the marks locked gives up in a moment and has changed nothing", .timeLimit(.minutes(1)))
    func locked() throws {
        _ = try mark("310")
        let lock = directory.file("guests/.unavailable.lock")
        try withLock(lock) {
            #expect(throws: RegistryError.locked(path: lock)) { _ = try mark("7") }
        }
        #expect(try mark("8").map(\.itemID) == ["310", "8"])
    }

    @Test(
        "a lock that another process makes and takes at the same time is waited for no longer", .timeLimit(.minutes(1)))
    func lockMadeMeanwhile() throws {
        let lock = directory.file("guests/.unavailable.lock")
        try Data().write(to: URL(filePath: lock))
        let late = Registry(path: directory.path, fileSystem: FailingFileSystem(lateName: ".unavailable.lock"))
        try withLock(lock) {
            #expect(throws: RegistryError.locked(path: lock)) {
                _ = try late.mark(UnavailableItem(itemID: "7", since: noon), unavailableIn: "guests")
            }
        }
        #expect(try registry.unavailableBytes(of: "guests") == nil)
    }

    @Test("many writers at once lose nobody's mark", .timeLimit(.minutes(1)))
    func writers() throws {
        let registry = registry
        let noon = noon
        DispatchQueue.concurrentPerform(iterations: 8) { writer in
            for number in 0..<5 {
                let item = UnavailableItem(itemID: "\(writer)-\(number)", since: noon)
                while (try? registry.mark(item, unavailableIn: "guests")) == nil {}
            }
        }
        #expect(Set(try registry.unavailableItems(of: "guests").map(\.itemID)).count == 40)
    }
}
