import ArgumentParser
import FactorModel
import Foundation

/// How the benchmarks hand a matrix to each other: little-endian, no padding.
///
///     u64 rows, columns, interactions | u64 indptr [rows + 1] | u32 indices [interactions] | f32 values [interactions]
enum MatrixFile {
    static func write(_ matrix: InteractionMatrix, to path: String) throws {
        var data = Data()
        append([UInt64(matrix.rowCount), UInt64(matrix.columnCount), UInt64(matrix.interactionCount)], to: &data)
        append(matrix.indptr, to: &data)
        append(matrix.indices, to: &data)
        append(matrix.values, to: &data)
        try data.write(to: URL(filePath: path))
    }

    static func read(_ path: String) throws -> InteractionMatrix {
        let data = try Data(contentsOf: URL(filePath: path), options: .mappedIfSafe)
        var offset = 0
        func take<Value: BitwiseCopyable>(_ count: UInt64, of zero: Value) throws -> [Value] {
            let (bytes, overflow) = Int(clamping: count).multipliedReportingOverflow(by: MemoryLayout<Value>.size)
            guard !overflow, bytes <= data.count - offset else {
                throw ValidationError("\(path): \(data.count) bytes; wanted \(bytes) more at byte \(offset)")
            }
            var values = [Value](repeating: zero, count: Int(count))
            // SAFETY: the array has exactly that many bytes, and any bits are a value of these types.
            unsafe values.withUnsafeMutableBytes { to in
                _ = unsafe data.copyBytes(to: to, from: offset..<offset + bytes)
            }
            offset += bytes
            return values
        }
        let shape = try take(3, of: UInt64(0))
        guard shape[0] < UInt64(UInt32.max), shape[1] < UInt64(UInt32.max) else {
            throw ValidationError("\(path): \(shape[0]) × \(shape[1]) is more than 32-bit rows can name")
        }
        let indptr = try take(shape[0] + 1, of: UInt64(0))
        let indices = try take(shape[2], of: UInt32(0))
        let values = try take(shape[2], of: Float(0))
        guard indptr.first == 0, indptr.last == shape[2], zip(indptr, indptr.dropFirst()).allSatisfy({ $0 <= $1 })
        else { throw ValidationError("\(path): indptr does not rise from 0 to \(shape[2])") }
        return InteractionMatrix(
            rowCount: Int(shape[0]), columnCount: Int(shape[1]), indptr: indptr, indices: indices, values: values)
    }

    /// Raw numbers, for `numpy.fromfile`.
    static func write<Value: BitwiseCopyable>(_ values: [Value], to path: String) throws {
        var data = Data()
        append(values, to: &data)
        try data.write(to: URL(filePath: path))
    }

    private static func append<Value: BitwiseCopyable>(_ values: [Value], to data: inout Data) {
        // SAFETY: the bytes are only read, during the call.
        unsafe values.withUnsafeBytes { unsafe data.append(contentsOf: $0) }
    }
}
