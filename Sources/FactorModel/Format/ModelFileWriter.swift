/// Writes a model file: new, complete and synchronized, or not at all.
///
/// - Throws: `badContents` when the contents break a rule that a reader would refuse, before anything is written;
///   `system` when the disk does, or when there is something at `path` already.
/// - Complexity: one pass over the contents. Besides them it takes the hash tables, the popularity order and one
///   megabyte; the factors and the history go to the disk from where they are.
package func writeModelFile(_ contents: ModelContents, to path: String) throws(ModelFileError) {
    try contents.validate()
    let sections = try ModelFileSections(contents).sections
    var metadata = contents.foldIn?.metadata ?? [:]
    metadata["format"] =
        contents.hotelPopularity == nil ? ModelTensors.format : ModelTensors.formatWithHotelPopularity
    var header = SafetensorsHeader(metadata: metadata)
    var offset = 0
    var aligned = 0
    for section in sections {
        if section.name == ModelTensors.itemFactors { aligned = offset }
        header.tensors[section.name] = .init(
            type: section.type, shape: section.shape, data: offset..<offset + section.byteCount)
        offset += section.byteCount
    }
    let file = try NewFile(path)
    try file.write(header.encoded(aligning: aligned, to: ModelTensors.factorAlignment))
    for section in sections { try section.write(file) }
    try file.finish()
}

/// One tensor to be written.
private struct Section {
    let name: String
    let type: TensorType
    let shape: [Int]
    let write: (NewFile) throws(ModelFileError) -> Void

    var byteCount: Int { shape.reduce(type.bytes, *) }

    /// Elements that are in memory as they are in the file.
    init<Element: BitwiseCopyable>(_ name: String, _ type: TensorType, _ elements: [Element], shape: [Int]? = nil) {
        precondition(MemoryLayout<Element>.stride == type.bytes, "BUG: \(name) is no \(type.rawValue)")
        self.init(name, type, shape: shape ?? [elements.count]) { file throws(ModelFileError) in
            try file.write(elements)
        }
    }

    init(
        _ name: String, _ type: TensorType, shape: [Int], _ write: @escaping (NewFile) throws(ModelFileError) -> Void
    ) {
        self.name = name
        self.type = type
        self.shape = shape
        self.write = write
    }
}

/// The tensors in the order of the file: eight-byte elements first, then four, then one, so that each is aligned
/// without holes, which the format forbids.
private struct ModelFileSections {
    private(set) var sections: [Section] = []

    init(_ contents: ModelContents) throws(ModelFileError) {
        let catalogue = contents.catalogue
        let factors = contents.factors
        let (departments, departmentRows) = numberDepartments(catalogue.departmentIDs)
        let ids = [
            (ModelTensors.userIDs, contents.userIDs), (ModelTensors.itemIDs, catalogue.itemIDs),
            (ModelTensors.hotelIDs, catalogue.hotelIDs),
        ]
        let texts = ids + [(ModelTensors.departmentIDs, departments), (ModelTensors.itemNames, catalogue.names)]

        for (name, texts) in texts { addOffsets(ModelTensors.offsets(name), texts) }
        add(Section(ModelTensors.historyStarts, .u64, contents.interactions.indptr))
        add(Section(ModelTensors.hotelStarts, .u64, runningSum(catalogue.hotelItems.map(\.count))))
        add(
            Section(ModelTensors.itemPrice, .i64, shape: [catalogue.itemCount]) { file throws(ModelFileError) in
                try file.write(each: catalogue.prices.lazy.map { $0 ?? ModelTensors.noPrice })
            })

        add(
            Section(
                ModelTensors.itemFactors, .f32, factors.itemFactors, shape: [factors.itemCount, factors.factorCount]))
        add(
            Section(
                ModelTensors.userFactors, .f32, factors.userFactors, shape: [factors.userCount, factors.factorCount]))
        add(Section(ModelTensors.historyStrengths, .f32, contents.interactions.values))
        add(Section(ModelTensors.itemPopularity, .f32, contents.itemPopularity))
        let hotelItemCount = catalogue.hotelItems.reduce(0) { $0 + $1.count }
        if let popularity = contents.hotelPopularity {
            add(
                Section(ModelTensors.hotelPopularity, .f32, shape: [hotelItemCount]) { file throws(ModelFileError) in
                    for counts in popularity { try file.write(counts) }
                })
        }
        add(Section(ModelTensors.historyItems, .u32, contents.interactions.indices))
        add(
            Section(ModelTensors.hotelItems, .u32, shape: [hotelItemCount]) { file throws(ModelFileError) in
                for items in catalogue.hotelItems { try file.write(items) }
            })
        add(Section(ModelTensors.popularityOrder, .u32, popularityOrder(contents.itemPopularity)))
        add(Section(ModelTensors.itemDepartment, .u32, departmentRows))
        for (name, ids) in ids { add(Section(ModelTensors.hash(name), .u32, try hashTable(name, ids))) }

        for (name, texts) in texts { addBytes(ModelTensors.bytes(name), texts) }
    }

    private mutating func add(_ section: Section) { sections.append(section) }

    private mutating func addOffsets(_ name: String, _ texts: [String]) {
        add(
            Section(name, .u64, shape: [texts.count + 1]) { file throws(ModelFileError) in
                var end: UInt64 = 0
                try file.write(each: CollectionOfOne(end))
                try file.write(
                    each: texts.lazy.map { text in
                        end += UInt64(text.utf8.count)
                        return end
                    })
            })
    }

    private mutating func addBytes(_ name: String, _ texts: [String]) {
        let byteCount = texts.reduce(0) { $0 + $1.utf8.count }
        add(
            Section(name, .u8, shape: [byteCount]) { file throws(ModelFileError) in
                for text in texts { try file.write(text: text) }
            })
    }
}

private func hashTable(_ name: String, _ ids: [String]) throws(ModelFileError) -> [UInt32] {
    do throws(IDHash.Failure) {
        return try IDHash.table(of: ids)
    } catch {
        switch error {
        case .repeated(let row): throw .badContents(reason: "\(name) has the id of row \(row) twice; wanted each once")
        case .crowded(let row):
            throw .badContents(
                reason:
                    "\(name) has more than \(IDHash.probeCountMax) ids that hash alike, at row \(row); rename some of them"
            )
        }
    }
}

private func runningSum(_ counts: [Int]) -> [UInt64] {
    var sums: [UInt64] = [0]
    for count in counts { sums.append(sums[sums.count - 1] + UInt64(count)) }
    return sums
}

/// Item rows by popularity, the highest first; equal ones by row.
private func popularityOrder(_ popularity: [Float]) -> [UInt32] {
    popularity.indices.map { UInt32($0) }.sorted {
        let (a, b) = (popularity[Int($0)], popularity[Int($1)])
        return a > b || (a == b && $0 < $1)
    }
}

/// The departments in ascending order of their bytes, and each item's row among them.
private func numberDepartments(_ ids: [String?]) -> (departments: [String], rows: [UInt32]) {
    // By bytes, as ids are compared everywhere, and not by Swift's equality of strings.
    let keys = ids.map { $0.map { Array($0.utf8) } }
    let sorted = Set(keys.compactMap { $0 }).sorted { $0.lexicographicallyPrecedes($1) }
    var rowOf: [[UInt8]: UInt32] = [:]
    for (row, key) in sorted.enumerated() { rowOf[key] = UInt32(row) }
    let rows = keys.map { key in key.flatMap { rowOf[$0] } ?? ModelTensors.noDepartment }
    return (sorted.map { String(decoding: $0, as: UTF8.self) }, rows)
}
