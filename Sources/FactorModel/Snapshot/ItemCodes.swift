package import VectorKernels

/// The item factors of a model in 4-bit codes, with the place of each row among them and the length of each vector: what
/// `codes.safetensors` holds, made here or mapped from there.
///
/// A function of the factors alone: the same bytes on every CPU, so a file can be compared with what it should be.
package struct ItemCodes: Sendable {
    let items: QuantizedItems
    /// [items], the inverse of the order in which the codes lie.
    let places: HeldColumn<UInt32>
    /// [items], |yᵢ|.
    let lengths: HeldColumn<Float>
    /// What they are mapped from; nil when they were made here.
    private let file: MappedFile?

    /// Makes the codes of a model.
    ///
    /// - Complexity: on one core about 0.4 s for a million items of 64 factors; 48 bytes an item of those.
    package init(of model: ModelSnapshot, kernels: Kernels = .best) {
        items = model.withItemFactors { kernels.quantize($0, factorCount: model.factorCount) }
        places = HeldColumn(items.placesOfRows())
        lengths = model.norms.ifMade ?? HeldColumn(model.itemLengths(kernels))
        file = nil
    }

    /// Maps a file of codes and checks that it fits the model: everything but that the codes are those of the factors, which
    /// takes as long as to make them, see ``checkMade(from:modelDigest:)``.
    ///
    /// So a file that passes can make no access outside of it or of the model, and one whose digest is right is what the
    /// publisher wrote. The file must not change while it is mapped.
    ///
    /// - Parameters:
    ///   - modelDigest: SHA-256 of the model file, in hexadecimal.
    ///   - checksValues: false for a file of which it is known that these very bytes passed before: no more is read then than keeps a
    ///     scan inside the file and the model.
    /// - Complexity: reads 16 of the 48 bytes an item, once; 4 without the values.
    package init(
        path: String, of model: ModelSnapshot, modelDigest: String, checksValues: Bool = true
    ) throws(ModelFileError) {
        let file = try MappedFile(path: path)
        let columns = try CodesColumns(
            file, itemCount: model.itemCount, factorCount: model.factorCount, modelDigest: modelDigest)
        items = try columns.items(in: file, factorCount: model.factorCount)
        if checksValues { try columns.validate(items) }
        places = HeldColumn(columns.places, in: file)
        lengths = HeldColumn(columns.lengths, in: file)
        self.file = file
    }

    /// Of the file, 0 when they were made here.
    var mappedBytes: Int { file?.byteCount ?? 0 }

    /// Maps all pages of the file now.
    func mapPages() { file?.populate() }

    /// Gives the pages of the file back, see ``ModelSnapshot/releasePages()``.
    func releasePages() { file?.releasePages() }

    // MARK: The file

    /// Writes the codes as a file: new, complete and synchronized, or not at all.
    ///
    /// - Parameter modelDigest: SHA-256 of the model file that they were made from, in hexadecimal.
    package func write(to path: String, modelDigest: String) throws(ModelFileError) {
        let file = try NewFile(path)
        try forEachPart(modelDigest) { (part) throws(ModelFileError) in try file.write(raw: part) }
        try file.finish()
    }

    /// Makes the codes anew and compares every byte of the file that these are mapped from.
    ///
    /// - Throws: `otherCodes` with the first byte that differs: the file could hide items.
    /// - Complexity: that of ``init(of:kernels:)``.
    package func checkMade(from model: ModelSnapshot, modelDigest: String) throws(ModelFileError) {
        guard let file else { return }
        var offset = 0
        try ItemCodes(of: model).forEachPart(modelDigest) { (wanted) throws(ModelFileError) in
            try file.withBytes { (got) throws(ModelFileError) in
                let rest = got.extracting(min(offset, got.byteCount)..<got.byteCount)
                if let place = firstDifference(rest, wanted) { throw .otherCodes(byte: offset + place) }
            }
            offset += wanted.byteCount
        }
        guard offset == file.byteCount else { throw .otherCodes(byte: offset) }
    }

    /// The bytes of the file from its first to its last, a part after the other.
    private func forEachPart(
        _ modelDigest: String, _ body: (RawSpan) throws(ModelFileError) -> Void
    ) throws(ModelFileError) {
        let header = CodesColumns.header(
            itemCount: lengths.column.count, factorCount: items.factorCount, modelDigest: modelDigest)
        // SAFETY, here and below: plain numbers without padding.
        try body(unsafe header.span.bytes)
        try items.withColumns { (blocks, reach, rows) throws(ModelFileError) in
            try body(unsafe blocks.bytes)
            try body(unsafe reach.bytes)
            try body(unsafe rows.bytes)
        }
        try places.column.withSpan { (places) throws(ModelFileError) in try body(unsafe places.bytes) }
        try lengths.column.withSpan { (lengths) throws(ModelFileError) in try body(unsafe lengths.bytes) }
    }
}

/// Where `got` is not what `wanted` is; nil when it begins with all of it.
private func firstDifference(_ got: RawSpan, _ wanted: RawSpan) -> Int? {
    let count = min(got.byteCount, wanted.byteCount)
    // SAFETY: every bit pattern is a number; the loads check their bounds.
    func word(_ bytes: RawSpan, _ place: Int) -> UInt64 {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self)
    }
    func byte(_ bytes: RawSpan, _ place: Int) -> UInt8 {
        unsafe bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self)
    }
    var place = 0
    while place + 8 <= count, word(got, place) == word(wanted, place) { place += 8 }
    while place < count, byte(got, place) == byte(wanted, place) { place += 1 }
    return place < wanted.byteCount ? place : nil
}
