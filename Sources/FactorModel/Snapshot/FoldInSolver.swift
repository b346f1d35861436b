/// The equations of one user vector, A x = b, in double: built, factorized and solved.
///
/// A = UᵀU with U upper triangular, row-major, in place. Everything runs along rows in one order of summation, without
/// contraction, so the result is the same bits on every CPU. Memory is kept from request to request.
@safe
final class FoldInSolver {
    /// The different items of a history and a basket, ascending.
    var rows: [UInt32] = []
    /// Whose equations are factorized here; nil for nobody's.
    var key: EquationsKey?
    /// c of each of `rows`; before ``solve(_:_:_:into:)`` their strengths r.
    private var confidences: [Double] = []
    /// n: factors.
    private var n = 0
    /// [n × n] A, then U; on and above the diagonal.
    private var a: UnsafeMutablePointer<Double>
    /// [n] b, then x; or a right side, then its solution.
    private var x: UnsafeMutablePointer<Double>
    /// [4 × n] rows of Y in double.
    private var y: UnsafeMutablePointer<Double>

    init() {
        // SAFETY: grown before use, freed in deinit.
        unsafe a = UnsafeMutablePointer.allocate(capacity: 1)
        unsafe x = UnsafeMutablePointer.allocate(capacity: 1)
        unsafe y = UnsafeMutablePointer.allocate(capacity: 1)
    }

    deinit {
        // SAFETY: allocated in init or in reserve, which freed what was before.
        unsafe a.deallocate()
        unsafe x.deallocate()
        unsafe y.deallocate()
    }

    // MARK: Members

    /// As many strengths as rows, all 0.
    func clearStrengths() {
        confidences.removeAll(keepingCapacity: true)
        confidences.append(contentsOf: repeatElement(0, count: rows.count))
    }

    /// - Precondition: the row is one of `rows`.
    func add(_ strength: Float, to row: UInt32) {
        let place = firstPlace(in: rows.span, notBelow: row)
        precondition(place < rows.count && rows[place] == row, "BUG: a strength for another item")
        confidences[place] += Double(strength)
    }

    // MARK: Solve

    /// Builds A and b from the members, factorizes A and solves for x.
    ///
    /// - Parameters:
    ///   - gram: YᵀY, [n × n], on and above the diagonal.
    ///   - matrix: Y, [items × n].
    ///   - vector: x in float32, when there is one.
    /// - Returns: false when A is not clearly positive definite, or x is zero or too long for scores to stay finite.
    /// - Complexity: O(members · n² / 2 + n³ / 6).
    func solve(
        _ gram: [Double], _ matrix: Span<Float>, _ parameters: FoldInParameters, into vector: inout [Float]
    ) -> Bool {
        reserve(Int(Double(gram.count).squareRoot()))
        for place in confidences.indices {
            confidences[place] = parameters.confidence(ofStrength: confidences[place])
        }
        build(gram, matrix, regularization: Double(parameters.regularization))
        guard factorize() else { return false }
        solveFactorized()
        vector.removeAll(keepingCapacity: true)
        var squares = 0.0
        for i in 0..<n {
            // SAFETY: x has n elements.
            let value = unsafe Float(x[i])
            vector.append(value)
            squares += Double(value) * Double(value)
        }
        // The bound that every stored vector keeps, less what float32 sums may round: scores stay finite.
        return squares > 0 && squares <= Double(ModelLimits.squaredNormMax) / 2
    }

    /// What each member gives to the score of `item`, in their order; after a ``solve(_:_:_:into:)`` that returned true.
    func contributions(to item: ItemIndex, _ matrix: Span<Float>) -> [Contribution] {
        precondition(item.row >= 0 && (item.row + 1) * n <= matrix.count, "BUG: no such item")
        // SAFETY: x has n elements.
        for i in 0..<n { unsafe x[i] = Double(matrix[item.row * n + i]) }
        solveFactorized()
        return rows.indices.map { place in
            let row = Int(rows[place])
            var sum = 0.0
            // SAFETY: x has n elements.
            for i in 0..<n { unsafe sum += x[i] * Double(matrix[row * n + i]) }
            return Contribution(item: ItemIndex(row), contribution: Float(confidences[place] * sum))
        }
    }

