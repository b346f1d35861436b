import FactorModel
import Foundation
import TestSupport
import Testing

/// Damages a small model file in every way that fits a test and opens it: a typed error or a model that answers, never a trap.
@Suite("Hostile model file") struct HostileModelFileTests {
    private let directory: TemporaryDirectory
    private let file: [UInt8]
    private let headerBytes: Int

    init() throws {
        directory = try TemporaryDirectory()
        try writeModelFile(
            sampleContents(users: 4, items: 9, factors: 3, hotels: 2, countsByHotel: true), to: directory.file("sound"))
        file = [UInt8](try Data(contentsOf: URL(filePath: directory.file("sound"))))
        headerBytes = 8 + Int(file[0]) + Int(file[1]) << 8
    }

    /// Opens `bytes` as a file; asks it a few things when it opens.
    private func outcome(_ bytes: [UInt8], threads: Int = 1) throws -> ModelFileError? {
        let path = try directory.write(Data(bytes), as: "damaged")
        do throws(ModelFileError) {
            let model = try ModelSnapshot.open(path: path, threads: threads)
            ask(model)
            return nil
        } catch {
            #expect(!error.description.isEmpty)
            return error
        }
    }

    private func ask(_ model: ModelSnapshot) {
        let scratch = RecommendationScratch()
        for row in 0..<model.userCount {
            let user = UserIndex(row)
            #expect(model.user(id: model.withUserID(user, string)) == user)
            for hotels in [nil, (0..<model.hotelCount).map { HotelIndex($0) }] {
                _ = model.recommend(
                    RecommendationQuery(user: user, k: 5, hotels: hotels, excludeSeen: true), scratch: scratch)
                #expect(scratch.count <= 5)
                for rank in 0..<scratch.count {
                    #expect(scratch[rank].score.isFinite)
                    _ = departmentID(of: scratch[rank].item, in: model)
                    _ = model.withItemName(scratch[rank].item, string)
                }
                _ = model.popular(RecommendationQuery(user: user, k: 5, hotels: hotels), scratch: scratch)
            }
        }
    }

    @Test("a file cut at any byte is refused")
    func cut() throws {
        for length in 0..<file.count {
            #expect(try outcome(Array(file[..<length])) != nil, "cut at \(length)")
        }
        #expect(try outcome(file) == nil)
    }

    @Test("a file with a byte too many is refused")
    func longer() throws {
        #expect(try outcome(file + [0]) != nil)
    }

    @Test("a header with any bit flipped is refused")
    func headerBits() throws {
        for place in 0..<headerBytes {
            for bit in 0..<8 {
                var damaged = file
                damaged[place] ^= 1 << UInt8(bit)
                #expect(try outcome(damaged) != nil, "byte \(place) bit \(bit)")
            }
        }
    }

    @Test("flipped bits in the tensors give an error or a model that answers", arguments: [1, 2, 3] as [UInt64])
    func bodyBits(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        var refused = 0
        for _ in 0..<600 {
            var damaged = file
            for _ in 0..<Int.random(in: 1...3, using: &rng) {
                damaged[Int.random(in: headerBytes..<file.count, using: &rng)] ^=
                    1 << UInt8.random(in: 0...7, using: &rng)
            }
            if try outcome(damaged, threads: Int(seed)) != nil { refused += 1 }
        }
        // Ids, offsets, tables and order are most of this file; flips of names and factors can be sound.
        #expect(refused > 200 && refused < 600, "\(refused) refused, seed \(seed)")
    }

    @Test("random bytes in the tensors are refused or answer", arguments: [1, 2] as [UInt64])
    func randomBytes(seed: UInt64) throws {
        var rng = SplitMix64(seed: seed)
        for _ in 0..<200 {
            var damaged = file
            let start = Int.random(in: headerBytes..<file.count, using: &rng)
            for place in start..<min(start + Int.random(in: 1...64, using: &rng), file.count) {
                damaged[place] = UInt8.random(in: 0...255, using: &rng)
            }
            _ = try outcome(damaged)
        }
        #expect(try outcome(file) == nil)
    }

