import ArgumentParser
import FactorModel
import Foundation
import Training
import VectorKernels

struct ALSBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "als", abstract: "Time of an ALS iteration.",
        discussion: "Without --matrix a synthetic long-tailed matrix of the given size is made.")

    @Option(help: "Users of the synthetic matrix.") var users = 2469
    @Option(help: "Items of the synthetic matrix.") var items = 68_509
    @Option(help: "Interactions of the synthetic matrix, about.") var interactions = 868_000
    @Option(help: "A matrix to train on instead (layout: MatrixFile.swift).") var matrix: String?
    @Option(help: "Writes the matrix there and stops.") var writeMatrix: String?
    @Option(help: "Factors, 1-1024.") var factors = 64
    @Option(help: "Iterations, 1-1000.") var iterations = 15
    @Option(help: "Lambda.") var regularization: Float = 0.01
    @Option(help: "Alpha.") var alpha: Float = 40
    @Option(help: "Seed of matrix and factors.") var seed: UInt64 = 42
    @Option(help: "Threads, 1-256.") var threads = 2
    @Option(help: "Conjugate-gradient steps; 0 for Cholesky.") var steps = 3
    @Option(help: "Kernels: avx512, avx2, neon, portable. Default: the best here.") var kernels: String?
    @Flag(help: "Measure the loss in the last iteration only.") var noLoss = false
    @Option(help: "Writes PREFIX.user.f32 and PREFIX.item.f32.") var output: String?
    @Flag(help: "One JSON object.") var json = false

    func run() throws {
        let data =
            try matrix.map(MatrixFile.read)
            ?? syntheticOrders(users: users, items: items, interactions: interactions, seed: seed)
        if let writeMatrix { return try MatrixFile.write(data, to: writeMatrix) }
        var settings = ALSConfiguration()
        settings.factors = factors
        settings.iterations = iterations
        settings.regularization = regularization
        settings.alpha = alpha
        settings.seed = seed
        settings.threads = threads
        settings.solver = steps == 0 ? .cholesky : .conjugateGradient(steps: steps)
        settings.reportsLoss = !noLoss
        var chosen = Kernels.best
        if let kernels {
            guard let path = KernelPath(rawValue: kernels), let named = Kernels(path) else {
                let here = Kernels.available.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("--kernels is \(kernels); wanted one of \(here)")
            }
            chosen = named
        }
        var ends: [Double] = []
        var trained: TrainedFactors?
        let total = try seconds {
            trained = try trainALS(data, settings, kernels: chosen) { ends.append($0.secondsElapsed) }
        }
        guard let trained else { return }
        let times = Timings(zip(ends, [0] + ends).map { $0 - $1 })
        if let output {
            try MatrixFile.write(trained.factors.userFactors, to: output + ".user.f32")
            try MatrixFile.write(trained.factors.itemFactors, to: output + ".item.f32")
        }
        if json {
            print(
                "{\"users\":\(data.rowCount),\"items\":\(data.columnCount),\"interactions\":\(data.interactionCount),"
                    + "\"factors\":\(factors),\"threads\":\(threads),\"kernels\":\"\(chosen.name)\","
                    + "\"seconds_per_iteration\":\(times.median),\"total_seconds\":\(total),\"loss\":\(trained.loss)}")
        } else {
            print("\(data.rowCount) × \(data.columnCount), \(data.interactionCount) interactions, \(factors) factors")
            print("\(steps == 0 ? "Cholesky" : "CG \(steps)"), \(threads) threads, kernels \(chosen.name)")
            print("iteration: median \(readable(times.median)), slowest \(readable(times.quantile(1)))")
            print("all: \(readable(total)), loss \(trained.loss)")
        }
    }
}
