/// A model saved by the Python library implicit: `AlternatingLeastSquares.save("als.npz")`.
///
/// implicit 0.7 writes the two factor matrices and its settings as arrays of one zip archive; settings that are None are
/// left out. Older versions and other models of the library that have the two matrices are read just as well.
package struct ImplicitModelFile: Equatable, Sendable {
    /// What the model says of its training, as far as it says so.
    package struct Settings: Equatable, Sendable {
        package var factors: Int?
        package var iterations: Int?
        package var regularization: Double?
        package var alpha: Double?

        /// The two of them, when the file has both and they are in bounds. implicit's confidence is alpha times the value of an
        /// interaction, not one more.
        package var foldIn: FoldInParameters? {
            guard let alpha, let regularization else { return nil }
            let parameters = FoldInParameters(
                alpha: Float(alpha), regularization: Float(regularization), confidence: .alphaR)
            return parameters.badness == nil ? parameters : nil
        }
    }

    package let userFactors: NumPyArray
    package let itemFactors: NumPyArray
    package let settings: Settings

    package init(path: String) throws(ImportError) {
        let archive = try ZipArchive(path: path)
        userFactors = try Self.array("user_factors", archive, path)
        itemFactors = try Self.array("item_factors", archive, path)
        settings = Settings(
            factors: try Self.number("factors", archive, path).flatMap { Int(exactly: $0) },
            iterations: try Self.number("iterations", archive, path).flatMap { Int(exactly: $0) },
            regularization: try Self.number("regularization", archive, path),
            alpha: try Self.number("alpha", archive, path))
    }

    private static func array(_ name: String, _ archive: ZipArchive, _ path: String) throws(ImportError) -> NumPyArray {
        guard let (stream, byteCount) = try archive.stream("\(name).npy") else {
            throw .badArchive(
                path: path,
                got: "arrays \(archive.names.prefix(20).map { ImportError.excerpt($0) }.joined(separator: ", "))",
                wanted: "'user_factors.npy' and 'item_factors.npy', as a model of implicit has them")
        }
        return try NumPyArray(stream, path: "\(path):\(name).npy", byteCount: byteCount)
    }

    /// A setting: an array of no dimension. Its float32 digits are turned back into the decimal that was meant, so that
    /// 0.01 is 0.01.
    private static func number(_ name: String, _ archive: ZipArchive, _ path: String) throws(ImportError) -> Double? {
        guard let (stream, byteCount) = try archive.stream("\(name).npy") else { return nil }
        let array = try NumPyArray(stream, path: "\(path):\(name).npy", byteCount: byteCount)
        guard array.shape.isEmpty else {
            throw .badArray(path: "\(path):\(name).npy", got: "shape \(array.shape)", wanted: "one number")
        }
        return Double("\(array.values[0])")
    }
}
