import ArgumentParser
import HTTPMessages
import RecommendService

/// What to recommend to whom: the parameters of `POST /recommend` as options, by their own names.
struct RecommendOptions: ParsableArguments {
    @Option(help: "User id, 1 to 256 bytes.")
    var user: String

    @Option(name: [.customShort("k"), .customLong("k")], help: "Items, 1 to 1000.")
    var k = 10

    @Option(help: "Ranks to skip, 0 to 10000.")
    var offset = 0

    @Option(help: "Only items that this hotel sells; repeatable, at most 1000.")
    var hotel: [String] = []

    @Option(help: "Only items that this department serves; repeatable, at most 1000.")
    var department: [String] = []

    @Option(help: "Only items that cost at least this, 0 to 999999999999999.")
    var minPrice: Int?

    @Option(help: "Only items that cost at most this, 0 to 999999999999999.")
    var maxPrice: Int?

    @Option(help: "Only these items: ids joined by commas; repeatable, at most 1000 ids.")
    var allow: [String] = []

    @Option(help: "Never these items: ids joined by commas; repeatable, at most 1000 ids.")
    var deny: [String] = []

    @Option(
        help: ArgumentHelp(
            "What the guest is about to order: ITEM, or ITEM:COUNT with a count of 1 to 10000; repeatable, at most 1000.",
            discussion: "An id with a colon in it needs its count. In NEXTLOOP_BASKET entries are joined by commas.",
            valueName: "item[:count]"))
    var basket: [String] = []

    @Flag(help: "Leave out what the user already ordered.")
    var excludeSeen = false

    @Flag(help: "Fail with exit code 66 for an unknown user instead of falling back.")
    var strict = false

    @Flag(help: "Say for each item which items of the history or basket carried its score.")
    var explain = false

    func validate() throws {
        guard (1...256).contains(user.utf8.count) else {
            throw ValidationError("--user has \(user.utf8.count) bytes; wanted 1 to 256.")
        }
        guard (1...1000).contains(k) else { throw ValidationError("-k is \(k); wanted 1 to 1000.") }
        guard (0...10_000).contains(offset) else { throw ValidationError("--offset is \(offset); wanted 0 to 10000.") }
        for entry in basket where Self.parts(ofBasketEntry: entry) == nil {
            throw ValidationError(
                "--basket \(withoutControls(entry)) has no number behind its last colon; wanted ITEM or ITEM:COUNT.")
        }
    }

    /// The request as the JSON object that `POST /recommend` takes: one reader checks both.
    func object() -> ByteBuffer {
        var text = ByteBuffer(capacity: 1024)
        text.append("{\"user_id\":" as StaticString)
        text.appendJSONString(user)
        Self.append("k", k, to: &text)
        Self.append("offset", offset, to: &text)
        if let minPrice { Self.append("min_price", minPrice, to: &text) }
        if let maxPrice { Self.append("max_price", maxPrice, to: &text) }
        Self.append("hotel_id", hotel, to: &text)
        Self.append("department_id", department, to: &text)
        Self.append("allow", Self.ids(allow), to: &text)
        Self.append("deny", Self.ids(deny), to: &text)
        for (name, flag) in [("exclude_seen", excludeSeen), ("strict", strict), ("explain", explain)] where flag {
            text.append(",\"\(name)\":true")
        }
        appendBasket(to: &text)
        text.append(UInt8(ascii: "}"))
        return text
    }

    private func appendBasket(to text: inout ByteBuffer) {
        if basket.isEmpty { return }
        text.append(",\"basket\":[" as StaticString)
        for (place, entry) in basket.enumerated() {
            guard let (item, count) = Self.parts(ofBasketEntry: entry) else { continue }  // validate() threw.
            if place > 0 { text.append(UInt8(ascii: ",")) }
            text.append("{\"item_id\":" as StaticString)
            text.appendJSONString(item)
            text.append(",\"count\":\(count)}")
        }
        text.append(UInt8(ascii: "]"))
    }

    private static func append(_ name: String, _ number: Int, to text: inout ByteBuffer) {
        text.append(",\"\(name)\":\(number)")
    }

    /// A list that was not given is no filter; an empty one would be.
    private static func append(_ name: String, _ ids: [String], to text: inout ByteBuffer) {
        if ids.isEmpty { return }
        text.append(",\"\(name)\":[")
        for (place, id) in ids.enumerated() {
            if place > 0 { text.append(UInt8(ascii: ",")) }
            text.appendJSONString(id)
        }
        text.append(UInt8(ascii: "]"))
    }

    /// As a query of GET: split at every comma, so that an empty id is an error and not passed over.
    private static func ids(_ values: [String]) -> [String] {
        values.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
    }

    /// `310` or `310:2`; nil when what stands behind the last colon is no number. Leading zeros are cut: JSON has none.
    private static func parts(ofBasketEntry entry: String) -> (item: String, count: String)? {
        guard let colon = entry.lastIndex(of: ":") else { return (entry, "1") }
        let digits = entry[entry.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        let count = digits.drop { $0 == "0" }
        return (String(entry[..<colon]), count.isEmpty ? "0" : String(count))
    }
}
