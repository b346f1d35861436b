/// What item factors were trained with, and so what a user vector has to be solved with to fit them.
///
/// They travel in the `__metadata__` of the model file, as decimal texts: `alpha`, `regularization`, `confidence`.
package struct FoldInParameters: Equatable, Sendable {
    /// How the strength r of an interaction becomes its confidence c.
    package enum Confidence: String, Sendable, CaseIterable {
        /// c = 1 + alpha · r: Hu, Koren and Volinsky, and `nextloop train`.
        case onePlusAlphaR = "1 + alpha * r"
        /// c = alpha · r: the Python library implicit.
        case alphaR = "alpha * r"
    }

    /// Above 0, at most ``alphaMax``.
    package var alpha: Float
    /// λ, added to the diagonal as it is; 0 to ``regularizationMax``.
    package var regularization: Float
    package var confidence: Confidence

    package static let alphaMax: Float = 1e6
    package static let regularizationMax: Float = 1e9

    package init(alpha: Float, regularization: Float, confidence: Confidence = .onePlusAlphaR) {
        self.alpha = alpha
        self.regularization = regularization
        self.confidence = confidence
    }

    /// c of one interaction.
    func confidence(ofStrength strength: Double) -> Double {
        switch confidence {
        case .onePlusAlphaR: 1 + Double(alpha) * strength
        case .alphaR: Double(alpha) * strength
        }
    }

    /// What is wrong with the values, nil when nothing is.
    package var badness: String? {
        if !(alpha > 0 && alpha <= Self.alphaMax) {
            return "alpha is \(alpha), wanted above 0, at most \(Self.alphaMax)"
        }
        if !(regularization >= 0 && regularization <= Self.regularizationMax) {
            return "regularization is \(regularization), wanted 0 to \(Self.regularizationMax)"
        }
        return nil
    }
}

// MARK: In the model file

extension FoldInParameters {
    private static let alphaKey = "alpha"
    private static let regularizationKey = "regularization"
    private static let confidenceKey = "confidence"

    /// The shortest decimals that read back as the same float32.
    var metadata: [String: String] {
        [
            Self.alphaKey: "\(alpha)", Self.regularizationKey: "\(regularization)",
            Self.confidenceKey: confidence.rawValue,
        ]
    }

    /// - Returns: nil when the file says nothing of its training.
    /// - Throws: `badHeader` for one value without the other, or one that is no number in its bounds. A file that does not name the
    ///   confidence means the usual one.
    init?(metadata: [String: String]) throws(ModelFileError) {
        let texts = (metadata[Self.alphaKey], metadata[Self.regularizationKey])
        if texts.0 == nil, texts.1 == nil, metadata[Self.confidenceKey] == nil { return nil }
        guard let alphaText = texts.0, let regularizationText = texts.1 else {
            throw .badHeader(reason: "metadata has alpha or regularization or confidence alone, wanted the first two")
        }
        let confidenceText = metadata[Self.confidenceKey] ?? Confidence.onePlusAlphaR.rawValue
        guard let confidence = Confidence(rawValue: confidenceText) else {
            let known = Confidence.allCases.map { "'\($0.rawValue)'" }.joined(separator: " or ")
            throw .badHeader(reason: "metadata confidence is '\(confidenceText.prefix(64))', wanted \(known)")
        }
        self.init(
            alpha: try Self.number(alphaText, Self.alphaKey),
            regularization: try Self.number(regularizationText, Self.regularizationKey), confidence: confidence)
        if let badness { throw .badHeader(reason: "metadata \(badness)") }
    }

    /// A decimal: `Float.init` would also take hexadecimal, "inf" and "nan".
    private static func number(_ text: String, _ key: String) throws(ModelFileError) -> Float {
        guard text.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }), let number = Float(text) else {
            throw .badHeader(reason: "metadata \(key) is '\(text.prefix(64))', wanted a decimal number")
        }
        return number
    }
}
