import VectorKernels

extension ModelColumns {
    /// Looks at every value, so that whatever reads the columns later may rely on the rules of the format.
    ///
    /// The columns are cut into pieces that do not depend on each other and run on as many threads as asked for. The first failure in
    /// the order below is the one that is thrown, whichever came first, so the number of threads does not show.
    func validate(threads: Int) throws(ModelFileError) {
        var checks = ModelChecks()
        let idBytes = 1...ModelLimits.idBytesMax
        addTexts(userIDs.texts, ModelTensors.userIDs, idBytes, &checks)
        addTexts(itemIDs.texts, ModelTensors.itemIDs, idBytes, &checks)
        addTexts(hotelIDs.texts, ModelTensors.hotelIDs, idBytes, &checks)
        addTexts(departmentIDs, ModelTensors.departmentIDs, idBytes, &checks)
        addTexts(itemNames, ModelTensors.itemNames, 0...ModelLimits.nameBytesMax, &checks)
        addRows(historyStarts, ModelTensors.historyStarts, historyItems, ModelTensors.historyItems, &checks)
        addRows(hotelStarts, ModelTensors.hotelStarts, hotelItems, ModelTensors.hotelItems, &checks)
        checks.add(historyStrengths.count) { range throws(ModelFileError) in
            try historyStrengths.check(range, ModelTensors.historyStrengths, "not positive and finite") {
                $0.isFinite && $0 > 0
            }
        }
        addAttributes(&checks)
        checks.add { () throws(ModelFileError) in try checkPopularityOrder() }
        for (matrix, name) in [(itemFactors, ModelTensors.itemFactors), (userFactors, ModelTensors.userFactors)] {
            checks.add(matrix.count / factorCount, piece: ModelChecks.pieceCount / factorCount) {
                range throws(ModelFileError) in try checkNorms(matrix, name, range, factorCount)
            }
        }
        try checks.run(threads: threads)

        // These compare texts, so the texts have to be sound first.
        var lookups = ModelChecks()
        addLookups(userIDs, ModelTensors.userIDs, &lookups)
        addLookups(itemIDs, ModelTensors.itemIDs, &lookups)
        addLookups(hotelIDs, ModelTensors.hotelIDs, &lookups)
        lookups.add { () throws(ModelFileError) in try checkDepartmentOrder() }
        try lookups.run(threads: threads)
    }

    // MARK: Texts

    /// Offsets begin at 0, never fall, end with the bytes, and cut valid UTF-8 between characters.
    private func addTexts(_ texts: TextColumn, _ name: String, _ length: ClosedRange<Int>, _ checks: inout ModelChecks)
    {
        checks.add { () throws(ModelFileError) in
            try checkEnds(texts.offsets, ModelTensors.offsets(name), wanted: texts.bytes.count)
        }
        checks.add(texts.count) { range throws(ModelFileError) in try checkTexts(texts, name, length, range) }
    }

    private func checkTexts(
        _ texts: TextColumn, _ name: String, _ length: ClosedRange<Int>, _ range: Range<Int>
    ) throws(ModelFileError) {
        let byteCount = UInt64(texts.bytes.count)
        var begin = texts.offsets[range.lowerBound]
        let first = begin
        for index in range {
            let end = texts.offsets[index + 1]
            guard begin <= end, end <= byteCount, length.contains(Int(end - begin)) else {
                throw .badValue(
                    tensor: ModelTensors.offsets(name), index: index,
                    reason:
                        "text from \(begin) to \(end) of \(byteCount), wanted \(length.lowerBound) to \(length.upperBound) bytes"
                )
            }
            // 10xxxxxx continues a character. With all the bytes valid, so is each text that begins at a character.
            if begin < end, texts.bytes[Int(begin)] & 0xC0 == 0x80 {
                throw .badValue(
                    tensor: ModelTensors.bytes(name), index: Int(begin), reason: "a text begins inside a character")
            }
            begin = end
        }
        let isUTF8 = texts.bytes.withSpan(of: Int(first)..<Int(begin)) { (try? UTF8Span(validating: $0)) != nil }
        guard isUTF8 else {
            throw .badValue(
                tensor: ModelTensors.bytes(name), index: Int(first), reason: "not UTF-8 at or after this byte")
        }
    }

