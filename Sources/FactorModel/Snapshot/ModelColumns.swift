/// Every tensor of a mapped model file, found and measured. Types, shapes and places are right; values are not looked at.
struct ModelColumns: Sendable {
    let itemFactors: Column<Float>
    let userFactors: Column<Float>
    let factorCount: Int
    let userIDs: IDColumn
    let itemIDs: IDColumn
    let hotelIDs: IDColumn
    let departmentIDs: TextColumn
    let itemNames: TextColumn
    let historyStarts: Column<UInt64>
    let historyItems: Column<UInt32>
    let historyStrengths: Column<Float>
    let hotelStarts: Column<UInt64>
    let hotelItems: Column<UInt32>
    /// At the places of `hotelItems`; nil in a model that does not hold it.
    let hotelPopularity: Column<Float>?
    let itemPopularity: Column<Float>
    let popularityOrder: Column<UInt32>
    let itemPrice: Column<Int64>
    let itemDepartment: Column<UInt32>
    let foldIn: FoldInParameters?

    init(_ file: MappedFile) throws(ModelFileError) {
        var reader = try ModelFileReader(file)
        foldIn = try FoldInParameters(metadata: reader.metadata)
        let itemShape = try reader.matrixShape(ModelTensors.itemFactors)
        let userShape = try reader.matrixShape(ModelTensors.userFactors)
        let (items, users) = (itemShape.rows, userShape.rows)
        factorCount = itemShape.columns
        guard userShape.columns == factorCount else {
            throw .wrongShape(
                tensor: ModelTensors.userFactors, got: [users, userShape.columns], wanted: [users, factorCount])
        }
        itemFactors = try reader.column(ModelTensors.itemFactors, .f32, shape: [items, factorCount])
        userFactors = try reader.column(ModelTensors.userFactors, .f32, shape: [users, factorCount])
        userIDs = try reader.ids(ModelTensors.userIDs, count: users)
        itemIDs = try reader.ids(ModelTensors.itemIDs, count: items)
        hotelIDs = try reader.ids(ModelTensors.hotelIDs, count: nil)
        departmentIDs = try reader.texts(ModelTensors.departmentIDs, count: nil)
        itemNames = try reader.texts(ModelTensors.itemNames, count: items)
        historyStarts = try reader.column(ModelTensors.historyStarts, .u64, shape: [users + 1])
        historyItems = try reader.column(ModelTensors.historyItems, .u32, shape: nil)
        historyStrengths = try reader.column(ModelTensors.historyStrengths, .f32, shape: [historyItems.count])
        hotelStarts = try reader.column(ModelTensors.hotelStarts, .u64, shape: [hotelIDs.count + 1])
        hotelItems = try reader.column(ModelTensors.hotelItems, .u32, shape: nil)
        hotelPopularity =
            reader.hasHotelPopularity
            ? try reader.column(ModelTensors.hotelPopularity, .f32, shape: [hotelItems.count]) : nil
        itemPopularity = try reader.column(ModelTensors.itemPopularity, .f32, shape: [items])
        popularityOrder = try reader.column(ModelTensors.popularityOrder, .u32, shape: [items])
        itemPrice = try reader.column(ModelTensors.itemPrice, .i64, shape: [items])
        itemDepartment = try reader.column(ModelTensors.itemDepartment, .u32, shape: [items])
        try reader.refuseLeftovers()
    }
}

/// Finds tensors by name in a mapped file whose header has been checked.
private struct ModelFileReader {
    private let file: MappedFile
    private let dataStart: Int
    private var left: [String: SafetensorsHeader.Tensor]
    let metadata: [String: String]
    /// Whether it is the format with counts by hotel.
    let hasHotelPopularity: Bool

    init(_ file: MappedFile) throws(ModelFileError) {
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
        let format = header.metadata["format"] ?? ""
        hasHotelPopularity = format == ModelTensors.formatWithHotelPopularity
        guard hasHotelPopularity || format == ModelTensors.format else {
            throw .wrongFormat(
                got: String(format.prefix(64)),
                wanted: "\(ModelTensors.format) or \(ModelTensors.formatWithHotelPopularity)")
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

    /// - Parameter shape: nil for one dimension of any length.
    mutating func column<Element: BitwiseCopyable>(
        _ name: String, _ type: TensorType, shape: [Int]?
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
        guard offset.isMultiple(of: type.bytes) else {
            throw .badLayout(
                reason: "'\(name)' begins at byte \(offset) of the file, wanted a multiple of \(type.bytes)")
        }
        return file.column(at: offset, count: tensor.data.count / type.bytes)
    }

    mutating func texts(_ name: String, count: Int?) throws(ModelFileError) -> TextColumn {
        let offsets: Column<UInt64> = try column(ModelTensors.offsets(name), .u64, shape: count.map { [$0 + 1] })
        guard offsets.count >= 1 else {
            throw .badShape(
                tensor: ModelTensors.offsets(name), reason: "it is empty, wanted one more than there are texts")
        }
        return TextColumn(bytes: try column(ModelTensors.bytes(name), .u8, shape: nil), offsets: offsets)
    }

    mutating func ids(_ name: String, count: Int?) throws(ModelFileError) -> IDColumn {
        let texts = try texts(name, count: count)
        let slots = IDHash.slotCount(forIDs: texts.count)
        return IDColumn(texts: texts, slots: try column(ModelTensors.hash(name), .u32, shape: [slots]))
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
