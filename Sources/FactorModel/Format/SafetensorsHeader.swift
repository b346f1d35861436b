import Foundation

/// The header of a safetensors file: which tensors lie where.
///
/// ```
/// byte 0   8 bytes, little-endian: length of the header
/// byte 8   the header: one JSON object, padded with spaces
///          {"__metadata__": {"format": …}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}
/// then     the tensors, one after another without a hole, offsets counted from here
/// ```
/// https://github.com/huggingface/safetensors#format
struct SafetensorsHeader: Equatable {
    /// Ours is about two kilobytes; a file that claims more than this is not ours.
    static let bytesMax = 1 << 20
    static let metadataKey = "__metadata__"

    struct Tensor: Codable, Equatable {
        var dtype: String
        var shape: [Int]
        var dataOffsets: [Int]

        enum CodingKeys: String, CodingKey {
            case dtype, shape
            case dataOffsets = "data_offsets"
        }
    }

    var metadata: [String: String] = [:]
    var tensors: [String: Tensor] = [:]

    // MARK: Reading

    /// Parses the header and checks that the tensors fill the data section exactly.
    ///
    /// - Parameters:
    ///   - json: the header's bytes.
    ///   - dataBytes: bytes of the file behind the header.
    init(json: Data, dataBytes: Int) throws(ModelFileError) {
        let entries: [String: Entry]
        do {
            entries = try JSONDecoder().decode([String: Entry].self, from: json)
        } catch {
            throw .badHeader(reason: "it is not a JSON object of tensors")
        }
        for (name, entry) in entries {
            switch entry {
            case .metadata(let metadata) where name == Self.metadataKey: self.metadata = metadata
            case .tensor(let tensor) where name != Self.metadataKey: tensors[name] = tensor
            default: throw .badHeader(reason: "an entry is neither metadata nor a tensor")
            }
        }
        try checkLayout(dataBytes)
    }

    /// Every byte of the data belongs to exactly one tensor: so no two tensors share memory, and a name given twice in
    /// the header, of which only one is seen, leaves a hole.
    private func checkLayout(_ dataBytes: Int) throws(ModelFileError) {
        var end = 0
        for (name, tensor) in tensors.sorted(by: { Self.begin($0.value) < Self.begin($1.value) }) {
            guard tensor.dataOffsets.count == 2 else {
                throw .badLayout(reason: "'\(name)' has \(tensor.dataOffsets.count) offsets, wanted 2")
            }
            let (begin, after) = (tensor.dataOffsets[0], tensor.dataOffsets[1])
            guard begin == end, after >= begin, after <= dataBytes else {
                throw .badLayout(reason: "'\(name)' lies at \(begin)..<\(after), wanted it to begin at \(end)")
            }
            guard let elementBytes = TensorType(rawValue: tensor.dtype)?.bytes else {
                throw .wrongType(tensor: name, got: tensor.dtype, wanted: "F32, I64, U64, U32 or U8")
            }
            guard let bytes = Self.product(tensor.shape, elementBytes), bytes == after - begin else {
                throw .badShape(
                    tensor: name, reason: "shape \(tensor.shape) of \(tensor.dtype) does not need \(after - begin) bytes")
            }
            end = after
        }
        guard end == dataBytes else {
            throw .badLayout(reason: "they end at \(end), the file at \(dataBytes)")
        }
    }

    private static func begin(_ tensor: Tensor) -> (Int, Int) {
        (tensor.dataOffsets.first ?? -1, tensor.dataOffsets.last ?? -1)
    }

    /// The product of the shape and `factor`, nil when it is negative or too large.
    private static func product(_ shape: [Int], _ factor: Int) -> Int? {
        shape.reduce(factor) { (product: Int?, length) in
            guard let product, length >= 0 else { return nil }
            let (result, overflow) = product.multipliedReportingOverflow(by: length)
            return overflow ? nil : result
        }
    }

    // MARK: Writing

    init(metadata: [String: String]) { self.metadata = metadata }

    /// The header length, the header and the spaces that bring the data to where it should begin.
    ///
    /// - Parameters:
    ///   - aligned: an offset in the data that should fall on a multiple of `alignment` in the file.
    func encoded(aligning aligned: Int, to alignment: Int) -> [UInt8] {
        var entries: [String: Entry] = tensors.mapValues { .tensor($0) }
        entries[Self.metadataKey] = .metadata(metadata)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard var json = (try? encoder.encode(entries)).map({ [UInt8]($0) }) else {
            preconditionFailure("BUG: a header that JSON cannot say")
        }
        let past = (8 + json.count + aligned) % alignment
        if past > 0 { json += [UInt8](repeating: UInt8(ascii: " "), count: alignment - past) }
        let length = (0..<8).map { UInt8(truncatingIfNeeded: json.count >> ($0 * 8)) }
        return length + json
    }

    /// One value of the header's object.
    private enum Entry: Codable {
        case tensor(Tensor)
        case metadata([String: String])

        init(from decoder: any Decoder) throws {
            if let tensor = try? Tensor(from: decoder) {
                self = .tensor(tensor)
            } else {
                self = .metadata(try [String: String](from: decoder))
            }
        }

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .tensor(let tensor): try tensor.encode(to: encoder)
            case .metadata(let metadata): try metadata.encode(to: encoder)
            }
        }
    }
}

/// The element types that a model file uses.
enum TensorType: String, Sendable {
    case f32 = "F32"
    case i64 = "I64"
    case u64 = "U64"
    case u32 = "U32"
    case u8 = "U8"

    var bytes: Int {
        switch self {
        case .i64, .u64: 8
        case .f32, .u32: 4
        case .u8: 1
        }
    }
}
