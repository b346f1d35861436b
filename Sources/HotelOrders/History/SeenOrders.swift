/// The order numbers that were used, so that overlapping exports count an order once.
///
/// A hash table of blocks of 64 neighbouring numbers, one bit each: a table's dense numbers cost about 5 MB for 10
/// million orders, and numbers scattered at random still no more than 32 bytes each.
struct SeenOrders {
    private var blocks: [Int64]
    private var bits: [UInt64]
    private var used = 0

    init() {
        blocks = [Int64](repeating: 0, count: 64)
        bits = [UInt64](repeating: 0, count: 64)
    }

    func contains(_ orderSeq: Int64) -> Bool {
        bits[slot(of: orderSeq >> 6)] & (1 << UInt64(orderSeq & 63)) != 0
    }

    mutating func insert(_ orderSeq: Int64) {
        let block = orderSeq >> 6
        var slot = slot(of: block)
        if bits[slot] == 0 {
            if used * 2 >= bits.count {
                grow()
                slot = self.slot(of: block)
            }
            blocks[slot] = block
            used += 1
        }
        bits[slot] |= 1 << UInt64(orderSeq & 63)
    }

    /// Where the block is, or the empty slot where it would be. A slot without bits is empty.
    private func slot(of block: Int64) -> Int {
        let mask = bits.count - 1
        var slot = Int(truncatingIfNeeded: hashOfInteger(UInt64(bitPattern: block))) & mask
        while bits[slot] != 0 && blocks[slot] != block { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() {
        let oldBlocks = blocks
        let oldBits = bits
        blocks = [Int64](repeating: 0, count: oldBits.count * 2)
        bits = [UInt64](repeating: 0, count: oldBits.count * 2)
        for old in oldBits.indices where oldBits[old] != 0 {
            let slot = slot(of: oldBlocks[old])
            blocks[slot] = oldBlocks[old]
            bits[slot] = oldBits[old]
        }
    }
}

/// Mixes all bits of a number into all bits of the result: the finaliser of SplitMix64.
///
/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
func hashOfInteger(_ number: UInt64) -> UInt64 {
    var z = number &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
}
