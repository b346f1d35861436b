extension ModelSnapshot {
    /// Calls with every row that passes the filter, ascending and once each, in pieces: runs of consecutive rows by `range`, chosen
    /// rows by `list`. What is denied or seen is still among them: ``withExcluded(_:also:_:_:)``.
    ///
    /// The narrowest list leads: allowed rows, else the hotels' items, which lie together, else all rows. Attributes are looked at
    /// for the rows of that list only.
    ///
    /// - Complexity: O(rows of the leading list), 12 bytes read a row when there are conditions on attributes.
    func forEachCandidate(
        _ filter: ItemFilter, _ scratch: RecommendationScratch, range: (Range<Int>) -> Void,
        list: (Span<UInt32>) -> Void
    ) {
        guard filter.asksForAttributes else {
            return forEachListed(filter, scratch, range: range, list: list)
        }
        let test = AttributeTest(filter, columns, scratch)
        var count = 0
        forEachListed(
            filter, scratch,
            range: { rows in
                for first in stride(from: rows.lowerBound, to: rows.upperBound, by: RecommendationScratch.blockRows) {
                    let end = min(first + RecommendationScratch.blockRows, rows.upperBound)
                    if count + (end - first) > RecommendationScratch.blockRows {
                        scratch.withPassing(count, list)
                        count = 0
                    }
                    count = scratch.withPassing { test.keep(first..<end, columns, scratch, in: &$0, from: count) }
                }
            },
            list: { rows in
                for first in stride(from: 0, to: rows.count, by: RecommendationScratch.blockRows) {
                    let some = rows.extracting(first..<min(first + RecommendationScratch.blockRows, rows.count))
                    if count + some.count > RecommendationScratch.blockRows {
                        scratch.withPassing(count, list)
                        count = 0
                    }
                    count = scratch.withPassing { test.keep(some, columns, scratch, in: &$0, from: count) }
                }
            })
        if count > 0 { scratch.withPassing(count, list) }
    }

    /// The same without the conditions on attributes.
    private func forEachListed(
        _ filter: ItemFilter, _ scratch: RecommendationScratch, range: (Range<Int>) -> Void,
        list: (Span<UInt32>) -> Void
    ) {
        if let allow = filter.allow {
            scratch.shared.marks.reserve(itemCount)
            for item in allow { scratch.shared.marks.insert(checkedRow(item)) }
            scratch.shared.marks.drain(into: &scratch.shared.allowed)
            if let hotels = filter.hotels {
                withItems(ofAnyOf: hotels, scratch) { keepCommon(&scratch.shared.allowed, $0) }
            }
            let allowed = scratch.shared.allowed
            if !allowed.isEmpty { list(allowed.span) }
        } else if let hotels = filter.hotels {
            withItems(ofAnyOf: hotels, scratch, list)
        } else {
            range(0..<itemCount)
        }
    }

    /// Lends the rows of the items that at least one of the hotels sells, ascending and once each.
    ///
    /// One hotel's are lent as they lie in the file. Several are marked, one bit an item, and read off in order.
    private func withItems(
        ofAnyOf hotels: [HotelIndex], _ scratch: RecommendationScratch, _ body: (Span<UInt32>) -> Void
    ) {
        if hotels.count == 1 { return withItems(of: hotels[0], body) }
        scratch.shared.marks.reserve(itemCount)
        for hotel in hotels { withItems(of: hotel) { scratch.shared.marks.insert($0) } }
        scratch.shared.marks.drain(into: &scratch.shared.sold)
        let sold = scratch.shared.sold
        body(sold.span)
    }

    /// Lends the rows to leave out, ascending: what the filter denies, what is unavailable, what the user has seen when the query
    /// asks to leave it out, and one item `also`.
    func withExcluded(
        _ query: RecommendationQuery, also item: ItemIndex? = nil, _ scratch: RecommendationScratch,
        _ body: (Span<UInt32>) -> Void
    ) {
        if query.filter.deny.isEmpty, query.filter.unavailable.isEmpty, item == nil {
            guard query.excludeSeen, let user = query.user else { return body(Span()) }
            return withHistory(user) { items, _ in body(items) }
        }
        gatherExcluded(query, also: item, scratch)
        let excluded = scratch.excluded
        body(excluded.span)
    }

    /// Writes the same rows to `scratch.excluded`.
    func gatherExcluded(
        _ query: RecommendationQuery, also item: ItemIndex? = nil, _ scratch: RecommendationScratch
    ) {
        scratch.shared.marks.reserve(itemCount)
        if let item { scratch.shared.marks.insert(checkedRow(item)) }
        forEachExcluded(query) {
            scratch.shared.marks.insert($0)
        } list: {
            scratch.shared.marks.insert($0)
        }
        scratch.shared.marks.drain(into: &scratch.excluded)
    }

    /// Calls with the same rows in any order, some perhaps several times: one by one with what is denied or unavailable, with all
    /// that the user has seen as a `list`.
    func forEachExcluded(_ query: RecommendationQuery, _ body: (UInt32) -> Void, list: (Span<UInt32>) -> Void) {
        for item in query.filter.deny { body(checkedRow(item)) }
        for item in query.filter.unavailable { body(checkedRow(item)) }
        guard query.excludeSeen, let user = query.user else { return }
        withHistory(user) { items, _ in list(items) }
    }

    func checkedRow(_ item: ItemIndex) -> UInt32 {
        precondition(item.row >= 0 && item.row < itemCount, "BUG: item row \(item.row) of \(itemCount)")
        return UInt32(item.row)
    }
}

