import HTTPMessages

/// When to look at which connection again: a hashed timer wheel (Varghese and Lauck, "Hashed and hierarchical timing
/// wheels", SOSP 1987), one timer a slot, made for deadlines that are nearly always moved before they pass.
///
/// Moving a deadline later costs nothing: the slot stays filed where it is, is looked at too early, and is filed again. So a
/// request on a kept-alive connection touches no list. Deadlines beyond the wheel's reach are looked at once a turn.
struct TimerWheel {
    /// One tick is 2^23 ns, 8.4 ms: deadlines are kept to within that, always late, never early.
    private static var tickBits: UInt64 { 23 }
    private static var bucketCount: Int { 1024 }
    private static var none: Int32 { -1 }

    /// First slot of each bucket, and for each slot its neighbours: doubly linked lists in arrays.
    private var first = [Int32](repeating: none, count: bucketCount)
    private var next: [Int32] = []
    private var previous: [Int32] = []
    /// The tick a slot is filed at; 0 when it is not.
    private var filedTick: [UInt64] = []
    /// One bit a bucket: whether it holds a slot.
    private var occupied = [UInt64](repeating: 0, count: bucketCount / 64)
    private var tick: UInt64

    init(now: MonotonicTime) { tick = now.nanoseconds >> Self.tickBits }

    /// Sees to it that `slot` is looked at once `deadline` has passed.
    mutating func schedule(_ slot: Int, at deadline: MonotonicTime) {
        while next.count <= slot {
            next.append(Self.none)
            previous.append(Self.none)
            filedTick.append(0)
        }
        let wanted = (deadline.nanoseconds >> Self.tickBits) &+ 1
        let target = min(max(wanted, tick + 1), tick + UInt64(Self.bucketCount - 1))
        let filed = filedTick[slot]
        if filed != 0 {
            if filed <= target { return }
            cancel(slot)
        }
        if deadline == .distantFuture { return }
        let bucket = Int(target) % Self.bucketCount
        filedTick[slot] = target
        next[slot] = first[bucket]
        previous[slot] = Self.none
        if first[bucket] != Self.none { previous[Int(first[bucket])] = Int32(slot) }
        first[bucket] = Int32(slot)
        occupied[bucket / 64] |= 1 << UInt64(bucket % 64)
    }

    mutating func cancel(_ slot: Int) {
        guard slot < filedTick.count, filedTick[slot] != 0 else { return }
        let bucket = Int(filedTick[slot]) % Self.bucketCount
        if previous[slot] == Self.none {
            first[bucket] = next[slot]
            if next[slot] == Self.none { occupied[bucket / 64] &= ~(1 << UInt64(bucket % 64)) }
        } else {
            next[Int(previous[slot])] = next[slot]
        }
        if next[slot] != Self.none { previous[Int(next[slot])] = previous[slot] }
        filedTick[slot] = 0
    }

    /// Takes out the slots to look at, and appends them to `slots`. Those whose deadline moved must be scheduled again.
    mutating func takeDue(now: MonotonicTime, into slots: inout [Int]) {
        let nowTick = now.nanoseconds >> Self.tickBits
        if nowTick <= tick { return }
        // After a long sleep one turn of the wheel sees every bucket.
        let ticks = min(nowTick - tick, UInt64(Self.bucketCount))
        for step in 1...ticks {
            let bucket = Int((tick + step) % UInt64(Self.bucketCount))
            while first[bucket] != Self.none {
                slots.append(Int(first[bucket]))
                cancel(Int(first[bucket]))
            }
        }
        tick = nowTick
    }

    /// Milliseconds until the next slot is to be looked at, rounded up; nil when none is filed.
    func milliseconds(from now: MonotonicTime) -> Int32? {
        guard let ticks = ticksToNextOccupied() else { return nil }
        let due = (tick + ticks) << Self.tickBits
        if due <= now.nanoseconds { return 0 }
        return Int32(clamping: (due - now.nanoseconds + 999_999) / 1_000_000)
    }

    /// Distance from the present tick to the next bucket that holds something.
    private func ticksToNextOccupied() -> UInt64? {
        let start = Int(tick + 1) % Self.bucketCount
        var word = start / 64
        var bits = occupied[word] & (~0 << UInt64(start % 64))
        for _ in 0...occupied.count {
            if bits != 0 {
                let bucket = word * 64 + bits.trailingZeroBitCount
                return UInt64((bucket - start + Self.bucketCount) % Self.bucketCount) + 1
            }
            word = (word + 1) % occupied.count
            bits = occupied[word]
        }
        return nil
    }
}
