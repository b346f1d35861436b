import CKernels

/// Scores of up to 64 users for the same items, with the bits of ``dot(_:_:)``: the items are read once for all users.
///
/// Working memory for one thread, reused: nothing is allocated while the number of factors does not grow.
@safe
package final class ScoreTile {
    /// Users at a time: their vectors and the panel of items stay in the first cache.
    package static let userCountMax = 64
    /// Rows at a time: all scores of a block stay in the second cache until they are ranked.
    package static let blockRows = 512

    /// Users that were set since ``begin(factorCount:)``.
    package private(set) var userCount = 0
    private var factorCount = 0
    private var users = PaddedMatrix(rowCount: 0, columnCount: 1)
    private var panel = PaddedMatrix(rowCount: 0, columnCount: 1)
    private let scores = PaddedMatrix(rowCount: userCountMax, columnCount: blockRows)
    private let function: nl_score_tile

    package init(_ kernels: Kernels = .best) {
        guard let path = KernelPath(rawValue: kernels.name), let function = unsafe nl_score_tile_for(path.number) else {
            preconditionFailure("BUG: kernels without tiles")
        }
        unsafe self.function = function
    }

    /// Forgets the users.
    package func begin(factorCount: Int) {
        precondition(factorCount > 0, "BUG: no factors")
        userCount = 0
        guard factorCount != self.factorCount else { return }
        self.factorCount = factorCount
        users = PaddedMatrix(rowCount: Self.userCountMax, columnCount: factorCount)
        panel = PaddedMatrix(rowCount: users.width, columnCount: Int(NL_PANEL_ROWS))
    }

    /// Adds a user; their place is the count before.
    package func add(_ user: Span<Float>) {
        precondition(userCount < Self.userCountMax, "BUG: more users than a tile takes")
        precondition(user.count == factorCount, "BUG: a user of another length")
        for factor in user.indices { users[userCount, factor] = user[factor] }
        userCount += 1
    }

    /// Scores consecutive rows of a matrix, [rows × factorCount], for every user.
    ///
    /// - Parameter rows: at most ``blockRows``.
    package func score(_ matrix: Span<Float>, rows: Range<Int>) {
        precondition(
            rows.lowerBound >= 0 && rows.upperBound * factorCount <= matrix.count, "BUG: rows outside the matrix")
        unsafe matrix.withUnsafeBufferPointer { matrix in
            guard let from = matrix.baseAddress else { return }
            // SAFETY: the rows are inside the matrix, checked above.
            unsafe run(from + rows.lowerBound * factorCount, nil, rows.count)
        }
    }

    /// Scores chosen rows, in any order.
    ///
    /// - Parameter rows: at most ``blockRows``, each inside the matrix.
    package func score(_ matrix: Span<Float>, rows: Span<UInt32>) {
        var highest: UInt32 = 0
        for place in rows.indices { highest = max(highest, rows[place]) }
        precondition(rows.isEmpty || (Int(highest) + 1) * factorCount <= matrix.count, "BUG: row outside the matrix")
        unsafe matrix.withUnsafeBufferPointer { matrix in
            unsafe rows.withUnsafeBufferPointer { rows in
                guard let from = matrix.baseAddress, let chosen = rows.baseAddress else { return }
                // SAFETY: every chosen row is inside the matrix, checked above.
                unsafe run(from, chosen, rows.count)
            }
        }
    }

    private func run(_ matrix: UnsafePointer<Float>, _ rows: UnsafePointer<UInt32>?, _ rowCount: Int) {
        precondition(rowCount <= Self.blockRows, "BUG: more rows than a block has")
        guard userCount > 0 else { return }
        // SAFETY: users, panel and scores have the shapes that the function asks for; userCount rounded up to whole tiles is
        // at most 64, a multiple of NL_TILE_USERS_MAX.
        unsafe function(
            users.base, userCount, users.width, matrix, factorCount, rows, rowCount, panel.base, scores.base,
            scores.width)
    }

    /// Lends a user's scores of the rows scored last.
    package func withScores(ofUser user: Int, count: Int, _ body: (inout MutableSpan<Float>) -> Void) {
        precondition(user >= 0 && user < userCount && count >= 0 && count <= Self.blockRows, "BUG: no such scores")
        // SAFETY: a prefix of one row of scores, lent for the call.
        var row = unsafe UnsafeMutableBufferPointer(start: scores.base + user * scores.width, count: count).mutableSpan
        body(&row)
    }
}
