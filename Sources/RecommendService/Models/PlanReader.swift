import Synchronization

/// One loop's view of a ``ModelStore``.
///
/// The plan it holds lies in a cell of the loop's own behind a lock that nobody else asks for but ``ModelStore/reclaim(on:)``: two
/// uncontended atomic operations a request, on a cache line that stays with the loop's core. The lock is there for loops that get no
/// request: without it they would keep a version in memory that nobody answers from any more.
package struct PlanReader: Sendable {
    let store: ModelStore
    let cell: PlanCell

    /// Take it once per request: a second call may see another moment.
    package func plan() -> ServingPlan { cell.plan(of: store) }
}

/// What one loop holds between two requests.
final class PlanCell: Sendable {
    private let held = Mutex<ServingPlan?>(nil)

    func plan(of store: ModelStore) -> ServingPlan {
        held.withLock { held in
            if let held, held.generation == store.newestGeneration { return held }
            let plan = store.plan
            held = plan
            return plan
        }
    }

    func dropPlan(olderThan generation: Int) {
        // The plan goes away outside the lock: its loop may be waiting.
        var old: ServingPlan?
        held.withLock { held in
            if let plan = held, plan.generation < generation { swap(&held, &old) }
        }
        _ = consume old
    }
}