    @Test("what is no file, or not there, is said to be so")
    func noFile() throws {
        #expect(throws: ModelFileError.notAFile(path: directory.path)) {
            _ = try ModelSnapshot.open(path: directory.path)
        }
        #expect(throws: ModelFileError.notAFile(path: "/dev/zero")) { _ = try ModelSnapshot.open(path: "/dev/zero") }
        let absent = directory.file("absent")
        #expect(throws: ModelFileError.system(call: "open", path: absent, code: ENOENT)) {
            _ = try ModelSnapshot.open(path: absent)
        }
    }

    // MARK: One rule broken at a time

    /// Where the tensor `name` begins in the file.
    private func place(of name: String) throws -> Int {
        let header = try #require(
            try JSONSerialization.jsonObject(with: Data(file[8..<headerBytes])) as? [String: [String: Any]])
        return headerBytes + (try #require((header[name]?["data_offsets"] as? [Int])?.first))
    }

    private func withElement<Value: FixedWidthInteger>(
        _ value: Value, at index: Int, of name: String
    ) throws -> ModelFileError? {
        var damaged = file
        let start = try place(of: name) + index * MemoryLayout<Value>.size
        for byte in 0..<MemoryLayout<Value>.size {
            damaged[start + byte] = UInt8(truncatingIfNeeded: value >> Value(byte * 8))
        }
        return try outcome(damaged, threads: 2)
    }

    private func tensor(_ error: ModelFileError?) -> String? {
        if case .badValue(let tensor, _, _) = error { return tensor }
        return nil
    }

    @Test("each rule of the format is checked, and the error names the tensor")
    func rules() throws {
        let nan = Float.nan.bitPattern
        #expect(tensor(try withElement(UInt64(1), at: 0, of: "user_ids.offsets")) == "user_ids.offsets")
        #expect(tensor(try withElement(UInt64(1 << 40), at: 2, of: "item_ids.offsets")) == "item_ids.offsets")
        #expect(tensor(try withElement(UInt64.max, at: 1, of: "item_names.offsets")) == "item_names.offsets")
        #expect(tensor(try withElement(UInt8(0xFF), at: 0, of: "item_names.bytes")) == "item_names.bytes")
        #expect(tensor(try withElement(UInt8(0x80), at: 0, of: "user_ids.bytes")) == "user_ids.bytes")
        // The ids become 1000, 1000, 1002, 1003.
        #expect(tensor(try withElement(UInt8(ascii: "0"), at: 7, of: "user_ids.bytes")) == "user_ids.hash")
        #expect(tensor(try withElement(UInt32(77), at: 0, of: "user_ids.hash")) == "user_ids.hash")
        #expect(tensor(try withElement(UInt64(5), at: 0, of: "interactions.indptr")) == "interactions.indptr")
        #expect(tensor(try withElement(UInt64.max, at: 1, of: "interactions.indptr")) == "interactions.indptr")
        #expect(tensor(try withElement(UInt32(9), at: 0, of: "interactions.indices")) == "interactions.indices")
        #expect(tensor(try withElement(nan, at: 0, of: "interactions.values")) == "interactions.values")
        #expect(tensor(try withElement(Float(0).bitPattern, at: 1, of: "interactions.values")) == "interactions.values")
        #expect(tensor(try withElement(UInt32(9), at: 0, of: "hotel_items.indices")) == "hotel_items.indices")
        #expect(tensor(try withElement(UInt64.max, at: 1, of: "hotel_items.indptr")) == "hotel_items.indptr")
        #expect(tensor(try withElement(nan, at: 0, of: "hotel_items.popularity")) == "hotel_items.popularity")
        let negative = Float(-1).bitPattern
        #expect(tensor(try withElement(negative, at: 1, of: "hotel_items.popularity")) == "hotel_items.popularity")
        let most = ModelLimits.hotelPopularityMax
        #expect(try withElement(most.bitPattern, at: 1, of: "hotel_items.popularity") == nil)
        let more = most.nextUp.bitPattern
        #expect(tensor(try withElement(more, at: 1, of: "hotel_items.popularity")) == "hotel_items.popularity")
        #expect(tensor(try withElement(nan, at: 26, of: "item_factors")) == "item_factors")
        #expect(tensor(try withElement(Float(2e19).bitPattern, at: 11, of: "user_factors")) == "user_factors")
        #expect(tensor(try withElement(nan, at: 0, of: "item_popularity")) == "item_popularity")
        #expect(tensor(try withElement(UInt32(9), at: 8, of: "popularity_order")) == "popularity_order")
        #expect(tensor(try withElement(Int64(-2), at: 0, of: "item_price")) == "item_price")
        #expect(tensor(try withElement(UInt32(3), at: 0, of: "item_department")) == "item_department")
        #expect(tensor(try withElement(UInt8(ascii: "2"), at: 0, of: "department_ids.bytes")) == "department_ids.bytes")
    }

    @Test("counts by hotel belong to the second format, and to no other") func formats() throws {
        let plain = directory.file("plain")
        try writeModelFile(sampleContents(users: 4, items: 9, factors: 3, hotels: 2), to: plain)
        let without = [UInt8](try Data(contentsOf: URL(filePath: plain)))
        func renumbered(_ file: [UInt8], to number: Character) throws -> [UInt8] {
            let name = Array("nextloop-factors/".utf8)
            let place = try #require(file.indices.first { file[$0...].starts(with: name) })
            var changed = file
            changed[place + name.count] = try #require(number.asciiValue)
            return changed
        }
        #expect(try outcome(without) == nil)
        #expect(try outcome(renumbered(without, to: "2")) == .missingTensor("hotel_items.popularity"))
        #expect(try outcome(renumbered(file, to: "1")) == .unknownTensor("hotel_items.popularity"))
        #expect(try outcome(renumbered(file, to: "2")) == nil)
    }

    @Test("the error does not depend on the number of threads")
    func sameErrorForAnyThreads() throws {
        var damaged = file
        for name in ["item_price", "user_factors", "item_ids.offsets"] {
            for byte in 0..<16 { damaged[try place(of: name) + byte] = 0xFF }
        }
        let alone = try #require(try outcome(damaged))
        for threads in [2, 4, 8] { #expect(try outcome(damaged, threads: threads) == alone) }
    }
}
