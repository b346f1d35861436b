import CKernels
import Synchronization

/// How a row of an ALS half-step is solved.
package enum RowSolver: Equatable, Sendable {
    /// This many conjugate-gradient steps from where the row is.
    case conjugateGradient(steps: Int)
    /// Exactly, by a Cholesky factorization of the row's matrix.
    case cholesky
}

/// One side of an implicit-feedback ALS iteration: the rows of `solved`, found from the rows of `fixed`.
///
/// Row u solves A x = b with A = G + Σ α·r·y·yᵀ and b = Σ (1 + α·r)·y over its interactions, where G = YᵀY + λI.
@safe
package final class ALSSide: @unchecked Sendable {
    // Sendable: setGram is called between phases by one thread; a phase only reads, and writes rows of its own.
    package let fixed: PaddedMatrix
    package let solved: PaddedMatrix
    private let indptr: [UInt64]
    private let indices: [UInt32]
    private let strengths: [Float]
    private let alpha: Float
    /// G in float32, [width × width]; the identity in the padding, so that solvers may run over it.
    private let gram: PaddedMatrix
    private var regularization = 0.0
    private var hasGram = false
    /// G computed anew in double, [factors × factors]: made when the first row of a half-step needs it.
    private let exactGram = Mutex<[Double]?>(nil)

    /// - Parameters:
    ///   - indptr: [solved rows + 1], starts at 0 and never falls.
    ///   - indices: rows of `fixed`.
    ///   - strengths: r, beside `indices`.
    ///   - alpha: a preference has the confidence 1 + alpha · r.
    /// - Precondition: the shapes agree. Every index is looked at here, once: the kernels rely on it.
    package init(
        fixed: PaddedMatrix, solved: PaddedMatrix, indptr: [UInt64], indices: [UInt32], strengths: [Float],
        alpha: Float
    ) {
        precondition(fixed.columnCount == solved.columnCount, "BUG: sides of different factor counts")
        precondition(fixed.columnCount <= Self.factorCountMax, "BUG: more factors than the kernels take")
        precondition(indptr.count == solved.rowCount + 1 && indptr[0] == 0, "BUG: indptr does not fit the rows")
        precondition(indices.count == strengths.count, "BUG: indices and strengths differ in length")
        precondition(indptr[solved.rowCount] == UInt64(indices.count), "BUG: indptr does not end at the end")
        for row in 0..<solved.rowCount { precondition(indptr[row] <= indptr[row + 1], "BUG: indptr falls") }
        var highest: UInt32 = 0
        for index in indices { highest = max(highest, index) }
        precondition(indices.isEmpty || Int(highest) < fixed.rowCount, "BUG: index outside the fixed side")
        self.fixed = fixed
        self.solved = solved
        self.indptr = indptr
        self.indices = indices
        self.strengths = strengths
        self.alpha = alpha
        gram = PaddedMatrix(rowCount: fixed.width, columnCount: fixed.width)
    }

    /// Columns that the kernels can take.
    package static let factorCountMax = Int(NL_WIDTH_MAX)

    /// Sets G = `sums` + λI. `sums` comes from ``Kernels/addGram(of:rows:to:)``, [width × width].
    package func setGram(_ sums: [Double], regularization: Double) {
        let width = fixed.width
        precondition(sums.count == width * width, "BUG: the sums have another shape")
        for i in 0..<width {
            for j in 0..<width {
                let sum = i <= j ? sums[i * width + j] : sums[j * width + i]
                let diagonal = i < fixed.columnCount ? regularization : 1
                gram[i, j] = Float(i == j ? sum + diagonal : sum)
            }
        }
        self.regularization = regularization
        hasGram = true
        exactGram.withLock { $0 = nil }
    }

    /// Lends the side to C.
    private func withCSide<R>(steps: Int, _ body: (UnsafePointer<nl_als_side>) -> R) -> R? {
        unsafe indptr.withUnsafeBufferPointer { indptr in
            unsafe indices.withUnsafeBufferPointer { indices in
                unsafe strengths.withUnsafeBufferPointer { strengths -> R? in
                    guard let starts = indptr.baseAddress, let columns = indices.baseAddress,
                        let values = strengths.baseAddress
                    else { return nil }
                    // SAFETY: init checked that the shapes agree and that every index is inside `fixed`.
                    var side = unsafe nl_als_side(
                        gram: gram.base, fixed: fixed.base, solved: solved.base, indptr: starts, indices: columns,
                        strengths: values, width: fixed.width, alpha: alpha, steps: steps)
                    return unsafe body(&side)
                }
            }
        }
    }

    /// Solves rows of this side.
    ///
    /// A row without interactions becomes zero. A row whose numbers overflow becomes not finite. With
    /// ``RowSolver/cholesky`` a row that is not positive definite in float32 is solved again in double.
    ///
    /// - Parameter scratch: used by one thread at a time, the same one from call to call.
    /// - Returns: the first row that is singular in double too, with the rows after it not solved; nil when all are.
    package func solve(rows: Range<Int>, by solver: RowSolver, scratch: ALSScratch, kernels: Kernels = .best) -> Int? {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= solved.rowCount, "BUG: rows outside the side")
        precondition(hasGram, "BUG: solved before setGram")
        switch solver {
        case .conjugateGradient(let steps):
            precondition(steps > 0, "BUG: no steps")
            // SAFETY: the rows are inside the side, checked above, and no other thread has them.
            unsafe withCSide(steps: steps) { side in
                unsafe kernels.table.pointee.cg_rows(side, rows.lowerBound, rows.upperBound)
            }
            return nil
        case .cholesky:
            var next = rows.lowerBound
            while next < rows.upperBound {
                let room = scratch.cholesky(width: fixed.width)
                // SAFETY: the rows are inside the side, checked above; the scratch has the size the kernel asks for.
                let stopped = unsafe withCSide(steps: 0) { side in
                    unsafe kernels.table.pointee.cholesky_rows(side, next, rows.upperBound, room.base)
                }
                guard let stopped, stopped < rows.upperBound else { return nil }
                if !solveInDouble(row: stopped) { return stopped }
                next = stopped + 1
            }
            return nil
        }
    }

    /// What the interactions of `rows` add to the sum of squared scores over all pairs: Σ c·(1 − s)² − s².
    package func observedLoss(rows: Range<Int>, kernels: Kernels = .best) -> Double {
        precondition(rows.lowerBound >= 0 && rows.upperBound <= solved.rowCount, "BUG: rows outside the side")
        // SAFETY: the rows are inside the side, checked above.
        let loss = unsafe withCSide(steps: 0) { side in
            unsafe kernels.table.pointee.observed_loss(side, rows.lowerBound, rows.upperBound)
        }
        return loss ?? 0
    }

    /// The plain algorithm from exact sums, for the few rows whose λ is lost in the rounding of float32.
    private func solveInDouble(row: Int) -> Bool {
        let n = fixed.columnCount
        var a = exactGram.withLock { made in
            let sums = made ?? sumExactGram()
            made = sums
            return sums
        }
        var b = [Double](repeating: 0, count: n)
        for place in Int(indptr[row])..<Int(indptr[row + 1]) {
            let y = rowInDouble(Int(indices[place]))
            let t = Double(alpha) * Double(strengths[place])
            for i in 0..<n {
                b[i] += (1 + t) * y[i]
                for j in 0...i { a[i * n + j] += t * y[i] * y[j] }
            }
        }
        guard let x = solvePositiveDefinite(a, b) else { return false }
        for i in 0..<n { solved[row, i] = Float(x[i]) }
        return true
    }

    /// G on and below the diagonal. O(rows · factors²), once for a half-step that needs it at all.
    private func sumExactGram() -> [Double] {
        let n = fixed.columnCount
        var sums = [Double](repeating: 0, count: n * n)
        for row in 0..<fixed.rowCount {
            let y = rowInDouble(row)
            for i in 0..<n {
                for j in 0...i { sums[i * n + j] += y[i] * y[j] }
            }
        }
        for i in 0..<n { sums[i * n + i] += regularization }
        return sums
    }

    private func rowInDouble(_ row: Int) -> [Double] { (0..<fixed.columnCount).map { Double(fixed[row, $0]) } }
}