    // MARK: Parts

    private func reserve(_ n: Int) {
        if n > self.n {
            // SAFETY: nothing else holds these; every element is written before it is read.
            unsafe a.deallocate()
            unsafe x.deallocate()
            unsafe y.deallocate()
            unsafe a = UnsafeMutablePointer.allocate(capacity: n * n)
            unsafe x = UnsafeMutablePointer.allocate(capacity: n)
            unsafe y = UnsafeMutablePointer.allocate(capacity: 4 * n)
        }
        self.n = n
    }

    private func build(_ gram: [Double], _ matrix: Span<Float>, regularization: Double) {
        // SAFETY: gram and a have n · n elements, x has n.
        for place in 0..<n * n { unsafe a[place] = gram[place] }
        for i in 0..<n {
            unsafe a[i * n + i] += regularization
            unsafe x[i] = 0
        }
        // Four members at a time: A is read and written once for them.
        for first in stride(from: 0, to: rows.count, by: 4) {
            var t: InlineArray<4, Double> = [0, 0, 0, 0]
            for k in 0..<4 {
                // A last group of fewer repeats its last member with weight zero.
                let place = min(first + k, rows.count - 1)
                let isReal = first + k < rows.count
                t[k] = isReal ? confidences[place] - 1 : 0
                let c = isReal ? confidences[place] : 0
                let row = Int(rows[place]) * n
                for i in 0..<n {
                    let value = Double(matrix[row + i])
                    // SAFETY: y has 4 · n elements, x has n.
                    unsafe y[k * n + i] = value
                    unsafe x[i] += c * value
                }
            }
            for i in 0..<n {
                // SAFETY: row i of a from the diagonal on, and the same columns of the four rows of y.
                unsafe addOuter(
                    a + i * n, (t[0] * y[i], t[1] * y[n + i], t[2] * y[2 * n + i], t[3] * y[3 * n + i]), from: i)
            }
        }
    }

    /// row[j] += Σ factors · y[k][j] for j from `first` on.
    private func addOuter(
        _ row: UnsafeMutablePointer<Double>, _ factors: (Double, Double, Double, Double), from first: Int
    ) {
        let (y0, y1, y2, y3) = unsafe (y, y + n, y + 2 * n, y + 3 * n)
        for j in first..<n {
            // SAFETY: the caller's row and the four rows of y have n elements.
            unsafe row[j] += (factors.0 * y0[j] + factors.1 * y1[j]) + (factors.2 * y2[j] + factors.3 * y3[j])
        }
    }

    /// A = UᵀU in place.
    private func factorize() -> Bool {
        var largest = 0.0
        // SAFETY: here and below, i, j and k are under n, and a has n · n elements.
        for i in 0..<n { largest = unsafe max(largest, a[i * n + i]) }
        // Rounding leaves about n units in the last place of the largest entry: no pivot below that is a number.
        let least = largest * Double(n) * .ulpOfOne
        for k in 0..<n {
            let top = unsafe a + k * n
            let pivot = unsafe top[k]
            guard pivot > least, pivot.isFinite else { return false }
            let scale = 1 / pivot.squareRoot()
            for j in k..<n { unsafe top[j] *= scale }
            for i in k + 1..<max(n, k + 1) {
                let row = unsafe a + i * n
                let factor = unsafe top[i]
                for j in i..<n { unsafe row[j] -= factor * top[j] }
            }
        }
        return true
    }

    /// Solves UᵀU z = x in place of x.
    private func solveFactorized() {
        // SAFETY: i and j are under n; a has n · n elements, x has n.
        for i in 0..<n {
            let row = unsafe a + i * n
            let value = unsafe x[i] / row[i]
            unsafe x[i] = value
            for j in i + 1..<max(n, i + 1) { unsafe x[j] -= value * row[j] }
        }
        for i in (0..<n).reversed() {
            let row = unsafe a + i * n
            var value = unsafe x[i]
            for j in i + 1..<max(n, i + 1) { unsafe value -= row[j] * x[j] }
            unsafe x[i] = value / row[i]
        }
    }
}
