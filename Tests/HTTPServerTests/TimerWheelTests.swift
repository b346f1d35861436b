import HTTPMessages
import TestSupport
import Testing

@testable import HTTPServer

/// The oracle is a list of deadlines.
@Suite("Timer wheel") struct TimerWheelTests {
    private static let millisecond: UInt64 = 1_000_000
    /// One tick, and one more for rounding.
    private static let slack: UInt64 = 2 << 23

    @Test("a slot is looked at once its deadline has passed, and soon after", arguments: [1, 2, 3] as [UInt64])
    func agreesWithList(seed: UInt64) {
        var rng = SplitMix64(seed: seed)
        var now = MonotonicTime(nanoseconds: 1_000_000 * Self.millisecond)
        var wheel = TimerWheel(now: now)
        var deadlines: [Int: MonotonicTime] = [:]
        var due: [Int] = []
        for _ in 0..<20_000 {
            let slot = Int(rng.next() % 50)
            switch rng.next() % 4 {
            case 0:
                // Up to 20 s: beyond one turn of the wheel, which is 8.6 s.
                let deadline = now + (rng.next() % 20_000) * Self.millisecond
                deadlines[slot] = deadline
                wheel.schedule(slot, at: deadline)
            case 1 where rng.next() % 4 == 0:
                deadlines[slot] = nil
                wheel.cancel(slot)
            default:
                now = now + (rng.next() % 60) * Self.millisecond
                due.removeAll()
                wheel.takeDue(now: now, into: &due)
                for slot in due {
                    guard let deadline = deadlines[slot] else {
                        Issue.record("seed \(seed): a cancelled slot")
                        continue
                    }
                    if deadline <= now { deadlines[slot] = nil } else { wheel.schedule(slot, at: deadline) }
                }
                for (slot, deadline) in deadlines {
                    #expect(now.nanoseconds < deadline.nanoseconds + Self.slack, "seed \(seed): slot \(slot) is late")
                }
            }
        }
        #expect(!deadlines.isEmpty)
    }

    @Test("the wait ends when the next slot is to be looked at")
    func waits() {
        let now = MonotonicTime(nanoseconds: 77 * Self.millisecond)
        var wheel = TimerWheel(now: now)
        #expect(wheel.milliseconds(from: now) == nil)
        wheel.schedule(3, at: now + 500 * Self.millisecond)
        let wait = wheel.milliseconds(from: now) ?? 0
        #expect((500...520).contains(wait))
        var due: [Int] = []
        wheel.takeDue(now: now + UInt64(wait) * Self.millisecond, into: &due)
        #expect(due == [3])
        #expect(wheel.milliseconds(from: now) == nil)
    }

    @Test("a deadline moved closer counts, one moved away is looked at too early")
    func moving() {
        let now = MonotonicTime(nanoseconds: 0)
        var wheel = TimerWheel(now: now)
        wheel.schedule(0, at: now + 5000 * Self.millisecond)
        wheel.schedule(0, at: now + 100 * Self.millisecond)
        wheel.schedule(0, at: now + 9000 * Self.millisecond)
        #expect((100...120).contains(wheel.milliseconds(from: now) ?? 0))
    }

    @Test("no deadline needs no timer")
    func distantFuture() {
        var wheel = TimerWheel(now: MonotonicTime(nanoseconds: 0))
        wheel.schedule(0, at: .distantFuture)
        #expect(wheel.milliseconds(from: MonotonicTime(nanoseconds: 0)) == nil)
    }

    @Test("after a long sleep every slot that is due is found")
    func longSleep() {
        let now = MonotonicTime(nanoseconds: 0)
        var wheel = TimerWheel(now: now)
        for slot in 0..<100 { wheel.schedule(slot, at: now + UInt64(slot) * 80 * Self.millisecond) }
        var due: [Int] = []
        wheel.takeDue(now: now + 3_600_000 * Self.millisecond, into: &due)
        #expect(due.sorted() == Array(0..<100))
    }
}
