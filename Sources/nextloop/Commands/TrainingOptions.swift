import ArgumentParser
import ModelRegistry
import Training
import VectorKernels

/// The settings of the factorization.
struct TrainingOptions: ParsableArguments {
    @Option(help: "Length of the vectors, 1 to 1024.")
    var factors = 64

    @Option(help: "Times that all users and all items are solved, 1 to 1000.")
    var iterations = 15

    @Option(help: "Lambda, added to the diagonal; not scaled by a row's interactions.")
    var regularization: Float = 0.01

    @Option(help: "Confidence of r orders is 1 + alpha * r; above 0, at most 1000000.")
    var alpha: Float = 40

    @Option(help: "Seed of the first factors.")
    var seed: UInt64 = 42

    @Option(
        help: "Threads, 1 to 256; never changes the result. Default: the CPUs that this process may use, at most 256.")
    var threads: Int?

    var configuration: ALSConfiguration {
        var configuration = ALSConfiguration()
        configuration.factors = factors
        configuration.iterations = iterations
        configuration.regularization = regularization
        configuration.alpha = alpha
        configuration.seed = seed
        configuration.threads = threads ?? AvailableProcessors.count()
        return configuration
    }
}

extension TrainingRecord {
    init(_ settings: ALSConfiguration, _ trained: TrainedFactors) {
        let solver =
            switch settings.solver {
            case .conjugateGradient(steps: let steps): "conjugate gradient, \(steps) steps"
            case .cholesky: "cholesky"
            }
        self.init(algorithm: "implicit ALS", factors: settings.factors)
        iterations = settings.iterations
        regularization = Self.decimal(settings.regularization)
        alpha = Self.decimal(settings.alpha)
        seed = settings.seed
        threads = settings.threads
        self.solver = solver
        confidence = "1 + alpha * number of order lines"
        finalLoss = trained.loss
        seconds = trained.seconds
        secondsPerIteration = trained.secondsPerIteration
    }

    /// The number as it was written on the command line: 0.01, not the 0.009999999776 that float32 makes of it.
    private static func decimal(_ value: Float) -> Double { Double(value.description) ?? Double(value) }
}