/// The conditions on an item's attributes, made once for a request.
struct AttributeTest {
    private let lowest: Int64
    private let highest: Int64
    private let asksForPrice: Bool
    private let asksForDepartment: Bool

    init(_ filter: ItemFilter, _ columns: ModelColumns, _ scratch: RecommendationScratch) {
        // An unknown price is stored as -1, so a lowest of 0 keeps it out of any bounds.
        lowest = max(filter.minPrice ?? 0, 0)
        highest = filter.maxPrice ?? .max
        asksForPrice = filter.minPrice != nil || filter.maxPrice != nil
        asksForDepartment = filter.departments != nil
        guard let departments = filter.departments else { return }
        let count = columns.departmentIDs.count
        if scratch.shared.departments.count < count {
            scratch.shared.departments += [Bool](repeating: false, count: count - scratch.shared.departments.count)
        }
        for row in scratch.shared.departments.indices { scratch.shared.departments[row] = false }
        for department in departments {
            precondition(department.row >= 0 && department.row < count, "BUG: no such department")
            scratch.shared.departments[department.row] = true
        }
    }

    /// Writes those of `rows` that pass to `kept` from place `count` on, which has room for all of them.
    ///
    /// - Returns: the place behind the last one.
    func keep(
        _ rows: Range<Int>, _ columns: ModelColumns, _ scratch: RecommendationScratch,
        in kept: inout MutableSpan<UInt32>, from count: Int
    ) -> Int {
        var count = count
        for row in rows {
            // Written always and counted when it passes: no branch to be guessed wrong.
            kept[count] = UInt32(row)
            count += passes(row, columns, scratch) ? 1 : 0
        }
        return count
    }

    func keep(
        _ rows: Span<UInt32>, _ columns: ModelColumns, _ scratch: RecommendationScratch,
        in kept: inout MutableSpan<UInt32>, from count: Int
    ) -> Int {
        var count = count
        for place in rows.indices {
            kept[count] = rows[place]
            count += passes(Int(rows[place]), columns, scratch) ? 1 : 0
        }
        return count
    }

    func passes(_ row: Int, _ columns: ModelColumns, _ scratch: RecommendationScratch) -> Bool {
        if asksForPrice {
            let price = columns.itemPrice[row]
            if price < lowest || price > highest { return false }
        }
        if asksForDepartment {
            let department = columns.itemDepartment[row]
            return department != ModelTensors.noDepartment && scratch.shared.departments[Int(department)]
        }
        return true
    }
}

/// Keeps the rows that are in `others` too. Both ascend.
private func keepCommon(_ rows: inout [UInt32], _ others: Span<UInt32>) {
    var kept = 0
    for place in rows.indices {
        let row = rows[place]
        let found = firstPlace(in: others, notBelow: row)
        if found < others.count, others[found] == row {
            rows[kept] = row
            kept += 1
        }
    }
    rows.removeLast(rows.count - kept)
}
