package import VectorKernels

/// Settings of implicit-feedback ALS. The defaults are those of `nextloop train`.
package struct ALSConfiguration: Equatable, Sendable {
    /// Length of a user's and an item's vector, 1...1024. A multiple of 16 is computed at full speed.
    package var factors = 64
    /// Times that all users and then all items are solved, 1...1000.
    package var iterations = 15
    /// λ: added to the diagonal as it is, not scaled by a row's interactions. Finite, not negative; 0 has no unique
    /// solution when there are fewer rows than factors (conjugate gradient then gives one of them, Cholesky an error).
    package var regularization: Float = 0.01
    /// A user who took an item r times prefers it with confidence 1 + alpha · r. Above 0, at most 1e6.
    package var alpha: Float = 40
    /// Of the initial factors.
    package var seed: UInt64 = 42
    /// 1...256. Changes the time, never a bit of the result.
    package var threads = 1
    /// Conjugate gradient takes 1...1000 steps a row.
    package var solver = RowSolver.conjugateGradient(steps: 3)
    /// Whether every iteration reports its loss. The last one always does.
    package var reportsLoss = true

    package init() {}

    package static let factorsBounds = 1...ALSSide.factorCountMax
    package static let iterationsBounds = 1...1000
    package static let stepsBounds = 1...1000
    package static let threadsBounds = 1...256
    package static let alphaMax: Float = 1e6
    package static let regularizationMax: Float = 1e9

    /// - Throws: ``TrainingError/invalidSetting(name:got:wanted:)`` for the first setting outside its bounds.
    package func validate() throws(TrainingError) {
        try check("factors", factors, in: Self.factorsBounds)
        try check("iterations", iterations, in: Self.iterationsBounds)
        try check("threads", threads, in: Self.threadsBounds)
        guard regularization >= 0, regularization <= Self.regularizationMax else {
            throw .invalidSetting(
                name: "regularization", got: "\(regularization)", wanted: "0 to \(Self.regularizationMax)")
        }
        guard alpha > 0, alpha <= Self.alphaMax else {
            throw .invalidSetting(name: "alpha", got: "\(alpha)", wanted: "above 0, at most \(Self.alphaMax)")
        }
        if case .conjugateGradient(let steps) = solver { try check("solver steps", steps, in: Self.stepsBounds) }
    }

    private func check(_ name: String, _ got: Int, in bounds: ClosedRange<Int>) throws(TrainingError) {
        guard bounds.contains(got) else {
            throw .invalidSetting(name: name, got: "\(got)", wanted: "\(bounds.lowerBound) to \(bounds.upperBound)")
        }
    }
}
