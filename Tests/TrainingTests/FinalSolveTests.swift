import FactorModel
import Testing
import Training
import VectorKernels

/// Training ends with the users solved against the items as they are returned: a stored vector is the fold-in of its history.
@Suite("Final solve") struct FinalSolveTests {
    /// |b − A x| / |b| of one user, in double.
    private func residual(
        _ data: InteractionMatrix, _ factors: Factors, user: Int, alpha: Float, regularization: Float
    ) -> Double {
        let n = factors.factorCount
        let x = factors.user(user).map { Double($0) }
        var r = x.map { -Double(regularization) * $0 }
        var b = [Double](repeating: 0, count: n)
        var strengths = [Double](repeating: 0, count: data.columnCount)
        for place in data.range(ofRow: user) { strengths[Int(data.indices[place])] = Double(data.values[place]) }
        for item in 0..<data.columnCount {
            let y = factors.item(item).map { Double($0) }
            let c = 1 + Double(alpha) * strengths[item]
            let score = zip(x, y).reduce(0) { $0 + $1.0 * $1.1 }
            for i in 0..<n {
                r[i] += ((strengths[item] > 0 ? c : 0) - c * score) * y[i]
                if strengths[item] > 0 { b[i] += c * y[i] }
            }
        }
        let squares = { (values: [Double]) in values.reduce(0) { $0 + $1 * $1 } }
        return (squares(r) / squares(b)).squareRoot()
    }

    @Test(
        "every user solves its equations in the returned items to 1e-5", arguments: bothSolvers,
        [(4, 1, 0.1), (16, 40, 0.01), (50, 40, 0.01), (64, 1000, 0.01), (130, 40, 0.001)] as [(Int, Float, Float)])
    func residuals(solver: RowSolver, setting: (factors: Int, alpha: Float, regularization: Float)) throws {
        let data = randomMatrix(users: 90, items: 120, seed: 21)
        for iterations in [1, 6] {
            let result = try trainALS(
                data,
                settings(factors: setting.factors) {
                    $0.solver = solver
                    $0.alpha = setting.alpha
                    $0.regularization = setting.regularization
                    $0.iterations = iterations
                })
            for user in 0..<data.rowCount where !data.range(ofRow: user).isEmpty {
                let residual = residual(
                    data, result.factors, user: user, alpha: setting.alpha, regularization: setting.regularization)
                #expect(residual < 1e-5, "user \(user)")
            }
        }
    }

    @Test("the reported loss and the last progress are of the returned factors") func loss() throws {
        let data = randomMatrix(users: 40, items: 30, seed: 22)
        var last: Double?
        let result = try trainALS(
            data,
            settings(factors: 5) {
                $0.iterations = 1
                $0.reportsLoss = false
            }
        ) { last = $0.loss }
        let expected = naiveLoss(data, result.factors, alpha: 40, regularization: 0.01)
        #expect(abs(result.loss - expected) < 1e-5 * expected && last == result.loss)
    }
}
