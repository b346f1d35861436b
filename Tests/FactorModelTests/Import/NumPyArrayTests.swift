import FactorModel
import Foundation
import TestSupport
import Testing

@Suite("NumPy array") struct NumPyArrayTests {
    /// A `.npy` file by hand.
    private func npy(_ header: String, _ data: [UInt8] = [], version: UInt8 = 1) -> [UInt8] {
        let text = Array(header.utf8)
        let length = (0..<(version == 1 ? 2 : 4)).map { UInt8(truncatingIfNeeded: text.count >> ($0 * 8)) }
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + data
    }

    private func header(_ descr: String, _ shape: String, fortran: Bool = false) -> String {
        "{'descr': '\(descr)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': \(shape), }"
            + String(repeating: " ", count: 11) + "\n"
    }

    private func bytes<Value: FixedWidthInteger>(_ values: [Value]) -> [UInt8] {
        values.flatMap { value in
            (0..<MemoryLayout<Value>.size).map { UInt8(truncatingIfNeeded: value >> Value($0 * 8)) }
        }
    }

    private func read(_ file: [UInt8]) throws -> NumPyArray {
        let directory = try TemporaryDirectory()
        return try NumPyArray(path: try directory.write(Data(file), as: "a.npy"))
    }

    private func refusal(_ file: [UInt8]) throws -> String {
        let error = try #require(throws: ImportError.self) { _ = try read(file) }
        guard case .badArray(_, let got, _) = error else { throw error }
        #expect(error.kind == .badData)
        return got
    }

    private let six = [1, -2, 3.5, 4, 5, 6] as [Float]

    @Test("versions 1, 2 and 3 are read alike", arguments: [1, 2, 3] as [UInt8])
    func versions(version: UInt8) throws {
        let array = try read(npy(header("<f4", "(2, 3)"), bytes(six.map(\.bitPattern)), version: version))
        #expect(array.shape == [2, 3] && array.values == six)
    }

    @Test("Fortran order comes out row-major")
    func fortranOrder() throws {
        let array = try read(npy(header("<f4", "(2, 3)", fortran: true), bytes(six.map(\.bitPattern))))
        #expect(array.values == [1, 3.5, 5, -2, 4, 6])
    }

    @Test("float64 and integers are rounded to float32")
    func elementTypes() throws {
        let doubles = [0.1, -1e30, 3].map { ($0 as Double).bitPattern }
        #expect(try read(npy(header("<f8", "(3,)"), bytes(doubles))).values == [0.1, -1e30, 3])
        #expect(try read(npy(header("|i1", "(2,)"), [0xFF, 0x7F])).values == [-1, 127])
        #expect(try read(npy(header("|u1", "(2,)"), [0xFF, 0x7F])).values == [255, 127])
        #expect(try read(npy(header("<i2", "(2,)"), bytes([-300, 300] as [Int16]))).values == [-300, 300])
        #expect(try read(npy(header("<u2", "(1,)"), bytes([65535] as [UInt16]))).values == [65535])
        #expect(try read(npy(header("<i4", "(2,)"), bytes([-70000, 1] as [Int32]))).values == [-70000, 1])
        #expect(try read(npy(header("<u4", "(1,)"), bytes([.max] as [UInt32]))).values == [4_294_967_296])
        #expect(try read(npy(header("<i8", "(1,)"), bytes([-5] as [Int64]))).values == [-5])
        #expect(try read(npy(header("<u8", "(1,)"), bytes([7] as [UInt64]))).values == [7])
    }

    @Test("elements are put together across the pieces that are read", arguments: [0, 1, 2, 3])
    func pieces(padding: Int) throws {
        // More than two pieces of 256 KiB, beginning at each offset in an element.
        let values = (0..<150_000).map { Float($0) }
        let text = header("<f4", "(150000,)").replacingOccurrences(
            of: "\n", with: String(repeating: " ", count: padding) + "\n")
        #expect(try read(npy(text, bytes(values.map(\.bitPattern)))).values == values)
    }

