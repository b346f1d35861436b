/// Finds tensors by name in a mapped safetensors file whose header it has checked.
struct TensorReader {
    private let file: MappedFile
    private let dataStart: Int
    private var left: [String: SafetensorsHeader.Tensor]
    let metadata: [String: String]
    /// What the metadata says, one of those that were wanted.
    let format: String

    /// - Parameter formats: what `__metadata__.format` may say.
    init(_ file: MappedFile, formats: [String]) throws(ModelFileError) {
        self.file = file
        let length = file.withBytes { bytes in
            (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes.byte(at: $1)) << UInt64($1 * 8) }
        }
        guard length >= 2, length <= UInt64(SafetensorsHeader.bytesMax), Int(length) <= file.byteCount - 8 else {
            throw .badHeaderLength(length, fileBytes: file.byteCount)
        }
        dataStart = 8 + Int(length)
        let json: Column<UInt8> = file.column(at: 8, count: Int(length))
        let dataBytes = file.byteCount - dataStart
        let header = try json.withSpan { (json) throws(ModelFileError) in
            try SafetensorsHeader(json: json, dataBytes: dataBytes)
        }
        format = header.metadata["format"] ?? ""
        guard formats.contains(format) else {
            throw .wrongFormat(got: String(format.prefix(64)), wanted: formats.joined(separator: " or "))
        }
        left = header.tensors
        metadata = header.metadata
    }

    func matrixShape(_ name: String) throws(ModelFileError) -> (rows: Int, columns: Int) {
        guard let tensor = left[name] else { throw .missingTensor(name) }
        guard tensor.shape.count == 2 else {
            throw .badShape(tensor: name, reason: "\(tensor.shape.count) dimensions, wanted 2")
        }
        let (rows, columns) = (tensor.shape[0], tensor.shape[1])
        guard rows <= ModelLimits.rowCountMax, (1...ModelLimits.factorCountMax).contains(columns) else {
            throw .badShape(
                tensor: name,
                reason: "\(rows) rows of \(columns) factors; wanted at most \(ModelLimits.rowCountMax) of 1 to "
                    + "\(ModelLimits.factorCountMax)")
        }
        return (rows, columns)
    }

    /// - Parameters:
    ///   - shape: nil for one dimension of any length.
    ///   - alignment: where in the file it may begin, on a multiple of this many bytes; nil for that of its elements.
    mutating func column<Element: BitwiseCopyable>(
        _ name: String, _ type: TensorType, shape: [Int]?, alignment: Int? = nil
    ) throws(ModelFileError) -> Column<Element> {
        guard let tensor = left.removeValue(forKey: name) else { throw .missingTensor(name) }
        guard tensor.type == type else {
            throw .wrongType(tensor: name, got: tensor.type.rawValue, wanted: type.rawValue)
        }
        if let shape {
            guard tensor.shape == shape else { throw .wrongShape(tensor: name, got: tensor.shape, wanted: shape) }
        } else if tensor.shape.count != 1 {
            throw .badShape(tensor: name, reason: "\(tensor.shape.count) dimensions, wanted 1")
        }
        let offset = dataStart + tensor.data.lowerBound
        let alignment = alignment ?? type.bytes
        guard offset.isMultiple(of: alignment) else {
            throw .badLayout(
                reason: "'\(name)' begins at byte \(offset) of the file, wanted a multiple of \(alignment)")
        }
        return file.column(at: offset, count: tensor.data.count / type.bytes)
    }

    /// A tensor that this format does not have is no addition but another format.
    func refuseLeftovers() throws(ModelFileError) {
        if let name = left.keys.min() { throw .unknownTensor(String(name.prefix(64))) }
    }
}

extension RawSpan {
    fileprivate func byte(at offset: Int) -> UInt8 {
        // SAFETY: every bit pattern is a UInt8; the load checks the bound.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}
