import FactorModel
import VectorKernels

/// Looks whether trained factors solve the equations that they were trained by, from the factors as they are published.
///
/// With λ = 0, or a λ below the rounding of float32 sums, equations of fewer interactions than factors have no single solution, and what
/// the solver returns can be noise of any size. What every solution of A x = b has, whatever λ (c over the user's items, s = x·y):
///
/// - b·x = Σ c·s is from 0 to Σ c, for it is bᵀA⁻¹b and the user's share of the loss, Σ c − Σ c·s, is not negative;
/// - the loss of all users is then Σ c·(1 − s) + λ·‖Y‖², without a pass over all pairs and without the Gram matrices.
///
/// Both are looked at for every user. A few users, spread evenly, are held to the equations themselves, in double.
struct SolutionCheck {
    let interactions: InteractionMatrix
    let factors: Factors
    let configuration: ALSConfiguration

    /// Largest share of Σ c by which a user's b·x may be outside its bounds; scores that were noise were out by factors.
    private static let shareTolerance = 1e-3
    /// Largest share of |b| that a residual may have: the last solve leaves 1e-5 at most (`FinalSolveTests`).
    private static let residualTolerance = 1e-4
    /// A residual below this changes no score that anybody could tell from 0: so ends the training of a λ that lets nothing but dust remain.
    private static let residualMin = 1e-12
    /// The reported loss and that of the factors may differ by these shares of the loss and of Σ c.
    private static let lossTolerance = (ofLoss: 1e-3, ofConfidence: 1e-5)
    /// Multiply-adds of the residuals together, some 30 ms; at least ``sampleMin`` users all the same.
    private static let sampleCost = 20_000_000
    private static let sampleMin = 4
    private static let sampleMax = 64

    /// - Returns: the loss to report: what was reported, but 0 where rounding took it just below.
    /// - Throws: ``TrainingError/unsolved(reason:factors:regularization:)`` for the lowest user row that is wrong, then for the loss.
    /// - Complexity: O(interactions · factors) and at most the greater of `sampleCost` and `sampleMin` · items · factors.
    func run(reportedLoss: Double) throws(TrainingError) -> Double {
        let totals = try confidences()
        let squares = factors.itemFactors.reduce(0) { $0 + Double($1) * Double($1) }
        let loss = totals.missed + Double(configuration.regularization) * squares
        let rounding = Self.lossTolerance.ofConfidence * totals.all
        let room = Self.lossTolerance.ofLoss * max(loss.magnitude, reportedLoss.magnitude) + rounding
        guard reportedLoss >= -rounding, (reportedLoss - loss).magnitude <= room else {
            throw unsolved("the loss is \(reportedLoss), and \(loss) computed from the factors")
        }
        for user in sampledUsers() {
            let (residual, length) = residual(user)
            guard residual <= max(Self.residualTolerance * length, Self.residualMin) else {
                throw unsolved(
                    "the vector of user row \(user) leaves a residual of \(residual / length), wanted at most"
                        + " \(Self.residualTolerance)")
            }
        }
        return max(0, reportedLoss)
    }

    private func unsolved(_ reason: String) -> TrainingError {
        .unsolved(reason: reason, factors: configuration.factors, regularization: configuration.regularization)
    }

    // MARK: Every user

    private struct Totals: Sendable {
        /// Σ c and Σ c·(1 − s) over interactions.
        var all = 0.0
        var missed = 0.0
        var wrong: (user: Int, share: Double)?
    }

    /// Chunks that depend on the data only, added in order: the same bits for any number of threads.
    private func confidences() throws(TrainingError) -> Totals {
        let chunks = rowChunks(indptr: interactions.indptr, rowCost: 1)
        let parts = parallelMap(chunks.count, threads: configuration.threads, scratch: { 0 }) { [self] chunk, _ in
            chunks[chunk].reduce(into: Totals()) { add($1, to: &$0) }
        }
        var totals = Totals()
        for part in parts {
            totals.all += part.all
            totals.missed += part.missed
            if let wrong = part.wrong {
                throw unsolved(
                    "the scores of what user row \(wrong.user) ordered are \(wrong.share) on average, weighted by"
                        + " confidence, wanted 0 to 1")
            }
        }
        return totals
    }

    private func add(_ user: Int, to totals: inout Totals) {
        let x = factors.userFactors.span.extracting(columns(user))
        let items = factors.itemFactors.span
        var (all, missed) = (0.0, 0.0)
        for place in interactions.range(ofRow: user) {
            let c = confidence(place)
            all += c
            // The score that is served, rounding and all.
            missed += c * (1 - Double(dot(x, items.extracting(columns(Int(interactions.indices[place]))))))
        }
        totals.all += all
        totals.missed += missed
        let share = all > 0 ? (all - missed) / all : 0
        if totals.wrong == nil, !(share >= -Self.shareTolerance && share <= 1 + Self.shareTolerance) {
            totals.wrong = (user, share)
        }
    }

    // MARK: A few users

    /// Users with interactions, evenly spread over those.
    private func sampledUsers() -> [Int] {
        let users = (0..<interactions.rowCount).filter { !interactions.range(ofRow: $0).isEmpty }
        let affordable = Self.sampleCost / max(1, factors.itemFactors.count)
        let count = min(users.count, max(Self.sampleMin, min(Self.sampleMax, affordable)))
        return (0..<count).map { users[$0 * users.count / count] }
    }

    /// |b − A x| and |b| in double, with A never formed: A x = Σ c·(x·y)·y over all items, c = 1 where there is no interaction, and λ·x.
    private func residual(_ user: Int) -> (residual: Double, length: Double) {
        let n = factors.factorCount
        let x = factors.userFactors.span.extracting(columns(user))
        var left = (0..<n).map { -Double(configuration.regularization) * Double(x[$0]) }
        var right = [Double](repeating: 0, count: n)
        var next = interactions.range(ofRow: user).lowerBound
        let end = interactions.range(ofRow: user).upperBound
        for item in 0..<factors.itemCount {
            let y = factors.itemFactors.span.extracting(columns(item))
            var score = 0.0
            for k in 0..<n { score += Double(x[k]) * Double(y[k]) }
            var (c, wanted) = (1.0, 0.0)
            if next < end, Int(interactions.indices[next]) == item {
                c = confidence(next)
                wanted = c
                next += 1
            }
            let weight = wanted - c * score
            for k in 0..<n { left[k] += weight * Double(y[k]) }
            if wanted > 0 { for k in 0..<n { right[k] += wanted * Double(y[k]) } }
        }
        let length = { (values: [Double]) in values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
        return (length(left), length(right))
    }

    // MARK: Parts

    private func confidence(_ place: Int) -> Double {
        1 + Double(configuration.alpha) * Double(interactions.values[place])
    }

    private func columns(_ row: Int) -> Range<Int> { row * factors.factorCount..<(row + 1) * factors.factorCount }
}