    /// Every id finds itself, and the table holds nothing else: so no id is there twice and none is missing.
    private func addLookups(_ ids: IDColumn, _ name: String, _ checks: inout ModelChecks) {
        checks.add { () throws(ModelFileError) in
            let taken = ids.slots.withSpan { slots in
                var taken = 0
                for slot in slots.indices where slots[slot] != IDHash.empty { taken += 1 }
                return taken
            }
            guard taken == ids.count else {
                throw .badValue(
                    tensor: ModelTensors.hash(name), index: 0, reason: "\(taken) slots taken, wanted \(ids.count)")
            }
        }
        checks.add(ids.count) { range throws(ModelFileError) in
            for first in stride(from: range.lowerBound, to: range.upperBound, by: lookupBatchCount) {
                let rows = first..<min(first + lookupBatchCount, range.upperBound)
                if let lost = firstLost(rows, ids) {
                    throw .badValue(
                        tensor: ModelTensors.hash(name), index: lost,
                        reason: "the id of this row is not found, or is there twice")
                }
            }
        }
    }

    /// Ascending bytes: so no department is there twice.
    private func checkDepartmentOrder() throws(ModelFileError) {
        for row in departmentIDs.count > 1 ? 1..<departmentIDs.count : 0..<0 {
            let isAscending = departmentIDs.withText(row - 1) { before in
                departmentIDs.withText(row) { precedes(before, $0) }
            }
            guard isAscending else {
                throw .badValue(
                    tensor: ModelTensors.bytes(ModelTensors.departmentIDs), index: row,
                    reason: "not ascending, or there twice")
            }
        }
    }

    // MARK: Compressed rows

    /// Starts from 0 to the end without falling; item rows ascending inside a row.
    private func addRows(
        _ starts: Column<UInt64>, _ startsName: String, _ indices: Column<UInt32>, _ indicesName: String,
        _ checks: inout ModelChecks
    ) {
        checks.add { () throws(ModelFileError) in try checkEnds(starts, startsName, wanted: indices.count) }
        checks.add(starts.count - 1) { range throws(ModelFileError) in
            for row in range {
                let (begin, end) = (starts[row], starts[row + 1])
                guard begin <= end, end <= UInt64(indices.count) else {
                    throw .badValue(
                        tensor: startsName, index: row,
                        reason: "row from \(begin) to \(end) of \(indices.count), wanted it inside")
                }
                try checkItems(indices, indicesName, Int(begin)..<Int(end))
            }
        }
    }

    private func checkItems(_ items: Column<UInt32>, _ name: String, _ range: Range<Int>) throws(ModelFileError) {
        var previous = -1
        for place in range {
            let item = Int(items[place])
            guard item > previous, item < itemIDs.count else {
                throw .badValue(
                    tensor: name, index: place,
                    reason: "\(item) after \(previous), wanted ascending and below \(itemIDs.count)")
            }
            previous = item
        }
    }

    private func checkEnds(_ offsets: Column<UInt64>, _ name: String, wanted: Int) throws(ModelFileError) {
        guard offsets[0] == 0, offsets[offsets.count - 1] == UInt64(wanted) else {
            throw .badValue(
                tensor: name, index: offsets.count - 1,
                reason: "from \(offsets[0]) to \(offsets[offsets.count - 1]), wanted 0 to \(wanted)")
        }
    }

    // MARK: Items

