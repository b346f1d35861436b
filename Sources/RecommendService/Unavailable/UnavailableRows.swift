import FactorModel
import ModelRegistry

/// The items that are not to be had, as rows of one model version: what the marks of ``ModelRegistry/UnavailableItem`` mean to it.
///
/// An item of several hotels that one of them has run out of is still recommended where another of the hotels asked for sells it.
final class UnavailableRows: Sendable {
    static let none = UnavailableRows()

    /// Gone whatever the filter: marked everywhere, or in each hotel that sells them.
    let everywhere: [ItemIndex]
    /// Ascending, by hotel; without those of `everywhere`.
    private let byHotel: [HotelIndex: [ItemIndex]]

    private init() {
        everywhere = []
        byHotel = [:]
    }

    /// - Parameter marks: those that are in force. Ids that the version does not know mean nothing to it.
    /// - Complexity: O(marks + item-hotel pairs of the model); for changes, not for requests.
    init(_ marks: [UnavailableItem], _ snapshot: ModelSnapshot) {
        var gone: Set<ItemIndex> = []
        var local: [HotelIndex: Set<ItemIndex>] = [:]
        for mark in marks {
            guard let item = snapshot.item(id: mark.itemID) else { continue }
            if let hotelID = mark.hotelID {
                if let hotel = snapshot.hotel(id: hotelID) { local[hotel, default: []].insert(item) }
            } else {
                gone.insert(item)
            }
        }
        if !local.isEmpty { gone.formUnion(Self.soldOutInAllTheirHotels(local, snapshot)) }
        everywhere = gone.sorted()
        byHotel = local.mapValues { $0.subtracting(gone).sorted() }.filter { !$0.value.isEmpty }
    }

    private static func soldOutInAllTheirHotels(
        _ local: [HotelIndex: Set<ItemIndex>], _ snapshot: ModelSnapshot
    ) -> Set<ItemIndex> {
        var soldOut = local.values.reduce(into: Set<ItemIndex>()) { $0.formUnion($1) }
        for hotel in (0..<snapshot.hotelCount).map({ HotelIndex($0) }) {
            let marked = local[hotel] ?? []
            snapshot.withItems(of: hotel) { rows in
                for place in rows.indices {
                    let item = ItemIndex(Int(rows[place]))
                    if !marked.contains(item) { soldOut.remove(item) }
                }
            }
        }
        // An item that no hotel sells has no hotel to run out of it.
        return soldOut
    }

    var isEmpty: Bool { everywhere.isEmpty && byHotel.isEmpty }
    /// Whether an item is gone at one hotel and not at all of its own.
    var areLocal: Bool { !byHotel.isEmpty }

    /// Calls `deny` for every item that a request within these hotels must not see.
    ///
    /// - Parameter hotels: as in ``FactorModel/ItemFilter/hotels``.
    func forEachItem(within hotels: [HotelIndex], _ snapshot: ModelSnapshot, _ deny: (ItemIndex) -> Void) {
        for item in everywhere { deny(item) }
        guard let first = hotels.first else { return }
        if hotels.count == 1 {
            for item in byHotel[first] ?? [] { deny(item) }
            return
        }
        for hotel in hotels {
            // An item marked in several of the hotels is denied several times: the filter takes that.
            for item in byHotel[hotel] ?? [] where !isSold(item, byOneOf: hotels, snapshot) { deny(item) }
        }
    }

    /// Whether one of the hotels sells the item and has some.
    private func isSold(_ item: ItemIndex, byOneOf hotels: [HotelIndex], _ snapshot: ModelSnapshot) -> Bool {
        hotels.contains { hotel in
            let sells = snapshot.withItems(of: hotel) { rows in
                let place = firstPlace(in: rows, notBelow: UInt32(item.row))
                return place < rows.count && rows[place] == UInt32(item.row)
            }
            return sells && !(byHotel[hotel]?.contains(item) ?? false)
        }
    }
}
