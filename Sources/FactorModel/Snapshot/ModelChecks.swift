import Synchronization

/// Checks that do not depend on each other, run on several threads with one outcome.
struct ModelChecks {
    /// Elements a piece of a long column has: some 4 MB, so that threads share a large file evenly and pieces of a small one
    /// cost no more than the loop.
    static let pieceCount = 1 << 20

    /// Each throws `ModelFileError` only. (An array of closures with a typed throw crashes the 6.3 compiler.)
    private var checks: [@Sendable () throws -> Void] = []

    mutating func add(_ check: @escaping @Sendable () throws(ModelFileError) -> Void) {
        checks.append { try check() }
    }

    /// Cuts `count` elements into pieces and adds a check of each.
    mutating func add(
        _ count: Int, piece: Int = pieceCount, _ check: @escaping @Sendable (Range<Int>) throws(ModelFileError) -> Void
    ) {
        let piece = max(1, piece)
        for first in stride(from: 0, to: count, by: piece) {
            let range = first..<min(first + piece, count)
            checks.append { try check(range) }
        }
    }

    /// - Throws: of the checks that fail, the error of the one that was added first.
    func run(threads: Int) throws(ModelFileError) {
        let failure = Mutex<(place: Int, error: ModelFileError)?>(nil)
        // Relaxed: it only hands out numbers; what the checks read was there before the threads.
        let next = Atomic<Int>(0)
        let checks = checks
        runTogether(threads: min(threads, checks.count)) {
            while true {
                let place = next.add(1, ordering: .relaxed).oldValue
                // Places go out in order: once one fails, those not yet handed out cannot come before it.
                guard place < checks.count, failure.withLock({ $0 == nil }) else { return }
                do {
                    try checks[place]()
                } catch {
                    guard let error = error as? ModelFileError else { preconditionFailure("BUG: \(error)") }
                    failure.withLock { first in
                        if place < first?.place ?? .max { first = (place, error) }
                    }
                }
            }
        }
        if let failure = failure.withLock({ $0 }) { throw failure.error }
    }
}