    private func addAttributes(_ checks: inout ModelChecks) {
        checks.add(itemPrice.count) { range throws(ModelFileError) in
            try itemPrice.check(range, ModelTensors.itemPrice, "below -1") { $0 >= ModelTensors.noPrice }
        }
        let departmentCount = departmentIDs.count
        checks.add(itemDepartment.count) { range throws(ModelFileError) in
            try itemDepartment.check(range, ModelTensors.itemDepartment, "no department row") {
                $0 == ModelTensors.noDepartment || Int($0) < departmentCount
            }
        }
        if let hotelPopularity {
            checks.add(hotelPopularity.count) { range throws(ModelFileError) in
                try hotelPopularity.check(range, ModelTensors.hotelPopularity, "negative or too large") {
                    $0 >= 0 && $0 <= ModelLimits.hotelPopularityMax
                }
            }
        }
        checks.add(itemPopularity.count) { range throws(ModelFileError) in
            try itemPopularity.check(range, ModelTensors.itemPopularity, "negative or not finite") {
                $0.isFinite && $0 >= 0
            }
        }
    }

    /// Strictly sorted by (popularity falling, row rising): so no row is there twice, and with as many rows as items it is a
    /// permutation.
    private func checkPopularityOrder() throws(ModelFileError) {
        var previous: (popularity: Float, row: UInt32)?
        for place in 0..<popularityOrder.count {
            let row = popularityOrder[place]
            guard Int(row) < itemPopularity.count else {
                throw .badValue(tensor: ModelTensors.popularityOrder, index: place, reason: "\(row) is no item row")
            }
            let popularity = itemPopularity[Int(row)]
            if let previous,
                !(previous.popularity > popularity || (previous.popularity == popularity && previous.row < row))
            {
                throw .badValue(
                    tensor: ModelTensors.popularityOrder, index: place, reason: "not sorted by popularity and row")
            }
            previous = (popularity, row)
        }
    }
}

/// No row is so long that a product of two could overflow; NaN and infinity fail too.
///
/// By Cauchy-Schwarz |x·y|² ≤ |x|²|y|², and the same holds for every partial sum: with both below `squaredNormMax` each
/// score is a finite float32, whatever the user and the item.
private func checkNorms(
    _ matrix: Column<Float>, _ name: String, _ rows: Range<Int>, _ factorCount: Int
) throws(ModelFileError) {
    for row in rows {
        let squaredNorm = matrix.withSpan(of: row * factorCount..<(row + 1) * factorCount) { dot($0, $0) }
        guard squaredNorm <= ModelLimits.squaredNormMax else {
            throw .badValue(
                tensor: name, index: row * factorCount,
                reason: "the vector of row \(row) holds NaN or infinity, or its squared length is over "
                    + "\(ModelLimits.squaredNormMax)")
        }
    }
}

extension Column {
    /// Whether the values of `range` are all fine; else the error names the first that is not.
    fileprivate func check(
        _ range: Range<Int>, _ name: String, _ reason: String, _ isFine: (Element) -> Bool
    ) throws(ModelFileError) {
        let bad: Int? = withSpan(of: range) { values in values.indices.first { !isFine(values[$0]) } }
        if let bad {
            let index = range.lowerBound + bad
            throw .badValue(tensor: name, index: index, reason: "\(self[index]) is \(reason)")
        }
    }
}

private func precedes(_ a: Span<UInt8>, _ b: Span<UInt8>) -> Bool {
    for index in 0..<min(a.count, b.count) where a[index] != b[index] { return a[index] < b[index] }
    return a.count < b.count
}

/// As many as `firstLost` has room for.
private let lookupBatchCount = 64

/// The first of the rows whose id does not find it.
///
/// A table is larger than the caches, so each look into it waits for memory. A batch asks for its slots before it looks at any of
/// them, so that the waits overlap. Three in four ids are in the slot that they hash to; the others are searched for.
private func firstLost(_ rows: Range<Int>, _ ids: IDColumn) -> Int? {
    var found: InlineArray<64, UInt32> = InlineArray(repeating: 0)
    ids.slots.withSpan { slots in
        for row in rows {
            let hash = ids.texts.withText(row) { IDHash.hash($0) }
            found[row - rows.lowerBound] = slots[Int(truncatingIfNeeded: hash) & (slots.count - 1)]
        }
    }
    return rows.first { row in
        found[row - rows.lowerBound] != UInt32(row) && ids.texts.withText(row) { ids.row(of: $0) } != row
    }
}