/// Memory of one solving thread, grown on first use.
package final class ALSScratch {
    private var room: PaddedMatrix?

    package init() {}

    fileprivate func cholesky(width: Int) -> PaddedMatrix {
        let rowCount = width + 2 * Int(NL_PACKED_ROWS)
        if let room, room.rowCount == rowCount { return room }
        let room = PaddedMatrix(rowCount: rowCount, columnCount: width)
        self.room = room
        return room
    }
}

/// Solves A x = b by Cholesky factorization, in double.
///
/// - Parameters:
///   - a: [n × n], symmetric, row-major; only what is on and below the diagonal is read.
///   - b: [n].
/// - Returns: nil when a pivot is not clearly positive: A is singular, or not finite.
/// - Complexity: O(n³). Not for a hot path: it is also the oracle of the fast kernels.
package func solvePositiveDefinite(_ a: [Double], _ b: [Double]) -> [Double]? {
    let n = b.count
    precondition(a.count == n * n, "BUG: A and b do not fit")
    var l = a
    let largest = (0..<n).reduce(0) { max($0, a[$1 * n + $1]) }
    for j in 0..<n {
        var pivot = l[j * n + j]
        for k in 0..<j { pivot -= l[j * n + k] * l[j * n + k] }
        // Rounding leaves about n units in the last place of the largest entry: no pivot below that is a number.
        guard pivot > largest * Double(n) * .ulpOfOne, pivot.isFinite else { return nil }
        let diagonal = pivot.squareRoot()
        l[j * n + j] = diagonal
        for i in (j + 1)..<max(n, j + 1) {
            var sum = l[i * n + j]
            for k in 0..<j { sum -= l[i * n + k] * l[j * n + k] }
            l[i * n + j] = sum / diagonal
        }
    }
    var x = b
    for i in 0..<n {
        for k in 0..<i { x[i] -= l[i * n + k] * x[k] }
        x[i] /= l[i * n + i]
    }
    for i in (0..<n).reversed() {
        for k in (i + 1)..<max(n, i + 1) { x[i] -= l[k * n + i] * x[k] }
        x[i] /= l[i * n + i]
    }
    return x
}
