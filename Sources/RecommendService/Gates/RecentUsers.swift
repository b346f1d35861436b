import FactorModel
import PrometheusText

/// The users that were asked for last, as rows of one version: what a new version is compared on besides users picked from the model.
///
/// Rows only, and only in memory: who they are says the model, which has their ids anyway. Lives and dies with its version, is
/// written by each loop in its own cache lines, and is never logged.
final class RecentUsers: Sendable {
    private let loops: Int
    private let cells: AtomicCells

    /// Users remembered for each loop.
    static let countPerLoop = 63
    /// A cell that counts, and the rows.
    private static let stride = 64

    init(loops: Int) {
        self.loops = loops
        cells = AtomicCells(count: loops * Self.stride)
    }

    /// Called on the loop's own thread: it is the only writer of its cells.
    func note(_ user: UserIndex, loop: Int) {
        let count = cells[loop * Self.stride]
        let place = Int(count % UInt64(Self.countPerLoop))
        cells[loop * Self.stride + 1 + place] = UInt64(user.row) + 1
        cells[loop * Self.stride] = count &+ 1
    }

    /// The users, each once, ascending.
    var users: [UserIndex] {
        var rows: Set<Int> = []
        for loop in 0..<loops {
            for place in 1...Self.countPerLoop {
                let row = cells[loop * Self.stride + place]
                if row > 0 { rows.insert(Int(row) - 1) }
            }
        }
        return rows.sorted().map { UserIndex($0) }
    }
}
