import VectorKernels

/// Who shares the reading of the float32 rows, which a ranking by codes competes with.
enum FloatScanCost {
    case alone
    /// Many users of one filter: see ``ScoreTile``.
    case shared

    /// What the score of a row costs, in rows of codes; docs/engine.md, "What is read" and "Bulk", has the figures behind it.
    ///
    /// - Parameter isCached: see ``areCodesCached(itemCount:factorCount:)``.
    fileprivate func rowsPerRow(isCached: Bool) -> Double {
        switch self {
        case .alone: 6
        case .shared: isCached ? 1.6 : 0.75
        }
    }

    /// Whether a cache holds the codes of so many items. Once it does not, user after user waits for memory, and those who share the rows do
    /// not.
    static func areCodesCached(itemCount: Int, factorCount: Int) -> Bool {
        // Half of the last-level cache of a small server; two codes a byte.
        itemCount * factorCount / 2 <= 16 << 20
    }
}

extension ModelSnapshot {
    /// Ranks by x·yᵢ, reading the items in 4-bit codes: the ids, their order and every bit of the scores are those of a ranking by
    /// the float32 factors (docs/kernels.md has the proof).
    ///
    /// - Returns: false, with nothing kept, when the codes are not there yet or reading the float32 rows of the items that pass is
    ///   the shorter way: see docs/engine.md, "What is read".
    /// - Complexity: besides the ranking, a few nanoseconds for each item denied, unavailable or seen.
    func rankByCodes(
        _ vector: Span<Float>, _ query: RecommendationQuery, _ scratch: RecommendationScratch,
        insteadOf cost: FloatScanCost = .alone
    ) -> Bool {
        guard query.filter.allow == nil, let coded = codedItems.ifMade,
            let choice = choice(query, coded, scratch)
        else { return false }
        // Taken out of the scratch while it is filled and read: an array in a class is asked for access at every write.
        var excluded = PlaceSet(placeCount: 0)
        swap(&excluded, &scratch.shared.excludedPlaces)
        excluded.reserve(itemCount)
        let places = coded.places
        var hasExcluded = false
        forEachExcluded(query) { row in
            excluded.insert(places[Int(row)])
            hasExcluded = true
        } list: { rows in
            places.withSpan { excluded.insert(rows, at: $0) }
            hasExcluded = hasExcluded || !rows.isEmpty
        }
        let filter = PlaceFilter(
            allowed: choice.hotels, alsoAllowed: choice.departments, excluded: hasExcluded ? excluded : nil)
        let isFound = rank(vector, query, coded, choice, filter, cost, scratch)
        if hasExcluded {
            forEachExcluded(query) { row in
                excluded.remove(places[Int(row)])
            } list: { rows in
                places.withSpan { excluded.remove(rows, at: $0) }
            }
        }
        swap(&excluded, &scratch.shared.excludedPlaces)
        if isFound { scratch.best.sortBestFirst() } else { scratch.best.reset(k: scratch.wanted) }
        return isFound
    }

    /// What the query's conditions on hotels and departments leave; nil when that is better scored one by one.
    private func choice(
        _ query: RecommendationQuery, _ coded: CodedItems, _ scratch: RecommendationScratch
    ) -> CodedItems.Choice? {
        // Without any the filter, whose lists would be counted, is not looked into.
        if query.filter.hotels == nil, query.filter.departments == nil {
            return CodedItems.Choice(soldCount: itemCount, servedCount: itemCount)
        }
        return coded.choice(query.filter, self, room: &scratch.shared.choiceRoom)
    }

    private func rank(
        _ vector: Span<Float>, _ query: RecommendationQuery, _ coded: CodedItems, _ choice: CodedItems.Choice,
        _ places: PlaceFilter, _ cost: FloatScanCost, _ scratch: RecommendationScratch
    ) -> Bool {
        let test = query.filter.asksForAttributes ? test(query.filter, choice, scratch) : nil
        func passes(_ row: UInt32) -> Bool { test?.passes(Int(row), columns, scratch) ?? true }
        let isFound = withItemFactors { matrix in
            guard let effort = effort(choice, cost, wanted: scratch.wanted, asksRows: test != nil) else {
                return false
            }
            guard test != nil else {
                return Kernels.best.topK(
                    vector, matrix, coded.items, scratch: scratch.shared.codes, into: &scratch.best, filter: places,
                    effort: effort)
            }
            return Kernels.best.topK(
                vector, matrix, coded.items, scratch: scratch.shared.codes, into: &scratch.best, filter: places,
                asksRows: true, effort: effort, where: passes)
        }
        guard !isFound, choice.departments != nil, cost == .alone else { return isFound }
        // The set names the rows that pass, where a look at every item's department would find them.
        scratch.best.reset(k: scratch.wanted)
        withItemFactors { matrix in
            Kernels.best.scoreAll(
                vector, matrix, coded.items, scratch: scratch.shared.codes, into: &scratch.best, filter: places,
                where: passes)
        }
        return true
    }

    /// The conditions on attributes that the sets of a choice do not answer; nil for none.
    private func test(
        _ filter: ItemFilter, _ choice: CodedItems.Choice, _ scratch: RecommendationScratch
    ) -> AttributeTest? {
        var left = filter
        if !choice.testsDepartments { left.departments = nil }
        return left.asksForAttributes ? AttributeTest(left, columns, scratch) : nil
    }

    /// What a scan may cost before the float32 rows are the shorter way; nil when they are from the start.
    private func effort(
        _ choice: CodedItems.Choice, _ cost: FloatScanCost, wanted: Int, asksRows: Bool
    ) -> ScanEffort? {
        // A long answer from few items scores most of them, by whichever way; few items are looked at sooner than asked for.
        guard choice.servedCount >= 32 * wanted, !asksRows || choice.servedCount >= Self.askedItemsMin else {
            return nil
        }
        // What floats cost: the attributes of the items that are sold, and the score of every one that passes.
        let looks = asksRows ? attributeEffort * Double(choice.servedCount) : 0
        let isCached = FloatScanCost.areCodesCached(itemCount: choice.servedCount, factorCount: factorCount)
        let scores = cost.rowsPerRow(isCached: isCached) * Double(choice.servedCount)
        return ScanEffort(rowsMax: Int(asksRows ? looks : scores), rowsMaxIfAllPass: Int(looks + scores))
    }

    private static let askedItemsMin = 16_384

    /// What looking at the price and department of a row costs, the rows in a row, in rows of codes: a nanosecond.
    private var attributeEffort: Double { 128 / Double(factorCount) }
}
