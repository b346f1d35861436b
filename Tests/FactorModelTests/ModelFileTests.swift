import FactorModel
import Foundation
import TestSupport
import Testing

@Suite("Model file") struct ModelFileTests {
    private func copy<Element>(_ span: Span<Element>) -> [Element] { span.indices.map { span[$0] } }

    @Test(
        "what is written is what is read", arguments: [1, 3],
        [(7, 23, 5, 3), (1, 1, 1, 1), (3, 70, 16, 0), (0, 4, 2, 1), (2, 0, 3, 2)])
    func roundTrip(threads: Int, shape: (users: Int, items: Int, factors: Int, hotels: Int)) throws {
        let contents = sampleContents(
            users: shape.users, items: shape.items, factors: shape.factors, hotels: shape.hotels)
        let directory = try TemporaryDirectory()
        let path = directory.file("model.safetensors")
        try writeModelFile(contents, to: path)
        let model = try ModelSnapshot.open(path: path, threads: threads)
        #expect(model.userCount == shape.users && model.itemCount == shape.items && model.factorCount == shape.factors)
        #expect(model.hotelCount == shape.hotels && model.interactionCount == contents.interactions.interactionCount)
        #expect(model.mappedBytes == (try Data(contentsOf: URL(filePath: path))).count)
        for (row, id) in contents.userIDs.enumerated() {
            let user = UserIndex(row)
            #expect(model.user(id: id) == user)
            #expect(model.withUserID(user, string) == id)
            let range = contents.interactions.range(ofRow: row)
            model.withHistory(user) { items, strengths in
                #expect(copy(items) == Array(contents.interactions.indices[range]))
                #expect(copy(strengths) == Array(contents.interactions.values[range]))
            }
            let factors = contents.factors.userFactors[row * shape.factors..<(row + 1) * shape.factors]
            #expect(model.withUserFactors(user) { copy($0) } == Array(factors))
        }
        let catalogue = contents.catalogue
        for (row, id) in catalogue.itemIDs.enumerated() {
            let item = ItemIndex(row)
            #expect(model.item(id: id) == item && model.withItemID(item, string) == id)
            #expect(model.withItemName(item, string) == catalogue.names[row])
            #expect(departmentID(of: item, in: model) == catalogue.departmentIDs[row] ?? "")
            #expect(model.price(item) == catalogue.prices[row])
            #expect(model.popularity(item) == contents.itemPopularity[row])
        }
        #expect(model.withItemFactors { copy($0) } == contents.factors.itemFactors)
        for (row, id) in catalogue.hotelIDs.enumerated() {
            #expect(model.hotel(id: id) == HotelIndex(row))
            #expect(model.withItems(of: HotelIndex(row)) { copy($0) } == catalogue.hotelItems[row])
        }
    }

    @Test("ids that are none of the model's are not found")
    func unknownIDs() throws {
        let directory = try TemporaryDirectory()
        let model = try openedModel(sampleContents(users: 64), in: directory)
        for id in ["", "100", "10000", "999", "1064", "h0", String(repeating: "9", count: 5000)] {
            #expect(model.user(id: id) == nil)
        }
        #expect(model.hotel(id: "h3") == nil && model.item(id: "1") == nil)
    }

