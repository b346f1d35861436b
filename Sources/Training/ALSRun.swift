import FactorModel
import VectorKernels

/// The state of one training run: both factor matrices, the equations of both sides, and their Gram matrices.
final class ALSRun {
    private let configuration: ALSConfiguration
    private let kernels: Kernels
    private let largestStrength: Float
    private let userFactors: PaddedMatrix
    private let itemFactors: PaddedMatrix
    /// Users from items, and items from users.
    private let userSide: HalfStep
    private let itemSide: HalfStep
    /// YᵀY of the item factors as they are: the next iteration's user step needs it, and so does the loss.
    private var itemGram: [Double]

    /// Bounds the last solve of a row. It ends by itself when the residual falls to 1e-7 of where the iterations left it, after 15 to
    /// 30 steps for the data of docs/training.md and up to 100 for equations made to be hard.
    static let finalSteps = 200

    init(_ interactions: InteractionMatrix, _ configuration: ALSConfiguration, _ kernels: Kernels) {
        self.configuration = configuration
        self.kernels = kernels
        largestStrength = interactions.values.max() ?? 0
        let transposed = interactions.transposed()
        userFactors = PaddedMatrix(rowCount: interactions.rowCount, columnCount: configuration.factors)
        itemFactors = PaddedMatrix(rowCount: interactions.columnCount, columnCount: configuration.factors)
        fillInitialFactors(userFactors, seed: configuration.seed, stream: 1, indptr: interactions.indptr)
        fillInitialFactors(itemFactors, seed: configuration.seed, stream: 2, indptr: transposed.indptr)
        userSide = HalfStep(interactions, fixed: itemFactors, solved: userFactors, configuration, kernels)
        itemSide = HalfStep(transposed, fixed: userFactors, solved: itemFactors, configuration, kernels)
        itemGram = gramMatrix(of: itemFactors, threads: configuration.threads, kernels: kernels)
    }

    /// Solves all users, then all items.
    ///
    /// - Returns: the loss, when it is measured.
    func iterate(_ iteration: Int, measuresLoss: Bool) throws(TrainingError) -> Double? {
        _ = try solve(userSide, .user, gram: itemGram, measuresLoss: false)
        let userGram = gramMatrix(of: userFactors, threads: configuration.threads, kernels: kernels)
        try checkFinite(userGram, iteration)
        let observed = try solve(itemSide, .item, gram: userGram, measuresLoss: measuresLoss)
        itemGram = gramMatrix(of: itemFactors, threads: configuration.threads, kernels: kernels)
        try checkFinite(itemGram, iteration)
        return observed.map { $0 + unobservedLoss(userGram, itemGram) }
    }

    /// Solves all users once more, from the items as they are at the end, to a residual at which a user's vector is the fold-in of
    /// their history: the iterations leave it one half-step behind the items, and conjugate gradient a few digits short.
    ///
    /// - Returns: the loss of the result.
    func finish() throws(TrainingError) -> Double {
        // Conjugate gradient refines what Cholesky found too: it starts from the residual.
        if configuration.solver == .cholesky { _ = try solve(userSide, .user, gram: itemGram, measuresLoss: false) }
        let steps = RowSolver.conjugateGradient(steps: Self.finalSteps)
        let observed = try solve(userSide, .user, gram: itemGram, by: steps, measuresLoss: true) ?? 0
        let userGram = gramMatrix(of: userFactors, threads: configuration.threads, kernels: kernels)
        try checkFinite(userGram, configuration.iterations)
        return observed + unobservedLoss(userGram, itemGram)
    }

    func factors() -> Factors {
        Factors(
            factorCount: configuration.factors, userFactors: userFactors.unpadded(),
            itemFactors: itemFactors.unpadded())
    }

    private func solve(
        _ half: HalfStep, _ side: TrainingError.Side, gram: [Double], by solver: RowSolver? = nil, measuresLoss: Bool
    ) throws(TrainingError) -> Double? {
        switch half.solve(gram: gram, by: solver, measuresLoss: measuresLoss) {
        case .solved(let observedLoss): return observedLoss
        case .singular(let row):
            throw .singular(
                side: side, row: row, factors: configuration.factors, regularization: configuration.regularization)
        }
    }

    /// A factor that is not finite, or whose square overflows, shows in the diagonal of the Gram matrix, so the
    /// factors need not be read again.
    private func checkFinite(_ gram: [Double], _ iteration: Int) throws(TrainingError) {
        let width = userFactors.width
        for i in 0..<width where !gram[i * width + i].isFinite {
            throw .notFinite(iteration: iteration, alpha: configuration.alpha, largestStrength: largestStrength)
        }
    }

    /// Σ over all pairs of (x·y)², which is Σ of XᵀX ∘ YᵀY, and λ·(‖X‖² + ‖Y‖²), which are their traces.
    private func unobservedLoss(_ userGram: [Double], _ itemGram: [Double]) -> Double {
        let width = userFactors.width
        var squares = 0.0
        var norms = 0.0
        for i in 0..<width {
            squares += userGram[i * width + i] * itemGram[i * width + i]
            norms += userGram[i * width + i] + itemGram[i * width + i]
            for j in (i + 1)..<max(width, i + 1) {
                squares += 2 * userGram[i * width + j] * itemGram[i * width + j]
            }
        }
        return squares + Double(configuration.regularization) * norms
    }
}
