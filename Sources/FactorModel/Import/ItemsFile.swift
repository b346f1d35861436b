/// Item attributes from a CSV file with the columns `item_id,name,price,department_id,hotel_ids`.
///
/// An empty name, price or department is unknown; the ids of the hotels that sell the item are joined by `|`, none when
/// empty. Hotels get their rows in order of first mention.
struct ItemsFile {
    static let columns = ["item_id", "name", "price", "department_id", "hotel_ids"]

    let catalogue: Catalogue
    /// Rows of items that the model does not have, left out: menus are often larger than what was trained on.
    let unknownItemCount: Int
    /// Items of the model that the file does not mention.
    let undescribedItemCount: Int

    init(path: String, items: IDTable) throws(ImportError) {
        var builder = CatalogueBuilder(items)
        var reader = CSVReader(try InputFile(path))
        let places = try reader.header(Self.columns)
        while let fields = try reader.nextRecord() { try builder.add(places.map { fields[$0] }, reader) }
        catalogue = builder.catalogue
        unknownItemCount = builder.unknownItemCount
        undescribedItemCount = items.ids.count - builder.describedItemCount
    }
}

extension Catalogue {
    /// Ids alone: nothing else is known of the items.
    init(itemIDs: [String]) {
        self.init(
            itemIDs: itemIDs, names: itemIDs.map { _ in "" }, prices: itemIDs.map { _ in nil },
            departmentIDs: itemIDs.map { _ in nil }, hotelIDs: [], hotelItems: [])
    }
}

private struct CatalogueBuilder {
    private let items: IDTable
    private(set) var unknownItemCount = 0
    private(set) var describedItemCount = 0
    private var described: [Bool]
    private var built: Catalogue
    /// By bytes, as ids are compared everywhere.
    private var hotelRows: [[UInt8]: Int] = [:]

    init(_ items: IDTable) {
        self.items = items
        described = [Bool](repeating: false, count: items.ids.count)
        built = Catalogue(itemIDs: items.ids)
    }

    var catalogue: Catalogue {
        var catalogue = built
        for hotel in catalogue.hotelItems.indices { catalogue.hotelItems[hotel].sort() }
        return catalogue
    }

    /// - Parameter fields: in the order of `ItemsFile.columns`.
    mutating func add(_ fields: [String], _ reader: CSVReader) throws(ImportError) {
        // Every field is checked, also of an item that is then left out: a file is sound or it is not.
        try checkID(fields[0], "item_id", reader)
        guard fields[1].utf8.count <= ModelLimits.nameBytesMax else {
            throw reader.fail("a name of \(fields[1].utf8.count) bytes", "at most \(ModelLimits.nameBytesMax)")
        }
        try checkHasNoZero(fields[1], "name", reader)
        let price = try Self.price(fields[2], reader)
        if !fields[3].isEmpty { try checkID(fields[3], "department_id", reader) }
        let hotels = try hotelIDs(fields[4], reader)

        guard let item = items.row(of: fields[0]) else {
            unknownItemCount += 1
            return
        }
        guard !described[item] else {
            throw reader.fail("item \(ImportError.excerpt(fields[0])), which an earlier line has", "each item once")
        }
        described[item] = true
        describedItemCount += 1
        built.names[item] = fields[1]
        built.prices[item] = price
        built.departmentIDs[item] = fields[3].isEmpty ? nil : fields[3]
        for hotel in hotels { built.hotelItems[row(of: hotel)].append(UInt32(item)) }
    }

    private mutating func row(of hotel: String) -> Int {
        let key = Array(hotel.utf8)
        if let row = hotelRows[key] { return row }
        let row = built.hotelIDs.count
        hotelRows[key] = row
        built.hotelIDs.append(hotel)
        built.hotelItems.append([])
        return row
    }

    private func hotelIDs(_ field: String, _ reader: CSVReader) throws(ImportError) -> [String] {
        guard !field.isEmpty else { return [] }
        let ids = field.utf8.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        for id in ids { try checkID(id, "hotel id", reader) }
        guard Set(ids.map { Array($0.utf8) }).count == ids.count else {
            throw reader.fail("a hotel id twice in \(ImportError.excerpt(field))", "each once, joined by '|'")
        }
        return ids
    }

    private func checkID(_ id: String, _ what: String, _ reader: CSVReader) throws(ImportError) {
        guard (1...ModelLimits.idBytesMax).contains(id.utf8.count) else {
            throw reader.fail("\(what) of \(id.utf8.count) bytes", "1 to \(ModelLimits.idBytesMax)")
        }
        try checkHasNoZero(id, what, reader)
    }

    /// Requests refuse U+0000 everywhere, so an id with it could never be named.
    private func checkHasNoZero(_ text: String, _ what: String, _ reader: CSVReader) throws(ImportError) {
        if text.utf8.contains(0) {
            throw reader.fail("\(what) \(ImportError.excerpt(text)) with U+0000 in it", "text without U+0000")
        }
    }

    private static func price(_ field: String, _ reader: CSVReader) throws(ImportError) -> Int64? {
        if field.isEmpty { return nil }
        // Digits only: Swift's Int64("+5") is 5.
        guard field.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let price = Int64(field)
        else {
            throw reader.fail(
                "the price \(ImportError.excerpt(field))",
                "a whole number of the smallest unit, 0 to \(Int64.max), or nothing")
        }
        return price
    }
}
