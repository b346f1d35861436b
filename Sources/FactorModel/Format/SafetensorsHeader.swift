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
    /// The format allows 100 MB. Ours is about three kilobytes, and the loader knows every tensor that it may name.
    static let bytesMax = 1 << 20
    static let metadataKey = "__metadata__"

    struct Tensor: Equatable {
        var type: TensorType
        var shape: [Int]
        /// Where its bytes are, counted from the end of the header.
        var data: Range<Int>
    }

    var metadata: [String: String] = [:]
    var tensors: [String: Tensor] = [:]

    init(metadata: [String: String]) { self.metadata = metadata }

    /// Parses the header and checks that the tensors fill the data section exactly.
    ///
    /// - Parameters:
    ///   - json: the header's bytes, with the padding.
    ///   - dataBytes: bytes of the file behind the header.
    init(json: Span<UInt8>, dataBytes: Int) throws(ModelFileError) {
        var parser = SafetensorsHeaderParser()
        try parser.parse(json)
        metadata = parser.metadata
        tensors = parser.tensors
        try checkLayout(dataBytes)
    }

    /// Every byte of the data belongs to exactly one tensor, and every tensor has the bytes that its shape needs.
    private func checkLayout(_ dataBytes: Int) throws(ModelFileError) {
        var end = 0
        let inFileOrder = tensors.sorted {
            ($0.value.data.lowerBound, $0.value.data.upperBound) < ($1.value.data.lowerBound, $1.value.data.upperBound)
        }
        for (name, tensor) in inFileOrder {
            guard tensor.data.lowerBound == end else {
                throw .badLayout(
                    reason:
                        "'\(name)' begins at \(tensor.data.lowerBound) of the data, wanted \(end), where the one before ends"
                )
            }
            guard let bytes = Self.product(tensor.shape, tensor.type.bytes), bytes == tensor.data.count else {
                throw .badShape(
                    tensor: name,
                    reason: "shape \(tensor.shape) of \(tensor.type.rawValue) does not need \(tensor.data.count) bytes")
            }
            end = tensor.data.upperBound
        }
        guard end == dataBytes else {
            throw .badLayout(reason: "they end at \(end) of the data, the file at \(dataBytes)")
        }
    }

    /// The product of the shape and `factor`, nil when it is too large.
    private static func product(_ shape: [Int], _ factor: Int) -> Int? {
        shape.reduce(factor) { (product: Int?, length) in
            guard let (result, overflow) = product?.multipliedReportingOverflow(by: length), !overflow else {
                return nil
            }
            return result
        }
    }

    /// The header length, the header and the spaces that bring the data to where it should begin.
    ///
    /// Tensors are in the order of the file, as the format asks for.
    ///
    /// - Parameters:
    ///   - aligned: an offset in the data that should fall on a multiple of `alignment` in the file.
    /// - Precondition: names, keys and values need no escapes in JSON: ours are plain ASCII.
    func encoded(aligning aligned: Int, to alignment: Int) -> [UInt8] {
        let pairs = metadata.sorted { $0.key < $1.key }.map { "\(Self.quoted($0.key)):\(Self.quoted($0.value))" }
        var entries = ["\"\(Self.metadataKey)\":{\(pairs.joined(separator: ","))}"]
        for (name, tensor) in tensors.sorted(by: {
            ($0.value.data.lowerBound, $0.key) < ($1.value.data.lowerBound, $1.key)
        }) {
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            entries.append(
                "\(Self.quoted(name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(tensor.data.lowerBound),\(tensor.data.upperBound)]}")
        }
        var json = Array("{\(entries.joined(separator: ","))}".utf8)
        let past = (8 + json.count + aligned) % alignment
        if past > 0 { json += [UInt8](repeating: UInt8(ascii: " "), count: alignment - past) }
        let length = UInt64(json.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + json
    }

    private static func quoted(_ text: String) -> String {
        precondition(
            text.utf8.allSatisfy { (0x20..<0x7F).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") },
            "BUG: a header text that needs escapes")
        return "\"\(text)\""
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
