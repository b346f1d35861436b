import FactorModel
import Foundation
import TestSupport
import Testing
import VectorKernels

/// The file of codes: what it holds, and that a damaged one is refused or harmless.
@Suite("Item codes") struct ItemCodesTests {
    private static let digest = String(repeating: "5a", count: 32)

    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func written(
        _ model: ModelSnapshot, kernels: Kernels = .best, digest: String = digest
    ) throws -> [UInt8] {
        let path = directory.file("\(UInt64.random(in: 0...UInt64.max)).codes")
        try ItemCodes(of: model, kernels: kernels).write(to: path, modelDigest: digest)
        return [UInt8](try Data(contentsOf: URL(filePath: path)))
    }

    private func opened(
        _ bytes: [UInt8], of model: ModelSnapshot, digest: String = digest
    ) throws(ModelFileError) -> ItemCodes {
        guard let path = try? directory.write(Data(bytes), as: "codes.safetensors") else {
            preconditionFailure("the temporary directory cannot be written")
        }
        return try ItemCodes(path: path, of: model, modelDigest: digest)
    }

    @Test("the same model makes the same bytes on every path")
    func sameBytes() throws {
        for (items, factors) in [(1, 1), (9, 3), (65, 16), (4500, 20)] {
            let contents = sampleContents(items: items, factors: factors, scale: 3)
            let model = try openedModel(contents, in: directory)
            let expected = try written(model, kernels: try #require(Kernels(.portable)))
            for path in Kernels.available {
                #expect(try written(model, kernels: try #require(Kernels(path))) == expected, "\(path) \(items)")
            }
            // Also when the lengths were asked for first.
            let other = try openedModel(contents, in: directory)
            _ = other.similar(
                to: ItemIndex(0), RecommendationQuery(user: nil, k: 1), scratch: RecommendationScratch())
            #expect(try written(other) == expected)
            try opened(expected, of: model).checkMade(from: model, modelDigest: Self.digest)
        }
    }

    @Test("the file is the safetensors layout of the format's page: names, types, shapes, blocks on a cache line")
    func layout() throws {
        let model = try openedModel(sampleContents(items: 65, factors: 9), in: directory)
        let file = try written(model)
        let headerBytes = 8 + Int(file[0]) + Int(file[1]) << 8
        #expect(headerBytes.isMultiple(of: 64))
        let header = try #require(
            try JSONSerialization.jsonObject(with: Data(file[8..<headerBytes])) as? [String: [String: Any]])
        #expect(
            header["__metadata__"] as? [String: String] == ["format": "nextloop-codes/1", "model_sha256": Self.digest])
        let shapes = header.compactMapValues { $0["shape"] as? [Int] }
        // Two times four blocks of 64 bytes for constants and for each eight factors.
        #expect(
            shapes == [
                "codes.blocks": [8 * 64 * 3], "codes.reach": [8], "codes.rows": [65], "codes.places": [65],
                "item_lengths": [65],
            ])
        #expect(
            header.compactMapValues { $0["dtype"] as? String } == [
                "codes.blocks": "U8", "codes.reach": "F32", "codes.rows": "U32", "codes.places": "U32",
                "item_lengths": "F32",
            ])
        #expect((header["codes.blocks"]?["data_offsets"] as? [Int])?.first == 0)
        #expect(file.count == headerBytes + 8 * 64 * 3 + 4 * (8 + 3 * 65))
    }

    @Test("answers are those of a model that makes its codes, and of one that has none", arguments: [1, 2] as [UInt64])
    func sameAnswers(seed: UInt64) throws {
        let contents = sampleContents(users: 6, items: 6000, factors: 24, hotels: 3, seed: seed)
        let plain = try openedModel(contents, in: directory)
        let made = try openedModel(contents, in: directory)
        made.prepare()
        let mapped = try openedModel(contents, in: directory)
        let before = mapped.mappedBytes
        let file = try written(plain)
        let codes = try opened(file, of: mapped)
        mapped.prepare { codes }
        #expect(mapped.mappedBytes == before + file.count, "the codes that were given are those that are used")
        #expect(made.mappedBytes == before)
        let scratch = RecommendationScratch()
        func answers(_ model: ModelSnapshot, _ query: RecommendationQuery, _ item: ItemIndex) -> [[EngineOracle.Ranked]]
        {
            _ = model.recommend(query, scratch: scratch)
            let ranked = scratch.ranked
            _ = model.similar(to: item, query, scratch: scratch)
            return [ranked, scratch.ranked]
        }
        var rng = SplitMix64(seed: seed)
        for round in 0..<200 {
            // Asked again when its pages were given back.
            if round == 100 { mapped.releasePages() }
            let query = randomQuery(contents, using: &rng)
            let item = ItemIndex(Int.random(in: 0..<6000, using: &rng))
            let expected = answers(plain, query, item)
            #expect(answers(made, query, item) == expected, "\(query)")
            #expect(answers(mapped, query, item) == expected, "\(query)")
        }
    }

    @Test("codes are asked for once, and of a model without items never")
    func askedOnce() throws {
        var asked = 0
        let model = try openedModel(sampleContents(items: 9), in: directory)
        for _ in 0..<3 {
            model.prepare {
                asked += 1
                return nil
            }
        }
        #expect(asked == 1)
        try openedModel(sampleContents(items: 0), in: directory).prepare {
            asked += 1
            return nil
        }
        #expect(asked == 1)
    }

    @Test("the longest vectors that a model may have, the shortest and none at all have codes that open")
    func extremes() throws {
        for factors in [1, 16, 1024] {
            var contents = sampleContents(items: 70, factors: factors)
            let most = ModelLimits.squaredNormMax.squareRoot().nextDown
            var matrix = contents.factors.itemFactors.map { $0 * most / Float(4 * factors) }
            func set(_ item: Int, _ value: (Int) -> Float) {
                for factor in 0..<factors { matrix[item * factors + factor] = value(factor) }
            }
            // All in one factor, evenly, alternating; as short as can be; nothing.
            set(0) { $0 == factors - 1 ? -most : 0 }
            set(1) { _ in most / Float(factors).squareRoot() * 0.999 }
            set(2) { most / Float(factors).squareRoot() * ($0 % 2 == 0 ? 0.999 : -0.999) }
            set(3) { $0 == 0 ? .leastNonzeroMagnitude : 0 }
            set(4) { $0 % 3 == 0 ? most / Float(factors).squareRoot() * 0.999 : .leastNonzeroMagnitude }
            set(5) { _ in 0 }
            set(6) { _ in -0.0 }
            contents.factors = Factors(
                factorCount: factors, userFactors: contents.factors.userFactors, itemFactors: matrix)
            let model = try openedModel(contents, in: directory)
            let codes = try opened(try written(model), of: model)
            try codes.checkMade(from: model, modelDigest: Self.digest)
        }
    }

    // MARK: Hostile files

    private func smallModel() throws -> ModelSnapshot {
        try openedModel(sampleContents(users: 4, items: 70, factors: 3, hotels: 2), in: directory)
    }

    private func outcome(_ bytes: [UInt8], _ model: ModelSnapshot, digest: String = digest) -> ModelFileError? {
        do throws(ModelFileError) {
            _ = try opened(bytes, of: model, digest: digest)
            return nil
        } catch {
            #expect(!error.description.isEmpty)
            return error
        }
    }

    @Test("a file cut at any byte, with a byte too many or with any bit of its header flipped is refused")
    func cutAndFlipped() throws {
        let model = try smallModel()
        let file = try written(model)
        let headerBytes = 8 + Int(file[0]) + Int(file[1]) << 8
        #expect(outcome(file, model) == nil)
        #expect(outcome(file + [0], model) != nil)
        for length in 0..<file.count { #expect(outcome(Array(file[..<length]), model) != nil, "cut at \(length)") }
        for place in 0..<headerBytes {
            for bit in 0..<8 {
                var damaged = file
                damaged[place] ^= 1 << UInt8(bit)
                #expect(outcome(damaged, model) != nil, "byte \(place) bit \(bit)")
            }
        }
    }

    @Test(
        "a body with any bit flipped is refused or answers without a trap, and never passes for codes made from the factors"
    )
    func bodyBits() throws {
        // So many that a ranking of two reads the codes.
        let count = 320
        let contents = sampleContents(users: 2, items: count, factors: 3, hotels: 2)
        let file = try written(try openedModel(contents, in: directory))
        let path = directory.file("model")
        try writeModelFile(contents, to: path)
        let headerBytes = 8 + Int(file[0]) + Int(file[1]) << 8
        let scratch = RecommendationScratch()
        // Blocks of 128 bytes and their reach, then rows and places.
        let blocks = QuantizedItems.blockCount(rowCount: count)
        let numbers = headerBytes + blocks * 132..<headerBytes + blocks * 132 + 2 * count * 4
        // Every third byte: every bit of every byte would take minutes.
        for place in stride(from: headerBytes, to: file.count, by: 3) {
            // The sign among them.
            for bit in Set([place % 8, 7]) {
                var damaged = file
                damaged[place] ^= 1 << UInt8(bit)
                let model = try ModelSnapshot.open(path: path)
                do throws(ModelFileError) {
                    let codes = try opened(damaged, of: model)
                    #expect(!numbers.contains(place), "byte \(place) bit \(bit): a row or a place leads elsewhere")
                    let error = #expect(throws: ModelFileError.self) {
                        try codes.checkMade(from: model, modelDigest: Self.digest)
                    }
                    #expect(error == .otherCodes(byte: place))
                    model.prepare { codes }
                    _ = model.recommend(RecommendationQuery(user: UserIndex(0), k: 2), scratch: scratch)
                    #expect(scratch.count <= 2)
                } catch {
                    continue
                }
            }
        }
    }

    @Test(
        "random bytes are refused for their constants; with sound ones they answer something, never with a trap",
        arguments: [1, 2, 3] as [UInt64])
    func randomCodes(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        let contents = sampleContents(users: 4, items: 5000, factors: 16, hotels: 2, seed: seed)
        let model = try openedModel(contents, in: directory)
        var file = try written(model)
        let sound = file
        let start = 8 + Int(file[0]) + Int(file[1]) << 8
        let groupBytes = 4 * QuantizedItems.blockBytes(factorCount: 16)
        let blockCount = QuantizedItems.blockCount(rowCount: 5000)
        let end = start + blockCount / 4 * groupBytes
        for place in start..<end { file[place] = seed == 3 ? 0x7F : UInt8.random(in: 0...255, using: &rng) }
        guard case .badValue("codes.blocks", _, _) = outcome(file, model) else {
            Issue.record("random constants are taken")
            return
        }
        // Scales and errors as large as can be, or of other rows; those behind the last row as they were.
        let most = UInt32((8 * ModelLimits.squaredNormMax.squareRoot()).bitPattern >> 16)
        for row in 0..<blockCount * 16 {
            let place = start + row / 64 * groupBytes + row % 64 * 4
            let other = start + Int.random(in: 0..<78, using: &rng) * groupBytes + row % 64 * 4
            for byte in 0..<4 {
                let largest = UInt8(truncatingIfNeeded: (most << 16 | most) >> UInt32(8 * byte))
                file[place + byte] = row >= 5000 ? sound[place + byte] : seed == 2 ? sound[other + byte] : largest
            }
        }
        // Reach as large as can be, so that no block ends a scan.
        let longest = (2 * ModelLimits.squaredNormMax.squareRoot()).bitPattern
        for place in end..<end + 4 * blockCount {
            file[place] = UInt8(truncatingIfNeeded: longest >> UInt32(8 * ((place - end) % 4)))
        }
        let codes = try opened(file, of: model)
        model.prepare { codes }
        let scratch = RecommendationScratch()
        for _ in 0..<300 {
            let query = randomQuery(contents, using: &rng)
            _ = model.recommend(query, scratch: scratch)
            #expect(scratch.count <= query.k)
            #expect(scratch.ranked.allSatisfy { $0.item < 5000 && $0.score.isFinite })
        }
    }

    @Test("each rule is checked, and the error names the tensor and the place")
    func rules() throws {
        let model = try smallModel()
        let file = try written(model)
        let headerBytes = 8 + Int(file[0]) + Int(file[1]) << 8
        let header = try #require(
            try JSONSerialization.jsonObject(with: Data(file[8..<headerBytes])) as? [String: [String: Any]])
        func place(_ name: String, _ index: Int) throws -> Int {
            headerBytes + (try #require((header[name]?["data_offsets"] as? [Int])?.first)) + 4 * index
        }
        func element(_ name: String, _ index: Int) throws -> UInt32 {
            let start = try place(name, index)
            return (0..<4).reduce(0) { $0 | UInt32(file[start + $1]) << UInt32(8 * $1) }
        }
        func with(_ values: [(UInt32, Int)], in name: String) throws -> ModelFileError? {
            var damaged = file
            for (value, index) in values {
                for byte in 0..<4 {
                    damaged[try place(name, index) + byte] = UInt8(truncatingIfNeeded: value >> UInt32(8 * byte))
                }
            }
            return outcome(damaged, model)
        }
        func told(_ error: ModelFileError?) -> String? {
            if case .badValue(let tensor, let index, _) = error { return "\(tensor) \(index)" }
            return nil
        }
        let reach = "codes.reach"
        #expect(told(try with([(Float.nan.bitPattern, 2)], in: reach)) == "\(reach) 2")
        #expect(told(try with([(Float.infinity.bitPattern, 0)], in: reach)) == "\(reach) 0")
        #expect(told(try with([(Float(-1).bitPattern, 7)], in: reach)) == "\(reach) 7")
        let longest = 2 * ModelLimits.squaredNormMax.squareRoot()
        #expect(try with([(longest.bitPattern, 0)], in: reach) == nil)
        #expect(told(try with([(longest.nextUp.bitPattern, 0)], in: reach)) == "\(reach) 0")

        // Scale above error, both bfloat16, at the beginning of each group of 64 rows: 70 rows, so 58 places without one.
        let blocks = "codes.blocks"
        let most = UInt32((4 * longest).bitPattern >> 16)
        #expect(try with([(most << 16 | most, 3)], in: blocks) == nil)
        #expect(try with([((most | 0x8000) << 16, 3)], in: blocks) == nil, "a scale may be negative")
        for bad in [(most + 1) << 16, most + 1, 0x7f80, 0x7fc0 << 16, 0xff80, 0x8000] as [UInt32] {
            #expect(told(try with([(bad, 3)], in: blocks)) == "\(blocks) 3", "\(bad)")
        }
        // Behind the 64 constants come the codes: four bytes for each of 64 rows and eight factors.
        #expect(try element(blocks, 2 * 64 + 6) == 0xff80)
        for bad in [0, 0x7f80, 0x1_ff80] as [UInt32] {
            #expect(told(try with([(bad, 2 * 64 + 6)], in: blocks)) == "\(blocks) 70", "\(bad)")
        }
        let first = Float(bitPattern: try element(reach, 0))
        #expect(told(try with([(first.nextUp.bitPattern, 1)], in: reach)) == "\(reach) 1")
        #expect(try with([(first.bitPattern, 1)], in: reach) == nil, "level is not rising")

        #expect(told(try with([(70, 3)], in: "codes.rows")) == "codes.rows 0", "outside the items")
        #expect(told(try with([(.max, 69)], in: "codes.rows")) == "codes.rows 0")
        let (a, b) = (try element("codes.rows", 4), try element("codes.rows", 5))
        #expect(told(try with([(b, 4)], in: "codes.rows")) == "codes.rows 4", "a row at two places")
        #expect(
            told(try with([(b, 4), (a, 5)], in: "codes.rows")) == "codes.rows 4", "a permutation of another inverse")
        #expect(told(try with([(70, Int(a))], in: "codes.places")) == "codes.rows 4")
        #expect(told(try with([(5, Int(a))], in: "codes.places")) == "codes.rows 4")

        for bad in [Float.nan, .infinity, -.infinity, -1] {
            #expect(told(try with([(bad.bitPattern, 69)], in: "item_lengths")) == "item_lengths 69")
        }
        for good in [Float(0), .leastNonzeroMagnitude, .greatestFiniteMagnitude] {
            #expect(try with([(good.bitPattern, 69)], in: "item_lengths") == nil)
        }
    }

    @Test("codes of another model are refused by its digest, and by its shape when they claim this one's")
    func otherModel() throws {
        let model = try smallModel()
        let other = String(repeating: "0", count: 64)
        #expect(
            outcome(try written(model, digest: other), model)
                == .codesOfAnotherModel(got: other, wanted: Self.digest))
        #expect(outcome(try written(model), model, digest: "") == .codesOfAnotherModel(got: Self.digest, wanted: ""))
        // As many blocks, one item less; as many items, one group of factors more.
        let fewer = try openedModel(sampleContents(items: 69, factors: 3), in: directory)
        #expect(outcome(try written(fewer), model) == .wrongShape(tensor: "codes.rows", got: [69], wanted: [70]))
        let wider = try openedModel(sampleContents(items: 70, factors: 9), in: directory)
        #expect(
            outcome(try written(wider), model)
                == .wrongShape(tensor: "codes.blocks", got: [8 * 192], wanted: [8 * 128]))
        // The same shape from other factors: only making them anew tells.
        let factors = try openedModel(sampleContents(items: 70, factors: 3, seed: 2), in: directory)
        let codes = try opened(try written(factors), of: model)
        #expect(throws: ModelFileError.self) { try codes.checkMade(from: model, modelDigest: Self.digest) }
        try codes.checkMade(from: factors, modelDigest: Self.digest)
        // A model file is no file of codes, nor the other way round.
        let path = directory.file("model")
        try writeModelFile(sampleContents(), to: path)
        #expect(
            outcome([UInt8](try Data(contentsOf: URL(filePath: path))), model)
                == .wrongFormat(got: "nextloop-factors/1", wanted: "nextloop-codes/1"))
        let empty = try openedModel(sampleContents(items: 0), in: directory)
        #expect(outcome(try written(empty), empty) != nil, "a model without items has none")
    }

    @Test("nothing is written over, and a directory that is not there is said to be so")
    func writing() throws {
        let codes = ItemCodes(of: try smallModel())
        let path = try directory.write(Data("mine".utf8), as: "there")
        #expect(throws: ModelFileError.system(call: "open", path: path, code: EEXIST)) {
            try codes.write(to: path, modelDigest: Self.digest)
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "mine")
        let nowhere = directory.file("absent/codes")
        #expect(throws: ModelFileError.system(call: "open", path: nowhere, code: ENOENT)) {
            try codes.write(to: nowhere, modelDigest: Self.digest)
        }
    }
}
