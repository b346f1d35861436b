/// Why a training run did not give factors.
package enum TrainingError: Error, Equatable, Sendable {
    /// A setting outside its bounds; `wanted` is the bound in words.
    case invalidSetting(name: String, got: String, wanted: String)
    /// Nothing to learn from.
    case noInteractions(users: Int, items: Int)
    /// A strength that is not positive and finite, at this user row.
    case invalidStrength(user: Int, item: Int, got: Float)
    /// An item row outside the matrix, or not ascending within its user.
    case invalidIndex(user: Int, item: Int, items: Int)
    /// Overflow: some factor is no longer a finite number.
    case notFinite(iteration: Int, alpha: Float, largestStrength: Float)
    /// Cholesky met a row whose matrix has no inverse.
    case singular(side: Side, row: Int, factors: Int, regularization: Float)
    /// The factors do not solve their equations: the regularization is lost in the rounding of float32.
    case unsolved(reason: String, factors: Int, regularization: Float)

    package enum Side: String, Sendable { case user, item }
}

extension TrainingError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidSetting(let name, let got, let wanted):
            "\(name) is \(got); wanted \(wanted)"
        case .noInteractions(let users, let items):
            "nothing to learn from: \(users) users × \(items) items with 0 interactions; wanted at least one order line"
                + " that counts (status COMPLETE, price above 0): look at the rejects file"
        case .invalidStrength(let user, let item, let got):
            "the strength of user row \(user), item row \(item) is \(got); wanted a positive finite number"
        case .invalidIndex(let user, let item, let items):
            "user row \(user) has item row \(item); wanted rows below \(items), ascending, without repeats"
        case .notFinite(let iteration, let alpha, let largestStrength):
            "factors overflowed in iteration \(iteration) (alpha \(alpha), largest strength \(largestStrength));"
                + " lower alpha, clip or take the logarithm of the strengths, or raise a regularization near 0"
        case .singular(let side, let row, let factors, let regularization):
            "the equations of \(side.rawValue) row \(row) have no single solution (\(factors) factors, regularization"
                + " \(regularization)); raise the regularization above 0, lower the factors, or use conjugate gradient"
        case .unsolved(let reason, let factors, let regularization):
            "the trained factors do not solve their equations: \(reason) (\(factors) factors, regularization"
                + " \(regularization)); raise the regularization (the default is 0.01), or lower the factors"
        }
    }
}
