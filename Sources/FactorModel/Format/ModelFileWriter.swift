import Glibc
import VectorKernels

/// Writes a model file: new, complete and synchronized, or not at all.
///
/// - Throws: `badContents` when the contents break a rule that a reader would refuse, before anything is written;
///   `system` when the disk does.
/// - Complexity: one pass over the contents; what is made besides them is the hash tables and one megabyte.
package func writeModelFile(_ contents: ModelContents, to path: String) throws(ModelFileError) {
    try contents.validate()
    let sections = try sections(of: contents)
    var header = SafetensorsHeader(metadata: ["format": ModelTensors.format])
    var offset = 0
    var aligned = 0
    for section in sections {
        if section.name == ModelTensors.itemFactors { aligned = offset }
        header.tensors[section.name] = .init(
            dtype: section.type.rawValue, shape: section.shape, dataOffsets: [offset, offset + section.byteCount])
        offset += section.byteCount
    }
    let file = try NewFile(path)
    try file.write(header.encoded(aligning: aligned, to: ModelTensors.factorAlignment))
    for section in sections { try section.write(file) }
    try file.finish()
}

/// The tensors in the order of the file: eight-byte elements first, then four, then one, so that each is aligned
/// without holes, which the format forbids.
private func sections(of contents: ModelContents) throws(ModelFileError) -> [Section] {
    let catalogue = contents.catalogue
    let factors = contents.factors
    let hotelStarts = catalogue.hotelItems.reduce(into: [UInt64(0)]) { $0.append(($0.last ?? 0) + UInt64($1.count)) }
    let departments = Array(Set(catalogue.departmentIDs.compactMap { $0 })).sorted()
    let departmentRows = Dictionary(uniqueKeysWithValues: zip(departments, departments.indices.map(UInt32.init)))
    let texts: [(String, [String])] = [
        (ModelTensors.userIDs, contents.userIDs), (ModelTensors.itemIDs, catalogue.itemIDs),
        (ModelTensors.itemNames, catalogue.names), (ModelTensors.hotelIDs, catalogue.hotelIDs),
        (ModelTensors.departmentIDs, departments),
    ]
    var sections: [Section] = texts.map { Section(ModelTensors.offsets($0), .u64, offsets(of: $1)) }
    sections += [
        Section(ModelTensors.historyStarts, .u64, contents.interactions.indptr),
        Section(ModelTensors.hotelStarts, .u64, hotelStarts),
        Section(ModelTensors.itemPrice, .i64, catalogue.prices.map { $0 ?? ModelTensors.noPrice }),
        Section(ModelTensors.itemFactors, .f32, factors.itemFactors, [factors.itemCount, factors.factorCount]),
        Section(ModelTensors.userFactors, .f32, factors.userFactors, [factors.userCount, factors.factorCount]),
        Section(ModelTensors.historyStrengths, .f32, contents.interactions.values),
        Section(ModelTensors.itemPopularity, .f32, contents.itemPopularity),
        Section(ModelTensors.historyItems, .u32, contents.interactions.indices),
        Section(ModelTensors.hotelItems, .u32, catalogue.hotelItems.flatMap { $0 }),
        Section(ModelTensors.popularityOrder, .u32, popularityOrder(contents.itemPopularity)),
        Section(
            ModelTensors.itemDepartment, .u32,
            catalogue.departmentIDs.map { $0.flatMap { departmentRows[$0] } ?? ModelTensors.noDepartment }),
    ]
    for (name, ids) in texts.filter({ [ModelTensors.userIDs, ModelTensors.itemIDs, ModelTensors.hotelIDs].contains($0.0) }) {
        switch IDHash.table(of: ids) {
        case .success(let table): sections.append(Section(ModelTensors.hash(name), .u32, table))
        case .failure(let repeated): throw .badContents(reason: "\(name) has its row \(repeated.row) twice")
        }
    }
    return sections + texts.map { Section(ModelTensors.bytes($0), .u8, $1.flatMap(\.utf8)) }
}

private func offsets(of texts: [String]) -> [UInt64] {
    texts.reduce(into: [UInt64(0)]) { $0.append(($0.last ?? 0) + UInt64($1.utf8.count)) }
}

/// Item rows by popularity, the highest first; equal ones by row.
private func popularityOrder(_ popularity: [Float]) -> [UInt32] {
    popularity.indices.map(UInt32.init).sorted {
        let (a, b) = (popularity[Int($0)], popularity[Int($1)])
        return a > b || (a == b && $0 < $1)
    }
}

/// One tensor to be written.
private struct Section {
    let name: String
    let type: TensorType
    let shape: [Int]
    let byteCount: Int
    let write: (NewFile) throws(ModelFileError) -> Void

    init<Element: BitwiseCopyable>(_ name: String, _ type: TensorType, _ elements: [Element], _ shape: [Int]? = nil) {
        precondition(MemoryLayout<Element>.stride == type.bytes, "BUG: \(name) is no \(type.rawValue)")
        self.name = name
        self.type = type
        self.shape = shape ?? [elements.count]
        byteCount = elements.count * type.bytes
        write = { file throws(ModelFileError) in try file.write(elements) }
    }
}

/// A file being written for the first time. What is not finished is removed.
private final class NewFile {
    private let path: String
    private var file: Int32
    private var isFinished = false

    init(_ path: String) throws(ModelFileError) {
        self.path = path
        // SAFETY: the path is lent as a NUL-terminated string for the call.
        file = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw .system(call: "open", path: path, code: errno) }
    }

    deinit {
        if file >= 0 { close(file) }
        // SAFETY: as in init.
        if !isFinished, file >= 0 { unsafe unlink(path) }  // Never a file that was there before: it was made exclusively.
    }

    /// Little-endian, as the machine has them.
    func write<Element: BitwiseCopyable>(_ elements: [Element]) throws(ModelFileError) {
        let byteCount = elements.count * MemoryLayout<Element>.stride
        var written = 0
        while written < byteCount {
            // SAFETY: the range from `written` to the end is inside the array's memory.
            let count = unsafe elements.withUnsafeBytes { source in
                unsafe Glibc.write(
                    file, source.baseAddress.map { unsafe $0 + written }, min(byteCount - written, 1 << 30))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system(call: "write", path: path, code: errno) }
            written += count
        }
    }

    func finish() throws(ModelFileError) {
        guard fsync(file) == 0 else { throw .system(call: "fsync", path: path, code: errno) }
        isFinished = true
    }
}
