import FactorModel
import Foundation
import TestSupport
import Testing

/// Headers by hand, read by the loader: each says what is wrong with it.
@Suite("Safetensors header") struct SafetensorsHeaderTests {
    private func error(header: String, length: UInt64? = nil, data: Int = 0) throws -> ModelFileError {
        let json = Array(header.utf8)
        let size = length ?? UInt64(json.count)
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: size >> UInt64($0 * 8)) }
        let directory = try TemporaryDirectory()
        let path = try directory.write(Data(bytes + json + [UInt8](repeating: 0, count: data)), as: "m")
        return try #require(throws: ModelFileError.self) { _ = try ModelSnapshot.open(path: path) }
    }

    private let formats = "nextloop-factors/1 or nextloop-factors/2"
    private let format = "\"__metadata__\":{\"format\":\"nextloop-factors/1\"}"

    @Test(
        "a length that does not fit the file or the bound is refused",
        arguments: [0, 1, 3, 1 << 20 + 1, 1 << 63, .max] as [UInt64])
    func length(length: UInt64) throws {
        #expect(try error(header: "{}", length: length) == .badHeaderLength(length, fileBytes: 10))
    }

    @Test("a header at the bound is read, one past it is not")
    func lengthBound() throws {
        let bound = 1 << 20
        let padded = "{}" + String(repeating: " ", count: bound - 2)
        #expect(try error(header: padded) == .wrongFormat(got: "", wanted: formats))
        #expect(try error(header: padded + " ") == .badHeaderLength(UInt64(bound + 1), fileBytes: bound + 9))
    }

    @Test(
        "what the grammar does not have is refused",
        arguments: [
            "[]", " {}", "{ ", "} ", "{}x", "{}\n", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1}", "{\"a\":{}",
            "{\"a\":null}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}",
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"extra\":[0]}}",
            "{\"a\\u0062\":{}}", "{\"a\u{1}\":{}}", "{\"__metadata__\":{\"a\":1}}",
            "{\"__metadata__\":{\"a\":\"b\",\"a\":\"b\"}}", "{\"__metadata__\":{},\"__metadata__\":{}}",
            "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}",
        ])
    func grammar(header: String) throws {
        let error = try error(header: header, data: 4)
        guard case .badHeader(let reason) = error else { throw error }
        #expect(reason.contains("at byte"))
    }

    @Test("more entries than the bound are refused")
    func entries() throws {
        func header(_ count: Int) -> String {
            "{"
                + (0..<count).map { "\"\($0)\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}" }.joined(
                    separator: ",") + "}"
        }
        #expect(try error(header: header(1024)) == .wrongFormat(got: "", wanted: formats))
        guard case .badHeader = try error(header: header(1025)) else { throw try error(header: header(1025)) }
    }

    @Test("tensors overlap, leave a hole or end early: each is a bad layout")
    func layout() throws {
        for (offsets, data) in [("[1,5]", 5), ("[0,4]", 5), ("[0,4]", 3)] {
            let error = try error(
                header: "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":\(offsets)}}", data: data)
            guard case .badLayout = error else { throw error }
        }
        let twice = try error(
            header: "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
                + "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", data: 4)
        guard case .badLayout = twice else { throw twice }
    }

    @Test("a shape that needs other bytes than it has is refused, also when it overflows")
    func shapes() throws {
        for shape in ["[2]", "[]", "[4611686018427387904,4611686018427387904]", "[0]"] {
            let error = try error(
                header: "{\"a\":{\"dtype\":\"U8\",\"shape\":\(shape),\"data_offsets\":[0,4]}}", data: 4)
            guard case .badShape(tensor: "a", _) = error else { throw error }
        }
    }

    @Test("another format, an unknown type, a missing and an unknown tensor are named")
    func names() throws {
        #expect(
            try error(header: "{\"__metadata__\":{\"format\":\"nextloop-factors/3\"}}")
                == .wrongFormat(got: "nextloop-factors/3", wanted: formats))
        #expect(
            try error(header: "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", data: 4)
                == .wrongType(tensor: "a", got: "F16", wanted: "F32, I64, U64, U32 or U8"))
        #expect(try error(header: "{\(format)}") == .missingTensor("item_factors"))

        let directory = try TemporaryDirectory()
        try writeModelFile(sampleContents(), to: directory.file("m"))
        let file = [UInt8](try Data(contentsOf: URL(filePath: directory.file("m"))))
        let length = Int(file[0]) + Int(file[1]) << 8
        var header = String(decoding: file[8..<8 + length], as: UTF8.self)
        let close = try #require(header.lastIndex(of: "}"))
        header = header[..<close] + ",\"extra\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}"
        // Behind another length the data may sit unaligned, which is told first: eight-byte steps keep it.
        while header.utf8.count % 8 != 0 { header += " " }
        let size = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> ($0 * 8)) }
        let path = try directory.write(Data(size + Array(header.utf8) + file[(8 + length)...]), as: "extra")
        #expect(throws: ModelFileError.unknownTensor("extra")) { _ = try ModelSnapshot.open(path: path) }
        let shifted = (0..<8).map { UInt8(truncatingIfNeeded: (header.utf8.count + 1) >> ($0 * 8)) }
        let unaligned = try directory.write(
            Data(shifted + Array((header + " ").utf8) + file[(8 + length)...]), as: "odd")
        let error = try #require(throws: ModelFileError.self) { _ = try ModelSnapshot.open(path: unaligned) }
        guard case .badLayout = error else { throw error }
    }
}
