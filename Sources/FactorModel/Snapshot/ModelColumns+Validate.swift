import Dispatch
import Synchronization
import VectorKernels

extension ModelColumns {
    /// Looks at every value, so that whatever reads the columns later may rely on the rules of the format.
    ///
    /// The checks do not depend on each other; the factors, which are most of the file, are cut into pieces. They run on as many
    /// threads as asked for, and the first failure in the order below is the one that is thrown, whichever came first.
    func validate(threads: Int) throws(ModelFileError) {
        var checks: [Check] = [
            { try checkTexts(userIDs.texts, ModelTensors.userIDs, 1...ModelLimits.idBytesMax) },
            { try checkTexts(itemIDs.texts, ModelTensors.itemIDs, 1...ModelLimits.idBytesMax) },
            { try checkTexts(hotelIDs.texts, ModelTensors.hotelIDs, 1...ModelLimits.idBytesMax) },
            { try checkTexts(departmentIDs, ModelTensors.departmentIDs, 1...ModelLimits.idBytesMax) },
            { try checkTexts(itemNames, ModelTensors.itemNames, 0...ModelLimits.nameBytesMax) },
            { try checkRows(historyStarts, ModelTensors.historyStarts, historyItems, ModelTensors.historyItems, itemIDs.count) },
            { try checkRows(hotelStarts, ModelTensors.hotelStarts, hotelItems, ModelTensors.hotelItems, itemIDs.count) },
            { try checkAttributes() },
            { try checkPopularityOrder() },
        ]
        for (column, name) in [(itemFactors, ModelTensors.itemFactors), (userFactors, ModelTensors.userFactors)] {
            let rowCount = column.count / factorCount
            for first in stride(from: 0, to: rowCount, by: 1 << 16) {
                let rows = first..<min(first + 1 << 16, rowCount)
                checks.append { try checkNorms(column, name, rows, factorCount) }
            }
        }
        try run(checks, threads: threads)
        // The tables compare texts, so the texts have to be sound first.
        try run(
            [
                { try checkHash(userIDs, ModelTensors.userIDs) },
                { try checkHash(itemIDs, ModelTensors.itemIDs) },
                { try checkHash(hotelIDs, ModelTensors.hotelIDs) },
            ], threads: threads)
    }

    /// Throws `ModelFileError` only. (Typed throws in an array of closures crash the 6.3 compiler.)
    private typealias Check = @Sendable () throws -> Void

    private func run(_ checks: [Check], threads: Int) throws(ModelFileError) {
        let failure = Mutex<(place: Int, error: ModelFileError)?>(nil)
        let next = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: max(1, min(threads, checks.count))) { _ in
            while true {
                let place = next.add(1, ordering: .relaxed).oldValue
                guard place < checks.count else { return }
                do {
                    try checks[place]()
                } catch {
                    guard let error = error as? ModelFileError else { preconditionFailure("BUG: \(error)") }
                    failure.withLock { first in
                        if place < first?.place ?? .max { first = (place, error) }
                    }
                }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure.error }
    }
}

// MARK: The rules

/// Offsets begin at 0, never fall, end with the bytes, and cut valid UTF-8 between characters.
private func checkTexts(_ texts: TextColumn, _ name: String, _ length: ClosedRange<Int>) throws(ModelFileError) {
    let (offsets, bytes) = (texts.offsets, texts.bytes)
    guard offsets[0] == 0, offsets[offsets.count - 1] == UInt64(bytes.count) else {
        throw .badValue(
            tensor: ModelTensors.offsets(name), index: offsets.count - 1, reason: "wanted 0 first and \(bytes.count) last")
    }
    for index in 0..<texts.count {
        let (begin, end) = (offsets[index], offsets[index + 1])
        guard begin <= end, end <= UInt64(bytes.count), length.contains(Int(end - begin)) else {
            throw .badValue(
                tensor: ModelTensors.offsets(name), index: index,
                reason: "text from \(begin) to \(end), wanted \(length.lowerBound) to \(length.upperBound) bytes")
        }
        // Between 0x80 and 0xBF is the middle of a character.
        if begin < end, bytes[Int(begin)] & 0xC0 == 0x80 {
            throw .badValue(tensor: ModelTensors.bytes(name), index: Int(begin), reason: "a text begins inside a character")
        }
    }
    let isUTF8 = bytes.withSpan { (try? UTF8Span(validating: $0)) != nil }
    guard isUTF8 else { throw .badValue(tensor: ModelTensors.bytes(name), index: 0, reason: "not UTF-8") }
}

