package import FactorModel
package import VectorKernels

/// Where a training run is, told after each iteration.
package struct ALSProgress: Equatable, Sendable {
    /// Iterations done, from 1.
    package let iteration: Int
    package let iterations: Int
    /// Weighted squared error plus regularization after this iteration; nil when it was not computed.
    package let loss: Double?
    package let secondsElapsed: Double
    /// At the pace so far.
    package let secondsLeft: Double
}

/// What a training run gives.
package struct TrainedFactors: Equatable, Sendable {
    package let factors: Factors
    /// Of these factors.
    package let loss: Double
    /// Of all iterations and the last solve of the users; set-up, result and its check left out.
    package let seconds: Double
    /// Without the last solve.
    package let secondsPerIteration: Double
}

/// Factorizes users × items by alternating least squares on implicit feedback.
///
/// Minimises Σ over all pairs of c·(p − x·y)² + λ·(‖X‖² + ‖Y‖²), where p is 1 for an interaction and 0 else, and
/// c = 1 + alpha · strength (1 where there is no interaction). Hu, Koren and Volinsky, "Collaborative Filtering for
/// Implicit Feedback Datasets", ICDM 2008; see docs/training.md.
///
/// - Parameters:
///   - interactions: users × items; strengths positive and finite.
///   - progress: called on the calling thread after each iteration.
/// After the iterations all users are solved once more, so that a user's vector solves its equations in the item factors that are
/// returned, to a relative residual |b − A x| / |b| of at most 1e-5 where λ lets float32 have it: it is the fold-in of the user's history.
///
/// - Returns: the same bits for the same interactions and settings, whatever `threads` and whatever CPU. A user or item
///   without interactions has a vector of zeros.
/// - Throws: before any work for a setting or an input that cannot be used; later for overflow, with Cholesky for
///   equations without a single solution, and for factors that turn out not to solve them (``SolutionCheck``).
/// - Complexity: with n interactions, R rows and f factors, conjugate gradient takes O(steps · (n·f + R·f²)) an
///   iteration, Cholesky O(n·f² + R·f³). Memory: both factor matrices twice at the end, the interactions twice.
package func trainALS(
    _ interactions: InteractionMatrix, _ configuration: ALSConfiguration, progress: (ALSProgress) -> Void = { _ in }
) throws(TrainingError) -> TrainedFactors {
    try trainALS(interactions, configuration, kernels: .best, progress: progress)
}

/// The same on chosen kernels: they all give the same bits, and the tests say so.
package func trainALS(
    _ interactions: InteractionMatrix, _ configuration: ALSConfiguration, kernels: Kernels,
    progress: (ALSProgress) -> Void
) throws(TrainingError) -> TrainedFactors {
    try configuration.validate()
    try validate(interactions)
    let run = ALSRun(interactions, configuration, kernels)
    let clock = ContinuousClock()
    let start = clock.now
    var loss = Double.nan
    var iterated = 0.0
    for iteration in 1...configuration.iterations {
        let isLast = iteration == configuration.iterations
        var measured = try run.iterate(iteration, measuresLoss: configuration.reportsLoss && !isLast)
        iterated = seconds(clock.now - start)
        if isLast {
            loss = try run.finish()
            measured = loss
        }
        progress(
            ALSProgress(
                iteration: iteration, iterations: configuration.iterations, loss: measured,
                secondsElapsed: isLast ? seconds(clock.now - start) : iterated,
                secondsLeft: iterated / Double(iteration) * Double(configuration.iterations - iteration)))
    }
    let took = seconds(clock.now - start)
    let factors = run.factors()
    loss = try SolutionCheck(interactions: interactions, factors: factors, configuration: configuration)
        .run(reportedLoss: loss)
    return TrainedFactors(
        factors: factors, loss: loss, seconds: took,
        secondsPerIteration: iterated / Double(configuration.iterations))
}

/// Everything the kernels rely on, looked at once.
private func validate(_ interactions: InteractionMatrix) throws(TrainingError) {
    guard interactions.interactionCount > 0 else {
        throw .noInteractions(users: interactions.rowCount, items: interactions.columnCount)
    }
    for user in 0..<interactions.rowCount {
        var previous = -1
        for place in interactions.range(ofRow: user) {
            let item = Int(interactions.indices[place])
            guard item > previous, item < interactions.columnCount else {
                throw .invalidIndex(user: user, item: item, items: interactions.columnCount)
            }
            previous = item
            let strength = interactions.values[place]
            guard strength > 0, strength.isFinite else {
                throw .invalidStrength(user: user, item: item, got: strength)
            }
        }
    }
}

private func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
}
