/// An array as `numpy.save` writes it, as float32 in row-major order.
package struct NumPyArray: Equatable, Sendable {
    /// None for a number, one for a list, [rows, columns] for a matrix.
    package let shape: [Int]
    /// Row-major, whatever the order in the file. Not checked for NaN: that needs to know what the array is for.
    package let values: [Float]

    /// Reads a `.npy` file: format 1.0, 2.0 or 3.0; float32, float64 or integers, little-endian; C or Fortran order.
    ///
    /// float64 and integers are rounded to the nearest float32.
    ///
    /// - Complexity: the file once; the values and a quarter of a megabyte besides.
    package init(path: String) throws(ImportError) {
        let file = try InputFile(path)
        try self.init(file.stream(), path: path, byteCount: file.byteCount)
    }

    /// - Parameter byteCount: bytes of the stream, so that no memory is asked for that they cannot fill.
    init(_ stream: any ByteStream, path: String, byteCount: Int) throws(ImportError) {
        var cursor = ByteCursor(stream)
        let header = try NumPyHeader(&cursor, path: path)
        shape = header.shape
        let count = shape.reduce(1 as Int?) { (product: Int?, length) in
            guard let (result, overflow) = product?.multipliedReportingOverflow(by: length), !overflow else {
                return nil
            }
            return result
        }
        guard let count, count <= byteCount / header.type.bytes else {
            throw .badArray(
                path: path, got: "\(byteCount) bytes", wanted: "\(header.type.bytes) for each element of shape \(shape)"
            )
        }
        var reader = ElementReader(header, count: count)
        while case let piece = try cursor.rest(), !piece.isEmpty {
            guard reader.append(piece) else {
                throw .badArray(path: path, got: "more bytes than shape \(shape) has", wanted: "\(count) elements")
            }
        }
        guard let values = reader.finish() else {
            throw .badArray(path: path, got: "\(reader.elementCount) elements", wanted: "\(count) for shape \(shape)")
        }
        self.values = values
    }
}

/// Turns pieces of bytes into values in row-major order.
private struct ElementReader {
    private let header: NumPyHeader
    private let count: Int
    private var values: [Float] = []
    /// Bytes of an element that the last piece cut.
    private var cut: [UInt8] = []

    var elementCount: Int { values.count }

    init(_ header: NumPyHeader, count: Int) {
        self.header = header
        self.count = count
        values.reserveCapacity(count)
    }

    /// - Returns: false when there are more bytes than elements.
    mutating func append(_ piece: ArraySlice<UInt8>) -> Bool {
        let width = header.type.bytes
        var piece = piece
        if !cut.isEmpty {
            let missing = piece.prefix(width - cut.count)
            cut += missing
            piece = piece.dropFirst(missing.count)
            guard cut.count == width else { return values.count < count }
            decode(cut[...])
            cut = []
        }
        let whole = piece.count / width * width
        guard values.count + whole / width <= count else { return false }
        decode(piece.prefix(whole))
        cut = Array(piece.dropFirst(whole))
        return cut.isEmpty || values.count < count
    }

    /// - Returns: nil when elements are missing.
    func finish() -> [Float]? {
        guard values.count == count, cut.isEmpty else { return nil }
        guard header.isFortranOrder, header.shape.count == 2 else { return values }
        let (rows, columns) = (header.shape[0], header.shape[1])
        var rowMajor = [Float](repeating: 0, count: count)
        for column in 0..<columns {
            for row in 0..<rows { rowMajor[row * columns + column] = values[column * rows + row] }
        }
        return rowMajor
    }

    private mutating func decode(_ bytes: ArraySlice<UInt8>) {
        switch header.type {
        case .f4: append(bytes, UInt32.self) { Float(bitPattern: $0) }
        case .f8: append(bytes, UInt64.self) { Float(Double(bitPattern: $0)) }
        case .i1: append(bytes, UInt8.self) { Float(Int8(bitPattern: $0)) }
        case .i2: append(bytes, UInt16.self) { Float(Int16(bitPattern: $0)) }
        case .i4: append(bytes, UInt32.self) { Float(Int32(bitPattern: $0)) }
        case .i8: append(bytes, UInt64.self) { Float(Int64(bitPattern: $0)) }
        case .u1: append(bytes, UInt8.self) { Float($0) }
        case .u2: append(bytes, UInt16.self) { Float($0) }
        case .u4: append(bytes, UInt32.self) { Float($0) }
        case .u8: append(bytes, UInt64.self) { Float($0) }
        }
    }

    private mutating func append<Bits: FixedWidthInteger & UnsignedInteger>(
        _ bytes: ArraySlice<UInt8>, _ type: Bits.Type, _ value: (Bits) -> Float
    ) {
        let span = bytes.span
        let width = MemoryLayout<Bits>.size
        for start in stride(from: 0, to: span.count, by: width) {
            var bits: Bits = 0
            for byte in 0..<width { bits |= Bits(truncatingIfNeeded: span[start + byte]) << Bits(byte * 8) }
            values.append(value(bits))
        }
    }
}