/// Every id finds itself, and the table holds nothing else: so no id is there twice and none is missing.
private func checkHash(_ ids: IDColumn, _ name: String) throws(ModelFileError) {
    var taken = 0
    for slot in 0..<ids.slots.count where ids.slots[slot] != IDHash.empty { taken += 1 }
    guard taken == ids.count else {
        throw .badValue(tensor: ModelTensors.hash(name), index: 0, reason: "\(taken) slots taken, wanted \(ids.count)")
    }
    for row in 0..<ids.count where ids.texts.withText(row, { ids.row(of: $0) }) != row {
        throw .badValue(tensor: ModelTensors.hash(name), index: row, reason: "the id of this row is not found, or is there twice")
    }
}

/// A compressed-row matrix: starts from 0 to the end without falling, indices ascending inside a row and below `bound`.
private func checkRows(
    _ starts: Column<UInt64>, _ startsName: String, _ indices: Column<UInt32>, _ indicesName: String, _ bound: Int
) throws(ModelFileError) {
    guard starts[0] == 0, starts[starts.count - 1] == UInt64(indices.count) else {
        throw .badValue(tensor: startsName, index: starts.count - 1, reason: "wanted 0 first and \(indices.count) last")
    }
    for row in 0..<(starts.count - 1) {
        let (begin, end) = (starts[row], starts[row + 1])
        guard begin <= end, end <= UInt64(indices.count) else {
            throw .badValue(tensor: startsName, index: row, reason: "row from \(begin) to \(end)")
        }
        var previous = -1
        for place in Int(begin)..<Int(end) {
            let index = Int(indices[place])
            guard index > previous, index < bound else {
                throw .badValue(
                    tensor: indicesName, index: place, reason: "\(index) after \(previous), wanted ascending and below \(bound)")
            }
            previous = index
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

private func checkAll<Element>(
    _ column: Column<Element>, _ name: String, _ reason: String, _ isFine: (Element) -> Bool
) throws(ModelFileError) {
    for index in 0..<column.count where !isFine(column[index]) {
        throw .badValue(tensor: name, index: index, reason: reason)
    }
}

extension ModelColumns {
    private func checkAttributes() throws(ModelFileError) {
        try checkAll(itemPrice, ModelTensors.itemPrice, "below -1") { $0 >= ModelTensors.noPrice }
        try checkAll(itemDepartment, ModelTensors.itemDepartment, "no department row") {
            $0 == ModelTensors.noDepartment || Int($0) < departmentIDs.count
        }
        try checkAll(itemPopularity, ModelTensors.itemPopularity, "negative or not finite") { $0.isFinite && $0 >= 0 }
        try checkAll(historyStrengths, ModelTensors.historyStrengths, "not positive and finite") { $0.isFinite && $0 > 0 }
    }

    /// Strictly sorted by (popularity falling, row rising): so no row is there twice, and with as many rows as items it is a
    /// permutation.
    private func checkPopularityOrder() throws(ModelFileError) {
        var previous: (popularity: Float, row: UInt32)?
        for place in 0..<popularityOrder.count {
            let row = popularityOrder[place]
            guard Int(row) < itemPopularity.count else {
                throw .badValue(tensor: ModelTensors.popularityOrder, index: place, reason: "no item row")
            }
            let popularity = itemPopularity[Int(row)]
            if let previous, !(previous.popularity > popularity || (previous.popularity == popularity && previous.row < row)) {
                throw .badValue(tensor: ModelTensors.popularityOrder, index: place, reason: "not sorted by popularity")
            }
            previous = (popularity, row)
        }
    }
}
