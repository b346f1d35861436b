import FactorModel
import TestSupport
import Training
import VectorKernels

/// Builds a matrix from rows of (item, strength).
func matrix(_ rows: [[(UInt32, Float)]], items: Int) -> InteractionMatrix {
    var indptr: [UInt64] = [0]
    for row in rows { indptr.append((indptr.last ?? 0) + UInt64(row.count)) }
    return InteractionMatrix(
        rowCount: rows.count, columnCount: items, indptr: indptr, indices: rows.joined().map(\.0),
        values: rows.joined().map(\.1))
}

/// Random interactions with a long tail, some users and items without any.
func randomMatrix(users: Int, items: Int, seed: UInt64) -> InteractionMatrix {
    var rng = SplitMix64(seed: seed)
    let rows = (0..<users).map { user -> [(UInt32, Float)] in
        if user % 11 == 10 { return [] }
        let items = (0..<items).filter { item in
            item % 13 != 12 && rng.next() % UInt64(2 + item) < 2 + UInt64(user % 5)
        }
        return items.map { (UInt32($0), Float(1 + rng.next() % 4)) }
    }
    return matrix(rows, items: items)
}

/// User u has every item of its own colour but item u: whoever learned the pattern ranks that one first.
func checkerboard(_ size: Int) -> InteractionMatrix {
    let rows = (0..<size).map { user in
        (0..<size).filter { $0 % 2 == user % 2 && $0 != user }.map { (UInt32($0), Float(1)) }
    }
    return matrix(rows, items: size)
}

func settings(factors: Int, _ change: (inout ALSConfiguration) -> Void = { _ in }) -> ALSConfiguration {
    var settings = ALSConfiguration()
    settings.factors = factors
    change(&settings)
    return settings
}

extension Factors {
    func user(_ row: Int) -> [Float] { Array(userFactors[row * factorCount..<(row + 1) * factorCount]) }
    func item(_ row: Int) -> [Float] { Array(itemFactors[row * factorCount..<(row + 1) * factorCount]) }

    func score(_ user: Int, _ item: Int) -> Double {
        zip(self.user(user), self.item(item)).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
}

/// Σ over all pairs of c·(p − x·y)² + λ·(‖X‖² + ‖Y‖²), pair by pair: the definition.
func naiveLoss(_ interactions: InteractionMatrix, _ factors: Factors, alpha: Float, regularization: Float) -> Double {
    var loss = 0.0
    for user in 0..<interactions.rowCount {
        var strengths = [Double](repeating: 0, count: interactions.columnCount)
        for place in interactions.range(ofRow: user) {
            strengths[Int(interactions.indices[place])] = Double(interactions.values[place])
        }
        for item in 0..<interactions.columnCount {
            let miss = (strengths[item] > 0 ? 1 : 0) - factors.score(user, item)
            loss += (1 + Double(alpha) * strengths[item]) * miss * miss
        }
    }
    let squares = (factors.userFactors + factors.itemFactors).reduce(0) { $0 + Double($1) * Double($1) }
    return loss + Double(regularization) * squares
}

/// The vector of one row from the other side, by the normal equations written out in double: the oracle.
func solveNormalEquations(
    row: Int, _ interactions: InteractionMatrix, fixed: [[Float]], alpha: Float, regularization: Float
) -> [Double]? {
    let n = fixed[0].count
    var a = [Double](repeating: 0, count: n * n)
    var b = [Double](repeating: 0, count: n)
    var strengths = [Double](repeating: 0, count: fixed.count)
    for place in interactions.range(ofRow: row) {
        strengths[Int(interactions.indices[place])] = Double(interactions.values[place])
    }
    for (y, strength) in zip(fixed, strengths) {
        let confidence = 1 + Double(alpha) * strength
        for i in 0..<n {
            for j in 0..<n { a[i * n + j] += confidence * Double(y[i]) * Double(y[j]) }
            if strength > 0 { b[i] += confidence * Double(y[i]) }
        }
    }
    for i in 0..<n { a[i * n + i] += Double(regularization) }
    return solvePositiveDefinite(a, b)
}
