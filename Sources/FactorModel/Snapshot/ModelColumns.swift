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
        var reader = try TensorReader(
            file, formats: [ModelTensors.format, ModelTensors.formatWithHotelPopularity])
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
            reader.format == ModelTensors.formatWithHotelPopularity
            ? try reader.column(ModelTensors.hotelPopularity, .f32, shape: [hotelItems.count]) : nil
        itemPopularity = try reader.column(ModelTensors.itemPopularity, .f32, shape: [items])
        popularityOrder = try reader.column(ModelTensors.popularityOrder, .u32, shape: [items])
        itemPrice = try reader.column(ModelTensors.itemPrice, .i64, shape: [items])
        itemDepartment = try reader.column(ModelTensors.itemDepartment, .u32, shape: [items])
        try reader.refuseLeftovers()
    }
}

extension TensorReader {
    fileprivate mutating func texts(_ name: String, count: Int?) throws(ModelFileError) -> TextColumn {
        let offsets: Column<UInt64> = try column(ModelTensors.offsets(name), .u64, shape: count.map { [$0 + 1] })
        guard offsets.count >= 1 else {
            throw .badShape(
                tensor: ModelTensors.offsets(name), reason: "it is empty, wanted one more than there are texts")
        }
        return TextColumn(bytes: try column(ModelTensors.bytes(name), .u8, shape: nil), offsets: offsets)
    }

    fileprivate mutating func ids(_ name: String, count: Int?) throws(ModelFileError) -> IDColumn {
        let texts = try texts(name, count: count)
        let slots = IDHash.slotCount(forIDs: texts.count)
        return IDColumn(texts: texts, slots: try column(ModelTensors.hash(name), .u32, shape: [slots]))
    }
}
