/// Gives each distinct number a small index, in the order in which they first appear.
///
/// An open hash table of indices over the list of numbers: 8 bytes a number and 8 to 16 for its slots.
struct NumberIndex {
    /// By index.
    private(set) var numbers: [UInt64] = []
    /// Index + 1; 0 is empty.
    private var slots = [UInt32](repeating: 0, count: 64)

    var count: Int { numbers.count }

    /// The number's index, a new one if it has none yet.
    mutating func index(of number: UInt64) -> UInt32 {
        var slot = slot(of: number)
        if slots[slot] != 0 { return slots[slot] - 1 }
        precondition(numbers.count < Int(UInt32.max) - 1, "BUG: more than 4 billion distinct numbers")
        if (numbers.count + 1) * 2 > slots.count {
            grow()
            slot = self.slot(of: number)
        }
        numbers.append(number)
        slots[slot] = UInt32(numbers.count)
        return UInt32(numbers.count - 1)
    }

    private func slot(of number: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hashOfInteger(number)) & mask
        while slots[slot] != 0 && numbers[Int(slots[slot] - 1)] != number { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 2)
        for index in numbers.indices { slots[slot(of: numbers[index])] = UInt32(index + 1) }
    }

    /// Indices in ascending order of their numbers.
    func sortedIndices() -> [UInt32] {
        (0..<UInt32(numbers.count)).sorted { numbers[Int($0)] < numbers[Int($1)] }
    }
}
