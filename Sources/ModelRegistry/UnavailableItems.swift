package import FoundationEssentials

/// An item taken from sale: sold out, off the menu tonight. Known by ids, so that it outlives every version of a model.
package struct UnavailableItem: Codable, Hashable, Sendable {
    package var itemID: String
    /// The hotel that has none; nil for all of them.
    package var hotelID: String?
    package var since: Date
    /// When it is back by itself; nil for not before somebody says so.
    package var until: Date?

    package init(itemID: String, hotelID: String? = nil, since: Date, until: Date? = nil) {
        self.itemID = itemID
        self.hotelID = hotelID
        self.since = since
        self.until = until
    }

    private enum CodingKeys: String, CodingKey {
        case itemID = "item_id"
        case hotelID = "hotel_id"
        case since, until
    }

    package func isOver(at now: Date) -> Bool { until.map { $0 <= now } ?? false }

    /// Whether both are about the same item in the same place.
    package func isSamePlace(as other: UnavailableItem) -> Bool { itemID == other.itemID && hotelID == other.hotelID }
}

/// `unavailable.json`, beside the aliases: every process that serves the model reads it, whoever wrote it.
///
/// ```
/// {"format":1,"items":[{"item_id":"310","hotel_id":"12","since":"2026-11-22T07:00:00Z","until":"2026-11-22T22:00:00Z"}]}
/// ```
private struct UnavailableFile: Codable {
    var format: Int
    var items: [UnavailableItem]
}

extension Registry {
    /// Marks of one model. An operator who needs more wants another export, not another mark.
    package static let unavailableCountMax = 10_000
    private static let unavailableFormat = 1
    private static let idBytes = 1...256

    /// Every mark of a model in the order in which they were made, also those that are over.
    package func unavailableItems(of model: String) throws(RegistryError) -> [UnavailableItem] {
        try unavailableItems(try unavailableBytes(of: model), of: model)
    }

    /// Reads the bytes of ``unavailableBytes(of:)``: no marks where there is no file. An empty file is none of ours, and a mark may have been
    /// in it.
    package func unavailableItems(_ bytes: [UInt8]?, of model: String) throws(RegistryError) -> [UnavailableItem] {
        guard let bytes else { return [] }
        let path = try unavailableFile(of: model)
        let decoder = registryDecoder()
        let file: UnavailableFile
        do {
            file = try decoder.decode(UnavailableFile.self, from: Data(bytes))
        } catch {
            throw .badUnavailable(path: path, reason: "it is not such a list")
        }
        guard file.format == Self.unavailableFormat else {
            throw .badUnavailable(path: path, reason: "its format is \(file.format), wanted \(Self.unavailableFormat)")
        }
        guard file.items.count <= Self.unavailableCountMax else {
            throw .badUnavailable(
                path: path, reason: "it has \(file.items.count) marks, at most \(Self.unavailableCountMax) are taken")
        }
        for item in file.items {
            guard Self.idBytes.contains(item.itemID.utf8.count),
                Self.idBytes.contains(item.hotelID?.utf8.count ?? 1)
            else { throw .badUnavailable(path: path, reason: "it has an id that is empty or over 256 bytes") }
        }
        return file.items
    }

    /// Takes an item from sale, or changes until when it is: durable when it returns, also when it was so before. Marks that are over go.
    ///
    /// - Returns: all marks from now on.
    /// - Throws: ``RegistryError/locked(path:)`` when another process holds the marks for too long: nothing was changed. After
    ///   ``RegistryError/system(call:path:code:)`` the mark may be there without being durable: repeat it.
    package func mark(_ item: UnavailableItem, unavailableIn model: String) throws(RegistryError) -> [UnavailableItem] {
        try changeUnavailable(of: model, at: item.since) { (items) throws(RegistryError) in
            // A change keeps the time at which it began.
            if let place = items.firstIndex(where: { $0.isSamePlace(as: item) }) {
                items[place].until = item.until
                return
            }
            guard items.count < Self.unavailableCountMax else {
                throw .tooManyUnavailable(model: model, countMax: Self.unavailableCountMax)
            }
            items.append(item)
        }
    }

    /// Puts an item back on sale.
    ///
    /// - Returns: all marks from now on; nil when there was no such mark, which is durable then too.
    package func unmark(
        itemID: String, hotelID: String?, unavailableIn model: String, at now: Date
    ) throws(RegistryError) -> [UnavailableItem]? {
        var found = false
        let left = try changeUnavailable(of: model, at: now) { (items) throws(RegistryError) in
            let before = items.count
            items.removeAll { $0.itemID == itemID && $0.hotelID == hotelID }
            found = items.count < before
        }
        return found ? left : nil
    }

    /// Reads, changes and replaces the marks, without those that are over.
    private func changeUnavailable(
        of model: String, at now: Date, _ change: (inout [UnavailableItem]) throws(RegistryError) -> Void
    ) throws(RegistryError) -> [UnavailableItem] {
        var items: [UnavailableItem] = []
        try updateUnavailable(of: model) { (bytes) throws(RegistryError) in
            let before = try unavailableItems(bytes, of: model)
            items = before.filter { !$0.isOver(at: now) }
            try change(&items)
            return items == before ? nil : Self.bytes(of: items)
        }
        return items
    }

    private static func bytes(of items: [UnavailableItem]) -> [UInt8] {
        let encoder = registryEncoder()
        do {
            return [UInt8](try encoder.encode(UnavailableFile(format: unavailableFormat, items: items)))
                + [UInt8(ascii: "\n")]
        } catch {
            preconditionFailure("BUG: marks that JSON cannot say: \(error)")
        }
    }
}
