import VectorKernels

extension ModelSnapshot {
    /// Ranks by how often the items were ordered: in the hotels of the filter, in all of them together when it names none or the
    /// model holds no counts by hotel. Equal ones go by item row.
    func rankByPopularity(_ query: RecommendationQuery, _ scratch: RecommendationScratch) {
        guard scratch.begin(query, itemCount: itemCount) else { return }
        let isListed = query.filter.allow != nil || query.filter.hotels != nil
        withExcluded(query, scratch) { excluded in
            if !isListed, offerMostPopular(query, without: excluded, scratch) {
                scratch.best.sortBestFirst()
                return
            }
            scratch.best.reset(k: scratch.wanted)
            if let hotels = query.filter.hotels, columns.hotelPopularity != nil {
                rank(query, byOrdersIn: hotels, without: excluded, scratch)
            } else {
                rankByOrders(query, without: excluded, scratch)
            }
        }
    }

    private func rankByOrders(
        _ query: RecommendationQuery, without excluded: Span<UInt32>, _ scratch: RecommendationScratch
    ) {
        columns.itemPopularity.withSpan { popularity in
            rank(
                query, without: excluded, scratch,
                scoreRange: { first, scores in
                    for place in 0..<scores.count { scores[place] = popularity[first + place] }
                },
                scoreList: { rows, scores in
                    for place in rows.indices { scores[place] = popularity[Int(rows[place])] }
                })
        }
    }

    /// The same by the sum of the orders in the hotels, each of which counts once however often it is named.
    private func rank(
        _ query: RecommendationQuery, byOrdersIn hotels: [HotelIndex], without excluded: Span<UInt32>,
        _ scratch: RecommendationScratch
    ) {
        // Ascending: a sum of float32 depends on its order, and must not on the order of the question.
        scratch.shared.marks.reserve(hotelCount)
        for hotel in hotels { scratch.shared.marks.insert(UInt32(hotel.row)) }
        scratch.shared.marks.drain(into: &scratch.shared.hotels)
        let distinct = scratch.shared.hotels
        rank(
            query, without: excluded, scratch,
            scoreRange: { first, scores in
                for place in 0..<scores.count { scores[place] = 0 }
                for hotel in distinct { addOrders(in: Int(hotel), firstRow: first, to: &scores) }
            },
            scoreList: { rows, scores in
                for place in rows.indices { scores[place] = 0 }
                for hotel in distinct { addOrders(in: Int(hotel), of: rows, to: &scores) }
            })
    }

    /// Adds the orders of consecutive rows, as many as there are scores.
    private func addOrders(in hotel: Int, firstRow: Int, to scores: inout MutableSpan<Float>) {
        withOrders(in: hotel) { items, counts in
            var place = firstPlace(in: items, notBelow: UInt32(firstRow))
            while place < items.count, Int(items[place]) - firstRow < scores.count {
                scores[Int(items[place]) - firstRow] += counts[place]
                place += 1
            }
        }
    }

    /// Adds the orders of chosen rows, ascending.
    private func addOrders(in hotel: Int, of rows: Span<UInt32>, to scores: inout MutableSpan<Float>) {
        withOrders(in: hotel) { items, counts in
            var place = 0
            for i in rows.indices {
                // Step by step through a list that is as dense as the rows, by halves through one that is not.
                if items.count - place > 32 * (rows.count - i) {
                    place += firstPlace(in: items.extracting(place..<items.count), notBelow: rows[i])
                }
                while place < items.count, items[place] < rows[i] { place += 1 }
                guard place < items.count else { return }
                if items[place] == rows[i] { scores[i] += counts[place] }
            }
        }
    }

    /// Lends what a hotel sells, item rows ascending, and how often each was ordered there.
    private func withOrders(in hotel: Int, _ body: (Span<UInt32>, Span<Float>) -> Void) {
        guard let popularity = columns.hotelPopularity else { return }
        let range = Int(columns.hotelStarts[hotel])..<Int(columns.hotelStarts[hotel + 1])
        columns.hotelItems.withSpan(of: range) { items in
            popularity.withSpan(of: range) { body(items, $0) }
        }
    }

    /// Walks down the order of popularity that the file holds: without conditions on attributes no more items are looked at
    /// than are wanted or left out.
    ///
    /// With them it gives up after a sixteenth of the catalogue: reading attributes in random order costs more than reading all of
    /// them in a row.
    ///
    /// - Returns: whether the best are found.
    private func offerMostPopular(
        _ query: RecommendationQuery, without excluded: Span<UInt32>, _ scratch: RecommendationScratch
    ) -> Bool {
        let test = query.filter.asksForAttributes ? AttributeTest(query.filter, columns, scratch) : nil
        let end = test == nil ? itemCount : itemCount / 16
        for place in 0..<end {
            if scratch.best.count == scratch.wanted { return true }
            let row = columns.popularityOrder[place]
            if let test, !test.passes(Int(row), columns, scratch) { continue }
            var next = firstPlace(in: excluded, notBelow: row)
            if contains(row, in: excluded, &next) { continue }
            scratch.best.offer(row: row, score: columns.itemPopularity[Int(row)])
        }
        return test == nil || scratch.best.count == scratch.wanted
    }
}
