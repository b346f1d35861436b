import FactorModel
import VectorKernels

/// One half of an iteration: every row of one side from the other side.
struct HalfStep {
    enum Outcome: Equatable {
        /// With what the interactions add to the loss, when measured.
        case solved(observedLoss: Double?)
        /// The lowest row that has no single solution.
        case singular(row: Int)
    }

    private let side: ALSSide
    private let chunks: [Range<Int>]
    private let configuration: ALSConfiguration
    private let kernels: Kernels

    init(
        _ interactions: InteractionMatrix, fixed: PaddedMatrix, solved: PaddedMatrix,
        _ configuration: ALSConfiguration, _ kernels: Kernels
    ) {
        side = ALSSide(
            fixed: fixed, solved: solved, indptr: interactions.indptr, indices: interactions.indices,
            strengths: interactions.values, alpha: configuration.alpha)
        // A product with the Gram matrix costs as much as width / 2 interactions, at better locality.
        chunks = rowChunks(indptr: interactions.indptr, rowCost: max(1, fixed.width / 4))
        self.configuration = configuration
        self.kernels = kernels
    }

    /// - Parameter solver: instead of the one that is set.
    func solve(gram: [Double], by solver: RowSolver? = nil, measuresLoss: Bool) -> Outcome {
        let solver = solver ?? configuration.solver
        side.setGram(gram, regularization: Double(configuration.regularization))
        let results = parallelMap(chunks.count, threads: configuration.threads, scratch: { ALSScratch() }) {
            [side, chunks, kernels] chunk, scratch in
            let rows = chunks[chunk]
            let singular = side.solve(rows: rows, by: solver, scratch: scratch, kernels: kernels)
            // Measured while the chunk's rows are still in the cache.
            let loss = measuresLoss ? side.observedLoss(rows: rows, kernels: kernels) : 0
            return ChunkResult(singularRow: singular, observedLoss: loss)
        }
        for result in results {
            if let row = result.singularRow { return .singular(row: row) }
        }
        return .solved(observedLoss: measuresLoss ? results.reduce(0) { $0 + $1.observedLoss } : nil)
    }
}

private struct ChunkResult: Sendable {
    let singularRow: Int?
    let observedLoss: Double
}
