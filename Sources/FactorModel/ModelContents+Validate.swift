import VectorKernels

extension ModelContents {
    /// The rules that a reader checks, checked before anything is written: so what is published can be opened.
    func validate() throws(ModelFileError) {
        try validateShapes()
        for (name, ids) in [("user id", userIDs), ("item id", catalogue.itemIDs), ("hotel id", catalogue.hotelIDs)] {
            for (row, id) in ids.enumerated() where !(1...ModelLimits.idBytesMax).contains(id.utf8.count) {
                throw .badContents(
                    reason: "\(name) of row \(row) has \(id.utf8.count) bytes, wanted 1 to \(ModelLimits.idBytesMax)")
            }
        }
        for (row, name) in catalogue.names.enumerated() where name.utf8.count > ModelLimits.nameBytesMax {
            throw .badContents(
                reason:
                    "name of item row \(row) has \(name.utf8.count) bytes, wanted at most \(ModelLimits.nameBytesMax)")
        }
        for (row, id) in catalogue.departmentIDs.enumerated() {
            if let id, !(1...ModelLimits.idBytesMax).contains(id.utf8.count) {
                throw .badContents(reason: "department id of item row \(row) has \(id.utf8.count) bytes")
            }
        }
        for (row, price) in catalogue.prices.enumerated() {
            if let price, price < 0 {
                throw .badContents(reason: "price of item row \(row) is \(price), wanted 0 or more")
            }
        }
        for (hotel, items) in catalogue.hotelItems.enumerated() {
            guard zip(items, items.dropFirst()).allSatisfy(<), (items.last.map { Int($0) } ?? -1) < catalogue.itemCount
            else { throw .badContents(reason: "items of hotel row \(hotel) do not ascend or are no item rows") }
        }
        try validateNorms("user", factors.userFactors)
        try validateNorms("item", factors.itemFactors)
        guard itemPopularity.allSatisfy({ $0.isFinite && $0 >= 0 }) else {
            throw .badContents(reason: "an item popularity is negative or not finite")
        }
        if let hotelPopularity { try validate(hotelPopularity) }
        try validateHistory()
        if let foldIn, let reason = foldIn.badness { throw .badContents(reason: reason) }
    }

    private func validate(_ hotelPopularity: [[Float]]) throws(ModelFileError) {
        guard hotelPopularity.count == catalogue.hotelItems.count else {
            throw .badContents(
                reason: "hotel popularities of \(hotelPopularity.count) hotels, wanted \(catalogue.hotelItems.count)")
        }
        for (hotel, counts) in hotelPopularity.enumerated() {
            let wanted = catalogue.hotelItems[hotel].count
            guard counts.count == wanted else {
                throw .badContents(reason: "\(counts.count) popularities of hotel row \(hotel), wanted \(wanted)")
            }
            guard counts.allSatisfy({ $0 >= 0 && $0 <= ModelLimits.hotelPopularityMax }) else {
                throw .badContents(
                    reason: "a popularity of hotel row \(hotel) is not from 0 to \(ModelLimits.hotelPopularityMax)")
            }
        }
    }

    private func validateHistory() throws(ModelFileError) {
        guard interactions.values.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw .badContents(reason: "an interaction strength is not positive and finite")
        }
        let (starts, count) = (interactions.indptr, UInt64(interactions.indices.count))
        guard starts[0] == 0 else { throw .badContents(reason: "the history starts at \(starts[0]), wanted 0") }
        for user in 0..<interactions.rowCount {
            let (begin, end) = (starts[user], starts[user + 1])
            guard begin <= end, end <= count else {
                throw .badContents(reason: "the history of user row \(user) is \(begin) to \(end) of \(count)")
            }
            var previous = -1
            for place in Int(begin)..<Int(end) {
                let item = Int(interactions.indices[place])
                guard item > previous, item < catalogue.itemCount else {
                    throw .badContents(
                        reason:
                            "the history of user row \(user) has item \(item) after \(previous), wanted item rows ascending"
                    )
                }
                previous = item
            }
        }
    }

    private func validateNorms(_ what: String, _ matrix: [Float]) throws(ModelFileError) {
        for row in 0..<(matrix.count / factors.factorCount) {
            let vector = matrix.span.extracting(row * factors.factorCount..<(row + 1) * factors.factorCount)
            let squaredNorm = dot(vector, vector)
            guard squaredNorm <= ModelLimits.squaredNormMax else {
                throw .badContents(
                    reason: "the \(what) vector of row \(row) holds NaN or infinity, or its squared length is over "
                        + "\(ModelLimits.squaredNormMax)")
            }
        }
    }

    private func validateShapes() throws(ModelFileError) {
        let (users, items) = (userIDs.count, catalogue.itemCount)
        guard (1...ModelLimits.factorCountMax).contains(factors.factorCount) else {
            throw .badContents(reason: "\(factors.factorCount) factors, wanted 1 to \(ModelLimits.factorCountMax)")
        }
        guard users <= ModelLimits.rowCountMax, items <= ModelLimits.rowCountMax else {
            throw .badContents(reason: "\(users) users and \(items) items, wanted at most \(ModelLimits.rowCountMax)")
        }
        for (what, got, wanted) in [
            ("user factor rows", factors.userCount, users), ("item factor rows", factors.itemCount, items),
            ("history rows", interactions.rowCount, users), ("history columns", interactions.columnCount, items),
            ("names", catalogue.names.count, items), ("prices", catalogue.prices.count, items),
            ("departments", catalogue.departmentIDs.count, items), ("popularities", itemPopularity.count, items),
            ("hotel item lists", catalogue.hotelItems.count, catalogue.hotelIDs.count),
        ] where got != wanted {
            throw .badContents(reason: "\(got) \(what), wanted \(wanted)")
        }
    }
}