    @Test("a number, an empty list and an empty matrix have their shapes")
    func smallShapes() throws {
        #expect(try read(npy(header("<f4", "()"), bytes([six[0].bitPattern]))).shape == [])
        #expect(try read(npy(header("<f4", "(0,)"))).values == [])
        #expect(try read(npy(header("<f4", "(0, 3)"))).shape == [0, 3])
    }

    @Test("big-endian, pickled and other elements are refused in words")
    func refusedTypes() throws {
        #expect(try refusal(npy(header(">f4", "(1,)"), [0, 0, 0, 0])).contains("big-endian"))
        #expect(try refusal(npy(header("|O", "(1,)"), [0, 0, 0, 0])).contains("pickled"))
        for descr in ["<f2", "<c8", "|b1", "<U7", "=f4", ""] {
            #expect(try refusal(npy(header(descr, "(1,)"), [0, 0, 0, 0])).contains("elements of type"))
        }
        #expect(
            try refusal(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }\n")).contains(
                "structured"))
    }

    @Test(
        "a header that is not the literal of the format is refused",
        arguments: [
            "", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (01,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1)}",
            "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': 1}", "{'descr': '<f4",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        ])
    func refusedHeaders(text: String) throws {
        #expect(!(try refusal(npy(text, [0, 0, 0, 0]))).isEmpty)
    }

    @Test("a version that is not known and a beginning that is another are refused")
    func refusedVersions() throws {
        for version in [0, 4] as [UInt8] {
            #expect(try refusal(npy(header("<f4", "(1,)"), [0, 0, 0, 0], version: version)).contains("version"))
        }
        #expect(try refusal(Array("PK\u{3}\u{4} is no array".utf8)).contains("beginning"))
        #expect(try refusal([]).contains("beginning"))
    }

    @Test("more or fewer bytes than the shape needs are refused, before memory is asked for")
    func sizes() throws {
        #expect(try refusal(npy(header("<f4", "(2, 3)"), bytes(six.map(\.bitPattern)) + [0])).contains("more bytes"))
        #expect(try refusal(npy(header("<f4", "(2, 3)"), bytes(six.dropLast().map(\.bitPattern)))).contains("elements"))
        #expect(try refusal(npy(header("<f4", "(1000000000, 1000000000)"), [0])).contains("bytes"))
        #expect(try refusal(npy(header("<f4", "(9223372036854775807, 2)"), [0])).contains("bytes"))
    }

    @Test("a file cut at any byte, or with any bit of its header flipped, is refused or read, never a trap")
    func hostile() throws {
        let directory = try TemporaryDirectory()
        let file = npy(header("<f4", "(2, 3)"), bytes(six.map(\.bitPattern)))
        for length in file.indices {
            let path = try directory.write(Data(file[..<length]), as: "cut")
            #expect(throws: ImportError.self, "cut at \(length)") { _ = try NumPyArray(path: path) }
        }
        for bit in 0..<(file.count - 24) * 8 {
            var damaged = file
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let path = try directory.write(Data(damaged), as: "flipped")
            // '<f4' to '<i4'-like flips and quotes are sound arrays of the same size.
            if let array = try? NumPyArray(path: path) { #expect(array.values.count == 6 || array.shape.isEmpty) }
        }
    }

    @Test("a file that is not there is missing, a directory is bad data")
    func noFile() throws {
        let directory = try TemporaryDirectory()
        let missing = try #require(throws: ImportError.self) { _ = try NumPyArray(path: directory.file("absent")) }
        #expect(
            missing == .system(call: "open", path: directory.file("absent"), code: ENOENT) && missing.kind == .missing)
        let wrong = try #require(throws: ImportError.self) { _ = try NumPyArray(path: directory.path) }
        #expect(wrong == .notAFile(path: directory.path) && wrong.kind == .badData)
    }
}
