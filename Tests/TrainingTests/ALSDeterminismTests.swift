import FactorModel
import Testing
import Training
import VectorKernels

/// A model is named by its data, its settings and its seed: neither the machine nor its load may show in a bit of it.
@Suite("ALS determinism") struct ALSDeterminismTests {
    private let data = randomMatrix(users: 700, items: 300, seed: 8)

    private func bits(_ settings: ALSConfiguration, _ kernels: Kernels = .best) throws -> [UInt32] {
        let result = try trainALS(data, settings, kernels: kernels) { _ in }
        let loss = result.loss.bitPattern
        return (result.factors.userFactors + result.factors.itemFactors).map(\.bitPattern)
            + [UInt32(truncatingIfNeeded: loss), UInt32(truncatingIfNeeded: loss >> 32)]
    }

    @Test("any number of threads gives the same bits", arguments: bothSolvers, [10, 64])
    func threads(solver: RowSolver, factors: Int) throws {
        var settings = settings(factors: factors) {
            $0.solver = solver
            $0.iterations = 3
        }
        let one = try bits(settings)
        for threads in [2, 3, 7, 256] {
            settings.threads = threads
            #expect(try bits(settings) == one, "\(threads) threads")
        }
    }

    @Test("any instruction set gives the same bits", arguments: bothSolvers, [3, 16, 50, 64, 128])
    func instructionSets(solver: RowSolver, factors: Int) throws {
        let settings = settings(factors: factors) {
            $0.solver = solver
            $0.iterations = 1
        }
        let portable = try bits(settings, try #require(Kernels(.portable)))
        for path in Kernels.available where path != .portable {
            #expect(try bits(settings, try #require(Kernels(path))) == portable, "\(path)")
        }
    }

    @Test("the seed is in every bit, the same seed in the same bits") func seeds() throws {
        let first = try bits(settings(factors: 8) { $0.seed = 1 })
        #expect(try bits(settings(factors: 8) { $0.seed = 1 }) == first)
        #expect(try bits(settings(factors: 8) { $0.seed = 2 }) != first)
    }
}
