import VectorKernels

/// The item factors in 4-bit codes, and what lets a ranking with filters read them: see docs/engine.md, "What is read".
///
/// Made from a snapshot by ``ModelSnapshot/prepare()``. Immutable; an object, so that a request counts one reference and not five.
final class CodedItems: Sendable {
    let items: QuantizedItems
    /// [items], the place of each row among the codes.
    let places: [UInt32]
    /// [hotels], where a hotel's items lie; nil for a hotel whose rows are sooner scored than searched.
    private let hotels: [PlaceSet?]
    /// [departments], where a department's items lie; nil for a small one among many.
    private let departments: [PlaceSet?]
    /// [departments]
    private let departmentCounts: [Int]

    /// Codes the items of a model that has any.
    init(_ model: ModelSnapshot) {
        let items = model.withItemFactors { Kernels.best.quantize($0, factorCount: model.factorCount) }
        let places = items.placesOfRows()
        self.items = items
        self.places = places
        hotels = (0..<model.hotelCount).map { hotel in
            model.withItems(of: HotelIndex(hotel)) { rows in
                guard Self.hotelHasSet(itemCount: rows.count, model) else { return nil }
                var set = PlaceSet(placeCount: places.count)
                for i in rows.indices { set.insert(places[Int(rows[i])]) }
                return set
            }
        }
        (departments, departmentCounts) = Self.departmentSets(model, places)
    }

    /// So few rows that their float32 scores take as long as coding the query and finding a first threshold have none. A set takes a
    /// bit for each item of the model: with the second bound at most 16 bytes for each of the hotel's.
    private static func hotelHasSet(itemCount: Int, _ model: ModelSnapshot) -> Bool {
        itemCount >= 256 && itemCount * model.factorCount >= 65_536 && itemCount * 128 >= model.itemCount
    }

    /// All departments when there are at most 64, else the at most 64 that are large enough: 8 bytes an item.
    private static func departmentSets(
        _ model: ModelSnapshot, _ places: [UInt32]
    ) -> (sets: [PlaceSet?], counts: [Int]) {
        var counts = [Int](repeating: 0, count: model.departmentCount)
        let column = model.columns.itemDepartment
        for row in places.indices where column[row] != ModelTensors.noDepartment { counts[Int(column[row])] += 1 }
        var sets = counts.map { count in
            counts.count <= 64 || count * 64 >= places.count ? PlaceSet(placeCount: places.count) : nil
        }
        for row in places.indices where column[row] != ModelTensors.noDepartment {
            sets[Int(column[row])]?.insert(places[row])
        }
        return (sets, counts)
    }

    // MARK: What a filter leaves

    /// The places that a scan may keep.
    struct Choice {
        /// The hotels' items, nil for all.
        var hotels: PlaceSet?
        /// The departments' items, nil for all, or when they have to be looked up item by item.
        var departments: PlaceSet?
        /// How many items the hotels sell, at most.
        var soldCount: Int
        /// About how many of those the departments serve: what is to be expected if one does not depend on the other.
        var servedCount: Int
        var testsDepartments = false
    }

    /// What the conditions on hotels and departments leave.
    ///
    /// - Parameter room: for the sets of several. The choice may share it: a choice is done with before the next is made, or there is
    ///   a copy.
    /// - Returns: nil when all named hotels are small, so that their rows are better scored one by one.
    func choice(_ filter: ItemFilter, _ model: ModelSnapshot, room: inout ChoiceRoom) -> Choice? {
        let all = places.count
        var choice = Choice(soldCount: all, servedCount: all)
        if let wanted = filter.hotels {
            guard let set = hotelSet(wanted, model, &room.hotels) else { return nil }
            choice.hotels = set
            choice.soldCount = min(
                wanted.reduce(0) { sum, hotel in sum + model.withItems(of: hotel) { $0.count } }, all)
        }
        choice.servedCount = choice.soldCount
        if let wanted = filter.departments {
            choice.departments = departmentSet(wanted, &room.departments)
            choice.testsDepartments = choice.departments == nil
            let served = min(wanted.reduce(0) { $0 + departmentCounts[$1.row] }, all)
            choice.servedCount = Int(Double(choice.soldCount) * Double(served) / Double(all))
        }
        return choice
    }

    private func departmentSet(_ wanted: [DepartmentIndex], _ room: inout PlaceSet) -> PlaceSet? {
        if wanted.count == 1 { return departments[wanted[0].row] }
        guard wanted.allSatisfy({ departments[$0.row] != nil }) else { return nil }
        room.reserve(places.count)
        room.removeAll()
        for department in wanted {
            if let set = departments[department.row] { room.formUnion(set) }
        }
        return room
    }

    private func hotelSet(_ wanted: [HotelIndex], _ model: ModelSnapshot, _ room: inout PlaceSet) -> PlaceSet? {
        if wanted.count == 1 { return hotels[wanted[0].row] }
        guard wanted.contains(where: { hotels[$0.row] != nil }) else { return nil }
        room.reserve(places.count)
        room.removeAll()
        for hotel in wanted {
            if let set = hotels[hotel.row] {
                room.formUnion(set)
            } else {
                model.withItems(of: hotel) { rows in
                    for i in rows.indices { room.insert(places[Int(rows[i])]) }
                }
            }
        }
        return room
    }
}

/// Room for the sets of a choice.
struct ChoiceRoom {
    var hotels = PlaceSet(placeCount: 0)
    var departments = PlaceSet(placeCount: 0)
}
