import FactorModel
import Testing
import Training
import VectorKernels

@Suite("ALS edge cases") struct ALSEdgeCaseTests {
    @Test("nothing to learn from is an error that says so", arguments: [(0, 0), (3, 0), (0, 4), (3, 4)])
    func empty(users: Int, items: Int) {
        #expect(throws: TrainingError.noInteractions(users: users, items: items)) {
            try trainALS(matrix(Array(repeating: [], count: users), items: items), ALSConfiguration())
        }
    }

    @Test("one user and one item: the score goes to c / (c + λ / ‖y‖²)", arguments: bothSolvers)
    func oneUserOneItem(solver: RowSolver) throws {
        let result = try trainALS(
            matrix([[(0, 2)]], items: 1),
            settings(factors: 1) {
                $0.solver = solver
                $0.iterations = 200
                $0.alpha = 3
                $0.regularization = 1
            })
        // At the optimum x = y, and 7·x·(1 − x²) = x: x² = 1 − 1/7.
        #expect(abs(result.factors.score(0, 0) - 6.0 / 7) < 1e-4)
    }

    @Test("one user with many items, many users with one item", arguments: bothSolvers)
    func oneRow(solver: RowSolver) throws {
        let many = (0..<300).map { (UInt32($0), Float(1)) }
        let settings = settings(factors: 8) { $0.solver = solver }
        let wide = try trainALS(matrix([many], items: 300), settings)
        #expect((0..<300).allSatisfy { abs(wide.factors.score(0, $0) - 1) < 0.01 })
        let tall = try trainALS(matrix(Array(repeating: [(0, 1)], count: 300), items: 1), settings)
        // The length is still all on the users' side, where the last solve lets λ take its share: 41·|y|² / (41·|y|² + λ).
        let expected = { (squares: Double) in 41 * squares / (41 * squares + 0.01) }(
            tall.factors.item(0).reduce(0) { $0 + Double($1) * Double($1) })
        #expect(expected > 0.95 && (0..<300).allSatisfy { abs(tall.factors.score($0, 0) - expected) < 1e-4 })
    }

    @Test("more factors than rows is solved, with λ", arguments: bothSolvers, [64, 100])
    func moreFactorsThanRows(solver: RowSolver, factors: Int) throws {
        let result = try trainALS(checkerboard(8), settings(factors: factors) { $0.solver = solver })
        for user in 0..<8 {
            for item in 0..<8 where item != user {
                #expect(abs(result.factors.score(user, item) - (user % 2 == item % 2 ? 1 : 0)) < 0.1)
            }
        }
    }

    @Test("a row that float32 cannot factorize is solved in double")
    func illConditioned() throws {
        // Sums of 1e7 and more against λ = 1e-3: float32 loses the λ that makes 20 factors of 3 items solvable.
        let data = matrix([[(0, 1000), (1, 1)], [(1, 1000), (2, 3)], [(0, 7), (2, 1000)]], items: 3)
        let result = try trainALS(
            data,
            settings(factors: 20) {
                $0.solver = .cholesky
                $0.alpha = 1e4
                $0.regularization = 1e-3
            })
        for user in 0..<3 {
            for place in data.range(ofRow: user) {
                #expect(abs(result.factors.score(user, Int(data.indices[place])) - 1) < 0.01)
            }
        }
    }

    @Test("users and items without interactions get zeros, and change nothing for the others", arguments: bothSolvers)
    func withoutInteractions(solver: RowSolver) throws {
        let data = matrix([[(1, 1), (3, 2)], [], [(1, 1)]], items: 5)
        let result = try trainALS(data, settings(factors: 4) { $0.solver = solver })
        let zeros = [Float](repeating: 0, count: 4)
        #expect(result.factors.user(1) == zeros)
        for item in [0, 2, 4] { #expect(result.factors.item(item) == zeros) }
        #expect(result.factors.user(0) != zeros && result.factors.item(1) != zeros)
    }

    @Test("when everyone has everything, every score is the same and near 1", arguments: bothSolvers)
    func allEqual(solver: RowSolver) throws {
        let rows = Array(repeating: (0..<30).map { (UInt32($0), Float(2)) }, count: 20)
        let result = try trainALS(
            matrix(rows, items: 30),
            settings(factors: 6) {
                $0.solver = solver
                $0.regularization = 1
                $0.iterations = 100  // What the start had in other directions fades slowly.
            })
        for user in 0..<20 {
            for item in 0..<30 { #expect(abs(result.factors.score(user, item) - 1) < 0.01) }
        }
    }

    /// Data that λ near 0 leaves with more factors than equations.
    private static let few: [(name: String, data: InteractionMatrix)] = [
        ("one order", matrix([[(0, 1)]], items: 1)), ("two items", matrix([[(0, 1), (1, 1)]], items: 2)),
        ("two guests", matrix([[(0, 1)], [(1, 1)]], items: 2)), ("heavy", matrix([[(0, 4999)], [(1, 1)]], items: 2)),
        ("checkerboard", checkerboard(6)), ("random", randomMatrix(users: 20, items: 14, seed: 41)),
    ]

    @Test(
        "with λ too small for float32 and fewer rows than factors, the model is right or refused with advice, never noise",
        arguments: 0..<few.count, [0, 1e-12, 1e-9, 1e-8, 1e-7] as [Float])
    func tinyRegularization(number: Int, regularization: Float) throws {
        let (name, data) = Self.few[number]
        for factors in [16, 64, 200] {
            do throws(TrainingError) {
                let result = try trainALS(data, settings(factors: factors) { $0.regularization = regularization })
                let naive = naiveLoss(data, result.factors, alpha: 40, regularization: regularization)
                let sum = data.values.reduce(0) { $0 + 1 + 40 * Double($1) }
                #expect(result.loss >= 0 && abs(result.loss - naive) <= 1e-3 * naive + 2e-5 * sum, "\(name) \(factors)")
                for user in 0..<data.rowCount {
                    for place in data.range(ofRow: user) {
                        let score = result.factors.score(user, Int(data.indices[place]))
                        #expect(abs(score - 1) < 0.02, "\(name) \(factors): \(score)")
                    }
                }
            } catch {
                switch error {
                case .unsolved, .notFinite: break
                default: throw error
                }
                #expect("\(error)".contains("raise "), "\(error)")
            }
        }
    }

    @Test("one order of one guest with λ = 1e-7, whose score was -10240, is refused; with 1e-5 it is 1")
    func oneOrder() throws {
        let data = matrix([[(0, 1)]], items: 1)
        let error = #expect(throws: TrainingError.self) {
            try trainALS(data, settings(factors: 64) { $0.regularization = 1e-7 })
        }
        guard case .unsolved(_, factors: 64, regularization: 1e-7) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let right = try trainALS(data, settings(factors: 64) { $0.regularization = 1e-5 })
        #expect(abs(right.factors.score(0, 0) - 1) < 1e-4)
    }

    @Test(
        "a λ so large that nothing but dust remains is no error, up to the bound",
        arguments: [1e3, 1e5, 1e9] as [Float])
    func largeRegularization(regularization: Float) throws {
        let data = randomMatrix(users: 30, items: 20, seed: 42)
        let result = try trainALS(data, settings(factors: 16) { $0.regularization = regularization })
        #expect(abs(result.factors.score(0, 0)) < 1 && result.loss >= 0)
    }

    @Test("with λ = 0 and too few rows Cholesky says that there are many solutions")
    func singular() throws {
        let data = checkerboard(6)
        #expect(throws: TrainingError.singular(side: .user, row: 0, factors: 16, regularization: 0)) {
            try trainALS(
                data,
                settings(factors: 16) {
                    $0.regularization = 0
                    $0.solver = .cholesky
                })
        }
    }

    @Test("with λ = 0 and enough rows both solvers work", arguments: bothSolvers)
    func noRegularization(solver: RowSolver) throws {
        let data = randomMatrix(users: 60, items: 60, seed: 9)
        let result = try trainALS(
            data,
            settings(factors: 4) {
                $0.solver = solver
                $0.regularization = 0
            })
        #expect(abs(result.loss - naiveLoss(data, result.factors, alpha: 40, regularization: 0)) < 1e-5 * result.loss)
    }

    @Test("overflow is an error with advice, not a model of NaN", arguments: bothSolvers)
    func overflow(solver: RowSolver) throws {
        let data = matrix([[(0, 3e38), (1, 1)], [(1, 2)]], items: 2)
        let error = #expect(throws: TrainingError.self) {
            try trainALS(
                data,
                settings(factors: 4) {
                    $0.solver = solver
                    $0.alpha = 1e6
                })
        }
        guard case .notFinite = try #require(error) else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect("\(String(describing: error))".contains("lower alpha"))
    }

    @Test("a strength that is not positive and finite is named", arguments: [0, -1, .infinity, -.infinity] as [Float])
    func strengths(bad: Float) {
        #expect(throws: TrainingError.invalidStrength(user: 1, item: 2, got: bad)) {
            try trainALS(matrix([[(0, 1)], [(1, 1), (2, bad)]], items: 3), ALSConfiguration())
        }
    }

    @Test("a NaN strength is refused") func notANumber() {
        #expect(throws: TrainingError.self) {
            try trainALS(matrix([[(0, .nan)]], items: 1), ALSConfiguration())
        }
    }

    @Test("items outside the matrix or out of order are named", arguments: [[0, 3], [1, 1], [2, 0]] as [[UInt32]])
    func indices(items: [UInt32]) {
        #expect(throws: TrainingError.invalidIndex(user: 0, item: Int(items[1]), items: 3)) {
            try trainALS(matrix([items.map { ($0, 1) }], items: 3), ALSConfiguration())
        }
    }
}
