import VectorKernels

/// The columns of a mapped file of codes, found and measured against a model.
///
/// ```
/// header          safetensors; metadata: the format and the SHA-256 of the model file
/// codes.blocks    U8, on a 64-byte boundary: the 4-bit codes, docs/kernels.md has their layout
/// codes.reach     F32, one a block: at least the length of every row in it and after it
/// codes.rows      U32 [I], which row of item_factors lies at each place
/// codes.places    U32 [I], the place of each row
/// item_lengths    F32 [I]
/// ```
struct CodesColumns {
    /// What `__metadata__.format` says. Codes that are made otherwise are another format.
    static let format = "nextloop-codes/1"
    private static let modelDigestKey = "model_sha256"
    private static let blocksName = "codes.blocks"
    private static let reachName = "codes.reach"
    private static let rowsName = "codes.rows"
    private static let placesName = "codes.places"
    private static let lengthsName = "item_lengths"
    /// A cache line, and a vector register of the widest kind.
    private static let blocksAlignment = 64

    /// A vector of a model is at most as long as the root of ``ModelLimits/squaredNormMax``; this leaves room for what codes are rounded up by.
    private static let lengthMax = 2 * ModelLimits.squaredNormMax.squareRoot()

    let blocks: Column<UInt8>
    let reach: Column<Float>
    let rows: Column<UInt32>
    let places: Column<UInt32>
    let lengths: Column<Float>

    /// Types, shapes and places in the file are right then; values are not looked at.
    init(_ file: MappedFile, itemCount: Int, factorCount: Int, modelDigest: String) throws(ModelFileError) {
        var reader = try TensorReader(file, formats: [Self.format])
        let digest = reader.metadata[Self.modelDigestKey] ?? ""
        guard digest == modelDigest else {
            throw .codesOfAnotherModel(got: String(digest.prefix(64)), wanted: modelDigest)
        }
        guard reader.metadata.count == 2 else {
            throw .badHeader(
                reason: "\(reader.metadata.count) entries of metadata, wanted format and \(Self.modelDigestKey)")
        }
        let shapes = Self.shapes(itemCount: itemCount, factorCount: factorCount)
        blocks = try reader.column(Self.blocksName, .u8, shape: [shapes.blockBytes], alignment: Self.blocksAlignment)
        reach = try reader.column(Self.reachName, .f32, shape: [shapes.blocks])
        rows = try reader.column(Self.rowsName, .u32, shape: [itemCount])
        places = try reader.column(Self.placesName, .u32, shape: [itemCount])
        lengths = try reader.column(Self.lengthsName, .f32, shape: [itemCount])
        try reader.refuseLeftovers()
    }

    private static func shapes(itemCount: Int, factorCount: Int) -> (blocks: Int, blockBytes: Int) {
        let blocks = QuantizedItems.blockCount(rowCount: itemCount)
        return (blocks, blocks * QuantizedItems.blockBytes(factorCount: factorCount))
    }

    /// The header of a file that holds these columns in this order, with its length before it.
    static func header(itemCount: Int, factorCount: Int, modelDigest: String) -> [UInt8] {
        let shapes = shapes(itemCount: itemCount, factorCount: factorCount)
        var header = SafetensorsHeader(metadata: ["format": format, modelDigestKey: modelDigest])
        var offset = 0
        for (name, type, count) in [
            (blocksName, TensorType.u8, shapes.blockBytes), (reachName, .f32, shapes.blocks),
            (rowsName, .u32, itemCount), (placesName, .u32, itemCount), (lengthsName, .f32, itemCount),
        ] {
            let end = offset + count * type.bytes
            header.tensors[name] = .init(type: type, shape: [count], data: offset..<end)
            offset = end
        }
        return header.encoded(aligning: 0, to: blocksAlignment)
    }

    /// The codes as a scan reads them, from where they lie.
    func items(in file: MappedFile, factorCount: Int) throws(ModelFileError) -> QuantizedItems {
        let items = blocks.withSpan { blocks in
            reach.withSpan { reach in
                rows.withSpan { rows in
                    unsafe blocks.withUnsafeBytes { blocks in
                        unsafe reach.withUnsafeBufferPointer { reach in
                            // SAFETY: columns of the file, which the items keep mapped.
                            unsafe rows.withUnsafeBufferPointer { rows in
                                unsafe QuantizedItems(
                                    rowCount: rows.count, factorCount: factorCount, blocks: blocks, reach: reach,
                                    rows: rows, owner: file)
                            }
                        }
                    }
                }
            }
        }
        guard let items else {
            throw .badValue(
                tensor: Self.rowsName, index: 0, reason: "it has no rows, or one outside the \(rows.count) items")
        }
        return items
    }

    /// Everything that a ranking relies on, so that no wrong value makes it end early or read elsewhere.
    ///
    /// - Parameter items: of these columns.
    /// - Complexity: one pass over all but the codes themselves.
    func validate(_ items: QuantizedItems) throws(ModelFileError) {
        if let place = items.firstUnsoundPlace(lengthMax: Self.lengthMax) {
            throw .badValue(
                tensor: Self.blocksName, index: place,
                reason:
                    "scale or error of the row at this place is not finite, negative or too large, or there is no such row"
            )
        }
        for block in 0..<reach.count {
            let (value, before) = (reach[block], block > 0 ? reach[block - 1] : Self.lengthMax)
            guard value >= 0, value <= before else {
                throw .badValue(
                    tensor: Self.reachName, index: block,
                    reason: "\(value) after \(before), wanted 0 to \(Self.lengthMax) and never rising")
            }
        }
        for place in 0..<rows.count {
            let row = Int(rows[place])
            guard row < places.count, Int(places[row]) == place else {
                throw .badValue(
                    tensor: Self.rowsName, index: place,
                    reason: "row \(row) is not at this place of '\(Self.placesName)', wanted each row at one place")
            }
        }
        for item in 0..<lengths.count where !(lengths[item] >= 0 && lengths[item].isFinite) {
            throw .badValue(
                tensor: Self.lengthsName, index: item, reason: "\(lengths[item]), wanted it finite and not negative")
        }
    }
}