    @Test("ids are bytes: two spellings of one accented letter are two ids")
    func idsAreBytes() throws {
        var contents = sampleContents(users: 2)
        contents.userIDs = ["caf\u{E9}", "cafe\u{301}"]
        contents.catalogue.departmentIDs[0] = "caf\u{E9}"
        contents.catalogue.departmentIDs[1] = "cafe\u{301}"
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents, in: directory)
        #expect(model.user(id: "caf\u{E9}") == UserIndex(0) && model.user(id: "cafe\u{301}") == UserIndex(1))
        #expect(departmentID(of: ItemIndex(1), in: model).utf8.elementsEqual("cafe\u{301}".utf8))
    }

    @Test("the same contents make the same bytes")
    func deterministic() throws {
        let directory = try TemporaryDirectory()
        for name in ["a", "b"] { try writeModelFile(sampleContents(), to: directory.file(name)) }
        let files = try ["a", "b"].map { try Data(contentsOf: URL(filePath: directory.file($0))) }
        #expect(files[0] == files[1])
    }

    @Test("the file is laid out as the format's page says", arguments: [1, 2, 3, 8, 17], [false, true])
    func layout(hotels: Int, countsByHotel: Bool) throws {
        let directory = try TemporaryDirectory()
        try writeModelFile(sampleContents(hotels: hotels, countsByHotel: countsByHotel), to: directory.file("m"))
        let file = [UInt8](try Data(contentsOf: URL(filePath: directory.file("m"))))
        let length = (0..<8).reduce(0) { $0 | Int(file[$1]) << ($1 * 8) }
        let header = try #require(
            try JSONSerialization.jsonObject(with: Data(file[8..<8 + length])) as? [String: [String: Any]])
        #expect(header["__metadata__"] as? [String: String] == ["format": "nextloop-factors/\(countsByHotel ? 2 : 1)"])
        #expect((header["hotel_items.popularity"] != nil) == countsByHotel)
        #expect(
            !countsByHotel
                || header["hotel_items.popularity"]?["shape"] as? [Int]
                    == header["hotel_items.indices"]?["shape"] as? [Int]
        )
        let begin = try #require((header["item_factors"]?["data_offsets"] as? [Int])?.first)
        #expect((8 + length + begin).isMultiple(of: 64))
        for (name, tensor) in header where name != "__metadata__" {
            let offset = try #require((tensor["data_offsets"] as? [Int])?.first)
            let bytes = ["F32": 4, "U32": 4, "I64": 8, "U64": 8, "U8": 1][tensor["dtype"] as? String ?? ""]
            #expect((8 + length + offset).isMultiple(of: try #require(bytes)), "\(name)")
        }
    }

    @Test("an existing file is never overwritten")
    func existingFile() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write(Data("precious".utf8), as: "m")
        #expect(throws: ModelFileError.system(call: "open", path: path, code: EEXIST)) {
            try writeModelFile(sampleContents(), to: path)
        }
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("precious".utf8))
    }

    @Test("a directory that is not there is an error with its errno")
    func missingDirectory() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("no/such/m")
        #expect(throws: ModelFileError.system(call: "open", path: path, code: ENOENT)) {
            try writeModelFile(sampleContents(), to: path)
        }
    }

    // MARK: Contents that may not be written

    private static let badContents: [(String, @Sendable (inout ModelContents) -> Void)] = [
        ("user_ids", { $0.userIDs[1] = $0.userIDs[0] }),
        ("item_ids", { $0.catalogue.itemIDs[5] = $0.catalogue.itemIDs[2] }),
        ("hotel_ids", { $0.catalogue.hotelIDs[1] = $0.catalogue.hotelIDs[0] }),
        ("user id", { $0.userIDs[0] = "" }),
        ("user id", { $0.userIDs[0] = String(repeating: "x", count: 257) }),
        ("item id", { $0.catalogue.itemIDs[0] = "" }),
        ("hotel id", { $0.catalogue.hotelIDs[0] = "" }),
        ("department id", { $0.catalogue.departmentIDs[0] = "" }),
        ("name", { $0.catalogue.names[0] = String(repeating: "x", count: 1025) }),
        ("price", { $0.catalogue.prices[0] = -1 }),
        ("names", { $0.catalogue.names.removeLast() }),
        ("user factor rows", { $0.userIDs.append("extra") }),
        ("items of hotel", { $0.catalogue.hotelItems[0] = [2, 1] }),
        ("items of hotel", { $0.catalogue.hotelItems[0] = [23] }),
        ("popularit", { $0.itemPopularity[3] = -1 }),
        ("popularit", { $0.itemPopularity[3] = .nan }),
        ("popularities", { $0.itemPopularity.removeLast() }),
        ("popularities of hotel row 1", { $0.hotelPopularity?[1].removeLast() }),
        ("popularities of 2 hotels", { $0.hotelPopularity?.removeLast() }),
        ("popularity of hotel row 2", { $0.hotelPopularity?[2][0] = -1 }),
        ("popularity of hotel row 2", { $0.hotelPopularity?[2][1] = .infinity }),
        ("strength", { $0.interactions = history($0, values: 0) }),
        ("strength", { $0.interactions = history($0, values: .infinity) }),
        ("ascending", { $0.interactions = history($0, items: [4, 4]) }),
        ("ascending", { $0.interactions = history($0, items: [4, 23]) }),
        ("user vector", { $0.factors = factors($0, user: .nan) }),
        ("user vector", { $0.factors = factors($0, user: 1.1e19) }),
        ("item vector", { $0.factors = factors($0, item: -.infinity) }),
    ]

    @Test("contents that a reader would refuse are not written", arguments: badContents.indices)
    func refusesContents(index: Int) throws {
        let (word, spoil) = Self.badContents[index]
        var contents = sampleContents(countsByHotel: true)
        spoil(&contents)
        let directory = try TemporaryDirectory()
        let error = try #require(throws: ModelFileError.self) { try writeModelFile(contents, to: directory.file("m")) }
        guard case .badContents(let reason) = error else { throw error }
        #expect(reason.contains(word), "\(reason)")
        #expect(!FileManager.default.fileExists(atPath: directory.file("m")))
    }

    @Test("ids, names and vectors at their bounds are written and read")
    func atTheBounds() throws {
        var contents = sampleContents()
        contents.userIDs[0] = String(repeating: "x", count: 256)
        contents.catalogue.names[0] = String(repeating: "김", count: 341) + "x"
        contents.catalogue.prices[0] = .max
        contents.factors = Self.factors(contents, user: 9.9e18)
        let directory = try TemporaryDirectory()
        let model = try openedModel(contents, in: directory)
        #expect(model.user(id: contents.userIDs[0]) == UserIndex(0))
        #expect(model.withItemName(ItemIndex(0)) { $0.count } == 1024)
        #expect(model.price(ItemIndex(0)) == .max)
    }

    private static func history(_ contents: ModelContents, items: [UInt32] = [4, 5], values: Float = 1)
        -> InteractionMatrix
    {
        InteractionMatrix(
            rowCount: contents.userIDs.count, columnCount: contents.catalogue.itemCount,
            indptr: [0] + contents.userIDs.map { _ in 2 }, indices: items, values: [values, values])
    }

    private static func factors(_ contents: ModelContents, user: Float? = nil, item: Float? = nil) -> Factors {
        var (x, y) = (contents.factors.userFactors, contents.factors.itemFactors)
        if let user { x[0] = user }
        if let item { y[y.count - 1] = item }
        return Factors(factorCount: contents.factors.factorCount, userFactors: x, itemFactors: y)
    }
}
