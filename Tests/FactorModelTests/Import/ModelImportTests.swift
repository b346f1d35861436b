import FactorModel
import Foundation
import TestSupport
import Testing

@Suite("Model import") struct ModelImportTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ text: String, _ name: String) throws -> String {
        try directory.write(Data(text.utf8), as: name)
    }

    private func implicitFiles(users: String = "u1\nu2\nu3\nu4\n", items: String = "i1\ni2\ni3\n") throws -> ImportFiles
    {
        ImportFiles(
            factors: .implicit(try directory.write(Data(ArchiveFixtures.implicit()), as: "als.npz")),
            userIDs: try write(users, "users.txt"), itemIDs: try write(items, "items.txt"))
    }

    /// A `.npy` matrix of float32.
    private func matrix(_ values: [Float], rows: Int, name: String) throws -> String {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(rows), \(values.count / max(rows, 1))), }\n"
        let bytes = values.flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> UInt32($0 * 8)) }
        }
        return try directory.write(
            Data([0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8) + bytes),
            as: name)
    }

    private func arrayFiles(user: [Float] = [1, 2, 3, 4], item: [Float] = [5, 6, 7, 8, 9, 10], items: Int = 3) throws
        -> ImportFiles
    {
        ImportFiles(
            factors: .arrays(
                userFactors: try matrix(user, rows: 2, name: "x.npy"),
                itemFactors: try matrix(item, rows: items, name: "y.npy")),
            userIDs: try write("u1\nu2\n", "users.txt"), itemIDs: try write("i1\ni2\ni3\n", "items.txt"))
    }

    /// The line and what was got there.
    private func badLine(_ files: ImportFiles) throws -> String {
        let error = try #require(throws: ImportError.self) { _ = try importModel(files) }
        guard case .badLine(let path, let line, let got, _) = error else { throw error }
        return "\(path.split(separator: "/").last ?? ""):\(line): \(got)"
    }

    @Test("a file saved by implicit becomes a model that opens")
    func implicit() throws {
        let imported = try importModel(try implicitFiles())
        let factors = imported.contents.factors
        #expect(factors.factorCount == 2)
        #expect(
            factors.userFactors == (0..<8).map { Float($0) / 4 }
                && factors.itemFactors == (0..<6).map { -Float($0) / 2 })
        #expect(
            imported.implicitSettings.map {
                [$0.factors.map(Double.init), $0.iterations.map(Double.init), $0.regularization, $0.alpha]
            }
                == [2, 3, 0.05, 40])
        #expect(imported.warnings.total == 0)
        let model = try openedModel(imported.contents, in: directory)
        #expect(model.user(id: "u3") == UserIndex(2) && model.itemCount == 3)
    }

    @Test("a compressed archive with float64 in Fortran order is read")
    func compressed() throws {
        let model = try ImplicitModelFile(path: try directory.write(Data(ArchiveFixtures.compressed()), as: "c.npz"))
        #expect(model.userFactors.shape == [300, 2] && model.userFactors.values == (0..<600).map { Float($0) })
        #expect(model.itemFactors.values == [Float](repeating: 1, count: 1000))
        #expect(model.settings.factors == nil && model.settings.iterations == nil && model.settings.alpha == nil)
    }

    @Test("plain arrays, items and interactions become a model")
    func everything() throws {
        var files = try arrayFiles(user: [1, 2, 0, 0])
        files.items = try write(
            "\u{FEFF}hotel_ids,item_id,name,price,department_id\r\nh1|h2,i3,\"Soup, \"\"hot\"\"\nand sour\",9000,2\r\n"
                + "h2,i1,,,\r\nh9,i99,Gone,1,2\r\n", "items.csv")
        files.interactions = try write(
            "user_id,item_id,value\nu2,i3,2\nu1,i3,1.5\nu2,i1,1\nu2,i3,0.25", "interactions.csv")
        let imported = try importModel(files)
        let (catalogue, interactions) = (imported.contents.catalogue, imported.contents.interactions)
        #expect(catalogue.names == ["", "", "Soup, \"hot\"\nand sour"])
        #expect(catalogue.prices == [nil, nil, 9000] && catalogue.departmentIDs == [nil, nil, "2"])
        #expect(catalogue.hotelIDs == ["h1", "h2"] && catalogue.hotelItems == [[2], [0, 2]])
        #expect(
            interactions.indptr == [0, 1, 3] && interactions.indices == [2, 0, 2]
                && interactions.values == [1.5, 1, 2.25])
        #expect(imported.contents.itemPopularity == [1, 0, 3.75])
        #expect(imported.warnings.usersWithoutFactors == 1 && imported.warnings.unknownItems == 1)
        #expect(imported.warnings.undescribedItems == 1 && imported.warnings.repeatedInteractions == 1)
        #expect(try openedModel(imported.contents, in: directory).hotel(id: "h2") == HotelIndex(1))
    }

    // MARK: Ids

    @Test("ids may end with CRLF, lack the last line end and have a byte order mark")
    func idLines() throws {
        let files = try implicitFiles(users: "\u{FEFF}u1\r\nu2\r\nu3\r\nu4", items: "i1\ni 2\n \n")
        let contents = try importModel(files).contents
        #expect(contents.userIDs == ["u1", "u2", "u3", "u4"] && contents.catalogue.itemIDs == ["i1", "i 2", " "])
    }

    @Test("empty, repeated and too long ids are refused with their line")
    func badIDs() throws {
        #expect(try badLine(try implicitFiles(users: "u1\n\nu3\n")) == "users.txt:2: an empty line")
        #expect(try badLine(try implicitFiles(users: "u1\n\r\n")) == "users.txt:2: an empty line")
        #expect(try badLine(try implicitFiles(users: "\u{FEFF}\nu")) == "users.txt:1: an empty line")
        #expect(try badLine(try implicitFiles(items: "i1\ni2\ni1\n")) == "items.txt:3: 'i1', which an earlier line has")
        let bound = String(repeating: "x", count: 256)
        #expect(try importModel(try implicitFiles(items: "\(bound)\r\ni2\ni3")).contents.catalogue.itemIDs[0] == bound)
        #expect(try badLine(try implicitFiles(items: "\(bound)x\r\ni2\ni3")) == "items.txt:1: an id over 256 bytes")
        #expect(
            try badLine(try implicitFiles(items: String(repeating: "y", count: 1_000_000)))
                == "items.txt:1: an id over 256 bytes")
        var files = try implicitFiles()
        files.userIDs = try directory.write(Data([0x61, 0x0A, 0xFF, 0x0A]), as: "latin.txt")
        #expect(try badLine(files) == "latin.txt:2: bytes that are not UTF-8")
    }

    @Test("U+0000 in an id or a name is refused with its line: no request could name such an id, to deny it for one")
    func zeroBytes() throws {
        #expect(
            try badLine(try implicitFiles(items: "i1\nx\0y\ni3\n")) == "items.txt:2: the id 'x·y' with U+0000 in it")
        #expect(try badLine(try implicitFiles(users: "u1\nu2\nu3\n\0")) == "users.txt:4: the id '·' with U+0000 in it")
        // Other control characters have escapes that requests take.
        #expect(
            try importModel(try implicitFiles(items: "i1\nx\u{1}y\ni3\n")).contents.catalogue.itemIDs[1] == "x\u{1}y")
        for (line, got) in [
            ("i\0,a,1,2,h", "item_id 'i·'"), ("i1,a\0b,1,2,h", "name 'a·b'"), ("i1,a,1,\0,h", "department_id '·'"),
            ("i1,a,1,2,g|\0h", "hotel id '·h'"), ("unknown,\0,1,2,h", "name '·'"),
        ] {
            #expect(try badItem("i2,a,1,2,h\n\(line)\n") == "items.csv:3: \(got) with U+0000 in it")
        }
    }

    @Test("another number of ids than rows is refused with both files")
    func idCount() throws {
        for users in ["", "u1\nu2\nu3\n", "1\n2\n3\n4\n5\n"] {
            let files = try implicitFiles(users: users)
            let error = try #require(throws: ImportError.self) { _ = try importModel(files) }
            guard case .mismatch(let got, _) = error else { throw error }
            #expect(got.contains("4 rows") && got.contains("users.txt") && got.contains("als.npz"))
        }
    }

    // MARK: Factors

    @Test("factors that are not finite or too long are refused with their row")
    func badFactors() throws {
        for (value, word) in [
            (.nan, "nan in row 1, column 1"), (-.infinity, "-inf in row 1"), (1e19, "length 9.99"),
        ] as [(Float, String)] {
            let files = try arrayFiles(user: [1, 2, 0, value])
            let error = try #require(throws: ImportError.self) { _ = try importModel(files) }
            guard case .badArray(let path, let got, _) = error else { throw error }
            #expect(path.hasSuffix("x.npy") && got.contains(word), "\(got)")
        }
    }

    @Test("matrices of different widths, and what is no matrix, are refused")
    func badShapes() throws {
        let widths = try arrayFiles(item: [1, 2, 3])
        let error = try #require(throws: ImportError.self) { _ = try importModel(widths) }
        guard case .mismatch(let got, _) = error else { throw error }
        #expect(got.contains("2 factors a user") && got.contains("1 an item"))
        let empty = try arrayFiles(user: [], item: [])
        #expect(throws: ImportError.self) { _ = try importModel(empty) }
        var files = try arrayFiles()
        files.factors = .implicit(try directory.write(Data(ArchiveFixtures.implicit().dropLast()), as: "cut.npz"))
        #expect(throws: ImportError.self) { _ = try importModel(files) }
    }

    // MARK: Items

    private func badItem(_ text: String) throws -> String {
        var files = try arrayFiles()
        files.items = try write("item_id,name,price,department_id,hotel_ids\n" + text, "items.csv")
        return try badLine(files)
    }

    @Test("each field of items.csv that breaks a rule is refused with its line")
    func badItems() throws {
        #expect(try badItem("i1,a,1,2,h\ni1,b,1,2,h\n") == "items.csv:3: item 'i1', which an earlier line has")
        #expect(try badItem("i1,\"a\nb\nc\",1,2,h\ni2,a,x,2,h\n") == "items.csv:5: the price 'x'")
        for price in ["-1", "+5", "1.5", " 1", "9223372036854775808", "١"] {
            #expect(try badItem("i1,a,\(price),2,h\n").hasPrefix("items.csv:2: the price"))
        }
        #expect(try badItem(",a,1,2,h\n") == "items.csv:2: item_id of 0 bytes")
        #expect(try badItem("i1,\(String(repeating: "n", count: 1025)),1,2,h\n") == "items.csv:2: a name of 1025 bytes")
        #expect(
            try badItem("i1,a,1,\(String(repeating: "d", count: 257)),h\n") == "items.csv:2: department_id of 257 bytes"
        )
        #expect(try badItem("i1,a,1,2,h||g\n") == "items.csv:2: hotel id of 0 bytes")
        #expect(try badItem("i1,a,1,2,h|h\n") == "items.csv:2: a hotel id twice in 'h|h'")
        #expect(try badItem("i1,a,1,2\n") == "items.csv:2: 4 fields")
        #expect(try badItem("i1,a,1,2,h\n\n") == "items.csv:3: 1 fields")
    }

    @Test("what RFC 4180 does not have is refused with its line")
    func badCSV() throws {
        #expect(try badItem("i1,a\"b,1,2,h\n") == "items.csv:2: a quote inside a field")
        #expect(try badItem("i1,\"a\"b,1,2,h\n") == "items.csv:2: something behind a closing quote")
        #expect(try badItem("i1,\"a,1,2,h\n") == "items.csv:2: a quoted field without an end")
        #expect(try badItem("i1,a\rb,1,2,h\n") == "items.csv:2: a carriage return inside a line")
        #expect(
            try badItem("i1,\"\(String(repeating: "x", count: 1 << 20))\",1,2,h\n")
                == "items.csv:2: a record over 1048576 bytes")
    }

    @Test("a header with a missing, an unknown or a repeated column is refused")
    func badHeaders() throws {
        for (header, got) in [
            ("item_id,name,price,department_id", "no column 'hotel_ids'"), ("", "an empty file"),
            ("item_id,name,price,department_id,hotel_ids,extra", "the column 'extra', too"),
            ("item_id,name,price,department_id,hotel_ids,name", "the column 'name', too"),
        ] {
            var files = try arrayFiles()
            files.items = try write(header, "items.csv")
            #expect(try badLine(files) == "items.csv:1: \(got)")
        }
    }

    // MARK: Interactions

    @Test("users and items that the id files lack, and values that are no positive numbers, are refused")
    func badInteractions() throws {
        func bad(_ text: String) throws -> String {
            var files = try arrayFiles()
            files.interactions = try write("user_id,item_id,value\nu1,i1,1\n" + text, "x.csv")
            return try badLine(files)
        }
        #expect(try bad("u9,i1,1\n") == "x.csv:3: user 'u9'")
        #expect(try bad("u1,i9,1\n") == "x.csv:3: item 'i9'")
        for value in ["", "0", "0.0", "-1", "+1", "nan", "inf", "0x1p3", "1e99", ".5", "1,5", "1e", " 1", "1e-99"] {
            #expect(try bad("u1,i1,\"\(value)\"\n") == "x.csv:3: the value '\(value)'")
        }
    }

    @Test("values that add up to infinity are refused")
    func infiniteSum() throws {
        for lines in ["u1,i1,3e38\nu1,i1,3e38\n", "u1,i1,3e38\nu2,i1,3e38\n"] {
            var files = try arrayFiles()
            files.interactions = try write("user_id,item_id,value\n" + lines, "x.csv")
            let error = try #require(throws: ImportError.self) { _ = try importModel(files) }
            guard case .mismatch = error else { throw error }
        }
    }

    @Test("random rubbish in every file is an error, never a trap", arguments: [1, 2, 3] as [UInt64])
    func rubbish(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let alphabet = Array("\"\",,\r\n\n|0i1u2h\u{0}x".utf8) + [0xC3, 0xFF]
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0...60, using: &rng)).map { _ in alphabet.randomElement(using: &rng) ?? 0 }
            var files = try arrayFiles()
            files.items = try directory.write(
                Data(Array("item_id,name,price,department_id,hotel_ids\n".utf8) + bytes), as: "r1")
            files.interactions = try directory.write(Data(Array("user_id,item_id,value\n".utf8) + bytes), as: "r2")
            if !bytes.isEmpty { #expect(throws: ImportError.self) { _ = try importModel(files) } }
        }
    }
}
