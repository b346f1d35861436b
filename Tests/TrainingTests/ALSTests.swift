import FactorModel
import Testing
import Training
import VectorKernels

let bothSolvers: [RowSolver] = [.conjugateGradient(steps: 3), .cholesky]

/// Data with one right answer, and the normal equations written out naively, are the oracles.
@Suite("ALS") struct ALSTests {
    // Two colours need two factors. More would let it learn that the diagonal is missing.
    @Test("finds the withheld diagonal of a checkerboard", arguments: bothSolvers, 1...8 as ClosedRange<UInt64>)
    func checkerboardDiagonal(solver: RowSolver, seed: UInt64) throws {
        let board = checkerboard(50)
        let result = try trainALS(
            board,
            settings(factors: 2) {
                $0.solver = solver
                $0.regularization = 0.1
                $0.alpha = 2
                $0.seed = seed
            })
        for user in 0..<50 {
            let seen = Set(board.indices[board.range(ofRow: user)])
            let unseen = (0..<50).filter { !seen.contains(UInt32($0)) }
            let best = unseen.max { result.factors.score(user, $0) < result.factors.score(user, $1) }
            #expect(best == user)
            #expect(abs(result.factors.score(user, user) - 1) < 0.15)
        }
    }

    @Test("a row solves its normal equations", arguments: [1, 5, 16, 17, 50, 64, 70, 130])
    func normalEquations(factors: Int) throws {
        let data = randomMatrix(users: 40, items: 60, seed: 3)
        let result = try trainALS(
            data,
            settings(factors: factors) {
                $0.solver = .cholesky
                $0.iterations = 2
                $0.regularization = 0.5
                $0.alpha = 3
            })
        // Users are solved last, so every user row must fit the items as they are.
        let items = (0..<data.columnCount).map { result.factors.item($0) }
        for user in 0..<data.rowCount where !data.range(ofRow: user).isEmpty {
            let exact = try #require(solveNormalEquations(row: user, data, fixed: items, alpha: 3, regularization: 0.5))
            let got = result.factors.user(user)
            let size = exact.reduce(0) { max($0, abs($1)) }
            for (x, y) in zip(got, exact) {
                // float32 has 6e-8; the condition number of these matrices is some thousands.
                #expect(abs(Double(x) - y) < 2e-5 * max(size, 0.1), "user \(user)")
            }
        }
    }

    @Test("many conjugate-gradient steps end where Cholesky does", arguments: [8, 20, 64])
    func solversAgree(factors: Int) throws {
        let data = randomMatrix(users: 60, items: 45, seed: 4)
        func train(_ solver: RowSolver) throws -> TrainedFactors {
            try trainALS(
                data,
                settings(factors: factors) {
                    $0.solver = solver
                    $0.iterations = 3
                    $0.regularization = 0.3
                    $0.alpha = 5
                })
        }
        let exact = try train(.cholesky)
        let steps = try train(.conjugateGradient(steps: 300))
        for user in 0..<data.rowCount {
            for item in 0..<data.columnCount {
                // Scores are around 1; both paths lose digits to the same condition number.
                #expect(abs(exact.factors.score(user, item) - steps.factors.score(user, item)) < 2e-3)
            }
        }
        // At 64 factors little loss is left, so its last digits are those of float32 factors.
        #expect(abs(exact.loss - steps.loss) < 1e-3 * exact.loss)
    }

    @Test("the loss is the sum over all pairs", arguments: bothSolvers, [3, 16, 40])
    func lossIsExact(solver: RowSolver, factors: Int) throws {
        let data = randomMatrix(users: 31, items: 47, seed: 5)
        let result = try trainALS(
            data,
            settings(factors: factors) {
                $0.solver = solver
                $0.iterations = 2
                $0.regularization = 0.7
                $0.alpha = 4
            })
        let expected = naiveLoss(data, result.factors, alpha: 4, regularization: 0.7)
        #expect(abs(result.loss - expected) < 1e-5 * expected)
    }

    @Test("the loss never rises", arguments: bothSolvers)
    func lossFalls(solver: RowSolver) throws {
        let data = randomMatrix(users: 80, items: 70, seed: 6)
        var losses: [Double] = []
        _ = try trainALS(
            data,
            settings(factors: 12) {
                $0.solver = solver
                $0.regularization = 1
                $0.iterations = 12
            }
        ) { losses.append($0.loss ?? .nan) }
        #expect(losses.count == 12)
        for (before, after) in zip(losses, losses.dropFirst()) {
            // Equal but for the last digits of float32 once it has converged.
            #expect(after <= before * (1 + 1e-6))
        }
        #expect(losses[11] < losses[0] * 0.95)
    }

    @Test("progress counts iterations, and only the last has a loss when losses are off")
    func progress() throws {
        var seen: [ALSProgress] = []
        let result = try trainALS(
            randomMatrix(users: 20, items: 20, seed: 7),
            settings(factors: 4) {
                $0.iterations = 4
                $0.reportsLoss = false
            }
        ) { seen.append($0) }
        #expect(seen.map(\.iteration) == [1, 2, 3, 4])
        #expect(seen.allSatisfy { $0.iterations == 4 && $0.secondsElapsed >= 0 && $0.secondsLeft >= 0 })
        #expect(seen.map { $0.loss == nil } == [true, true, true, false])
        #expect(seen.last?.loss == result.loss)
        #expect(seen.last?.secondsLeft == 0)
    }
}
