import HTTPMessages

/// Whether requests of one loop wait too long, and which are to be turned away.
///
/// A loop serves what epoll reported in turns, and a request waits for those before it in its turn. Like CoDel (Nichols and
/// Jacobson, "Controlling queue delay", ACM Queue 10(5), 2012; RFC 8289) it takes a queue for bad only while it stands: bursts are
/// served whole, however long. When every turn has been longer than the target for the time of a target, a request that has
/// waited longer than that in its turn is answered 503, which takes microseconds, until a turn ends in time with none turned
/// away. The first requests of a turn are always served, so that the loop is never idle and somebody always gets an answer;
/// epoll reports ready connections in rotation, so it is not always the same ones.
///
/// Two comparisons a request.
struct Overload {
    private let targetNanoseconds: UInt64
    private var turnBegan: MonotonicTime
    private var hasShed = false
    /// Since when all turns have been too long.
    private var standsSince: MonotonicTime?

    /// - Parameter target: longest time in a turn before a request is in danger.
    init(target: UInt64, now: MonotonicTime) {
        targetNanoseconds = target
        turnBegan = now
    }

    mutating func turnBegins(now: MonotonicTime) {
        turnBegan = now
        hasShed = false
    }

    /// Whether a request that is looked at now has waited too long in a queue that stands.
    mutating func sheds(now: MonotonicTime) -> Bool {
        guard let standsSince, now.nanoseconds &- turnBegan.nanoseconds > targetNanoseconds,
            now.nanoseconds &- standsSince.nanoseconds > targetNanoseconds
        else { return false }
        hasShed = true
        return true
    }

    mutating func turnEnded(now: MonotonicTime) {
        if hasShed { return }
        if now.nanoseconds &- turnBegan.nanoseconds > targetNanoseconds {
            if standsSince == nil { standsSince = turnBegan }
        } else {
            standsSince = nil
        }
    }
}
