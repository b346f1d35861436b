package import FactorModel
import PrometheusText

/// The users that were asked for last, as rows of one version: what a new version is compared on besides users picked from the model.
///
/// Rows only, and only in memory: who they are says the model, which has their ids anyway. Lives and dies with its version, is
/// written by each loop in its own cache lines, and is never logged.
package final class RecentUsers: Sendable {
    private let loops: Int
    private let cells: AtomicCells

    /// Users remembered for each loop.
    package static let countPerLoop = 63
    /// A cell that counts, and the rows.
    private static let stride = 64

    package init(loops: Int) {
        self.loops = loops
        cells = AtomicCells(count: loops * Self.stride)
    }

    /// Called on the loop's own thread: it is the only writer of its cells.
    package func note(_ user: UserIndex, loop: Int) {
        let count = cells[loop * Self.stride]
        let place = Int(count % UInt64(Self.countPerLoop))
        cells[loop * Self.stride + 1 + place] = UInt64(user.row) + 1
        cells[loop * Self.stride] = count &+ 1
    }

    /// The users, each once: the last of every loop, then the last but one of every loop, and so on.
    package var users: [UserIndex] {
        var taken: Set<Int> = []
        var users: [UserIndex] = []
        let counts = (0..<loops).map { cells[$0 * Self.stride] }
        for age in 1...UInt64(Self.countPerLoop) {
            for loop in 0..<loops where age <= counts[loop] {
                let place = Int((counts[loop] - age) % UInt64(Self.countPerLoop))
                let row = Int(cells[loop * Self.stride + 1 + place]) - 1
                if row >= 0, taken.insert(row).inserted { users.append(UserIndex(row)) }
            }
        }
        return users
    }
}
